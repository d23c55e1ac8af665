package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/glattn/attention"
)

//go:embed node
var nodeSources embed.FS

// onnxRuntime is ONNX Runtime's CPU library as the npm package onnxruntime-node has it,
// in a child of node. Its programs stand in dir/node, its package in dir/node/node_modules.
type onnxRuntime struct{ dir string }

func (*onnxRuntime) name() string { return "onnxruntime" }

// ortTensor describes an input or output to the child.
type ortTensor struct {
	Name   string  `json:"name"`
	Type   string  `json:"type"` // float32, float16 or int32
	Dims   []int   `json:"dims"`
	File   string  `json:"file,omitempty"`
	Values []int32 `json:"values,omitempty"`
	Share  string  `json:"share,omitempty"` // the input whose memory an output takes
}

// ortJob is what the child reads.
type ortJob struct {
	Model   string      `json:"model"`
	Threads int         `json:"threads"`
	Inputs  []ortTensor `json:"inputs"`
	Outputs []ortTensor `json:"outputs"` // the first is the result
}

func (o *onnxRuntime) candidates(_ context.Context, j *job) ([]candidate, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, fmt.Errorf("node is not on the path: %w", err)
	}
	if _, err := os.Stat(filepath.Join(o.dir, "node", "node_modules", "onnxruntime-node", "package.json")); err != nil {
		return nil, fmt.Errorf("the npm package onnxruntime-node is not installed in %s", filepath.Join(o.dir, "node"))
	}
	if err := copySources(nodeSources, o.dir); err != nil {
		return nil, err
	}
	graphs := ortGraphs(j)
	if len(graphs) == 0 {
		return nil, fmt.Errorf("%w: it has no operator for %v on the CPU", attention.ErrUnsupported, j.problem)
	}
	var list []candidate
	for n, g := range graphs {
		c := candidate{how: g.how, layout: g.layout, tolerance: singleTolerance, start: func(ctx context.Context) (runner, error) {
			return o.start(ctx, node, g, j, fmt.Sprintf("ort%d", n))
		}}
		if j.half() {
			c.tolerance, c.note = halfTolerance, "Q, O and its arithmetic are float16 too, as its operators have one type"
		}
		list = append(list, c)
	}
	return list, nil
}

// start writes the model and the job, and starts the child.
func (o *onnxRuntime) start(ctx context.Context, node string, g ortGraph, j *job, name string) (runner, error) {
	model := filepath.Join(j.dir, name+".onnx")
	if err := os.WriteFile(model, g.model().encode(), 0o600); err != nil {
		return nil, err
	}
	description := ortJob{Model: model, Threads: j.threads, Outputs: g.outputs}
	for _, in := range g.inputs {
		t := ortTensor{Name: in.name, Type: in.kind, Dims: in.dims, Values: in.values}
		if in.from.Present() {
			kind := attention.Float32
			if in.kind == "float16" {
				kind = attention.Float16
			}
			path, err := j.file(in.file, in.from, in.layout, kind)
			if err != nil {
				return nil, err
			}
			t.File = path
		}
		description.Inputs = append(description.Inputs, t)
	}
	text, err := json.Marshal(description)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(j.dir, name+".json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return nil, err
	}
	c, err := startChild(ctx, exec.CommandContext(ctx, node, filepath.Join(o.dir, "node", "ort.js"), path))
	if err != nil {
		return nil, err
	}
	return c, nil
}
