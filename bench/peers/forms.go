package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/glattn/attention"
)

// native is attention over a library's matrix products, in a child written in C.
type native struct {
	natives *natives
	library string
	blocked bool
}

func (n *native) name() string {
	if n.blocked {
		return n.library + "-blocked"
	}
	return n.library + "-unfused"
}

// form is a way to use the products.
type form struct {
	blocked    bool
	library    bool // the library's own threads; else ours over heads and blocks
	vector     bool // a row at a time by matrix-vector products
	rows, keys int  // of a block and a tile
}

func (f form) String() string {
	s := "all scores"
	if f.blocked {
		s = fmt.Sprintf("%d×%d", f.rows, f.keys)
	}
	if f.vector {
		s += ", sgemv"
	}
	if f.library {
		s += ", its threads"
	}
	return s
}

// fewRows is up to how many rows of a KV head matrix-vector products are tried.
const fewRows = 16

// forms returns what is tried on a job.
func (n *native) forms(j *job) []form {
	few := j.problem.Group()*j.problem.QueryLen <= fewRows
	switch {
	case n.blocked && few:
		return []form{
			{blocked: true, rows: 64, keys: 256}, {blocked: true, rows: 64, keys: 1024},
			{blocked: true, rows: 64, keys: 256, vector: true}, {blocked: true, rows: 64, keys: 1024, vector: true, library: true},
		}
	case n.blocked:
		return []form{{blocked: true, rows: 64, keys: 1024}, {blocked: true, rows: 256, keys: 512}, {blocked: true, rows: 512, keys: 1024, library: true}}
	case few:
		return []form{{}, {vector: true}, {library: true}, {library: true, vector: true}}
	}
	return []form{{}, {library: true}}
}

func (n *native) candidates(ctx context.Context, j *job) ([]candidate, error) {
	program, err := n.natives.program(ctx, n.library)
	if err != nil {
		return nil, err
	}
	note := ""
	if j.half() {
		note = "the child widens float16 itself, the library has no products of it with float32"
	}
	var list []candidate
	for _, s := range nativeLibraries[n.library].settings() {
		for _, f := range n.forms(j) {
			how := f.String()
			if s.value != "" {
				how = s.value + " kernels, " + how
			}
			list = append(list, candidate{how: how, layout: byHead, tolerance: singleTolerance, note: note,
				start: func(ctx context.Context) (runner, error) { return n.start(ctx, program, s, f, j) }})
		}
	}
	return list, nil
}

// start writes the inputs and starts the child.
func (n *native) start(ctx context.Context, program string, s setting, f form, j *job) (runner, error) {
	arguments, err := f.arguments(j)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, program, arguments...)
	command.Env = n.environment(command.Environ(), s, f, j.threads)
	c, err := startChild(ctx, command)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// arguments describes a job and a form as main.c reads them.
func (f form) arguments(j *job) ([]string, error) {
	p := j.problem
	bit := func(on bool) int {
		if on {
			return 1
		}
		return 0
	}
	list := []string{fmt.Sprintf("scale=%.9g", j.scale())}
	for _, a := range []struct {
		key   string
		value int
	}{
		{"b", p.Batch}, {"hq", p.Heads}, {"hkv", p.KVHeads}, {"lq", p.QueryLen}, {"lk", p.KeyLen}, {"d", p.Dim}, {"dv", p.ValueDim},
		{"causal", bit(p.Causal != attention.Off)}, {"offset", j.offset()}, {"half", bit(j.half())},
		{"blocked", bit(f.blocked)}, {"library", bit(f.library)}, {"vector", bit(f.vector)},
		{"rows", f.rows}, {"keys", f.keys}, {"threads", j.threads},
	} {
		list = append(list, fmt.Sprintf("%s=%d", a.key, a.value))
	}
	for _, t := range []struct {
		key    string
		tensor attention.Tensor
	}{{"q", j.in.Q}, {"k", j.in.K}, {"v", j.in.V}} {
		path, err := j.file(t.key, t.tensor, byHead, t.tensor.DType())
		if err != nil {
			return nil, err
		}
		list = append(list, t.key+"="+path)
	}
	return list, nil
}

// environment returns the child's variables: those of this process, but none that steers
// OpenBLAS or OpenMP, since machines set some to get along with old builds.
func (n *native) environment(inherited []string, s setting, f form, threads int) []string {
	list := slices.DeleteFunc(slices.Clone(inherited), func(v string) bool {
		return strings.HasPrefix(v, "OPENBLAS_") || strings.HasPrefix(v, "OMP_") || strings.HasPrefix(v, "GOMP_")
	})
	list = append(list, fmt.Sprintf("OMP_NUM_THREADS=%d", threads))
	if s.name != "" {
		list = append(list, s.name+"="+s.value)
	}
	if n.library != "openblas" {
		return list
	}
	if !f.library {
		return append(list, "OPENBLAS_NUM_THREADS=1")
	}
	// OpenBLAS has threads of its own beside those of OpenMP, which would take their cores
	// while they wait for the next softmax.
	return append(list, fmt.Sprintf("OPENBLAS_NUM_THREADS=%d", threads), "OMP_WAIT_POLICY=passive")
}
