package main

import (
	"slices"

	"github.com/glattn/attention"
)

// ortGraph is an operator with what is fed to it.
type ortGraph struct {
	how     string
	node    onnxNode
	inputs  []ortInput
	outputs []ortTensor
	layout  layout // of the first output
}

// ortInput is an input: a tensor of the job in a layout, or a few numbers.
type ortInput struct {
	name, kind string
	dims       []int
	from       attention.Tensor
	file       string // the name of the file that holds it
	layout     layout
	values     []int32
}

// ortGraphs returns the operators that say what the job says. Which of them runs on the
// CPU with these types, and how fast, is for the child to tell.
func ortGraphs(j *job) []ortGraph {
	p := j.problem
	m := ortMaker{j: j, kind: "float32"}
	if j.half() {
		m.kind = "float16"
	}
	topLeft := p.Causal == attention.Off || j.offset() == 0
	var list []ortGraph
	if p.Heads == p.KVHeads && topLeft {
		list = append(list, m.multiHead(bySequence), m.multiHead(byHead))
	}
	if topLeft {
		list = append(list, m.attention())
	}
	square := p.QueryLen == p.KeyLen && p.Causal != attention.Off && topLeft
	step := p.QueryLen == 1 && (p.Causal == attention.Off || p.Causal == attention.BottomRight)
	if p.Dim == p.ValueDim && (square || step) {
		g := m.grouped(step)
		list = append(list, g)
		// Without the cache among the outputs, the runtime keeps it in memory of its own.
		g.how, g.outputs = "GroupQueryAttention, cache not returned", g.outputs[:1]
		list = append(list, g)
	}
	return list
}

// ortMaker makes graphs of a job, with float tensors of one kind.
type ortMaker struct {
	j    *job
	kind string
}

// tensor is an input [batch, head, sequence, dim] or, by sequence, with heads and dim joined.
func (m ortMaker) tensor(name, file string, t attention.Tensor, l layout) ortInput {
	s := t.Shape()
	dims := s[:]
	if l == bySequence {
		dims = []int{s[0], s[2], s[1] * s[3]}
	}
	return ortInput{name: name, kind: m.kind, dims: dims, from: t, file: file, layout: l}
}

func (m ortMaker) result(l layout) ortTensor {
	p := m.j.problem
	if l == bySequence {
		return ortTensor{Name: "output", Type: m.kind, Dims: []int{p.Batch, p.QueryLen, p.Heads * p.ValueDim}}
	}
	return ortTensor{Name: "output", Type: m.kind, Dims: []int{p.Batch, p.Heads, p.QueryLen, p.ValueDim}}
}

func (m ortMaker) scale() []onnxAttribute[float32] {
	return []onnxAttribute[float32]{{"scale", m.j.scale()}}
}

// multiHead is com.microsoft.MultiHeadAttention. K and V by head are used as they lie,
// those by sequence are brought into that order first.
func (m ortMaker) multiHead(l layout) ortGraph {
	in := m.j.in
	g := ortGraph{
		how: "MultiHeadAttention, K and V " + string(l), layout: bySequence,
		node: onnxNode{domain: "com.microsoft", op: "MultiHeadAttention", floats: m.scale(),
			ints: []onnxAttribute[int]{{"num_heads", m.j.problem.Heads}}},
		inputs:  []ortInput{m.tensor("query", "q", in.Q, bySequence), m.tensor("key", "k", in.K, l), m.tensor("value", "v", in.V, l)},
		outputs: []ortTensor{m.result(bySequence)},
	}
	if m.j.problem.Causal != attention.Off {
		g.node.ints = append(g.node.ints, onnxAttribute[int]{"unidirectional", 1})
	}
	return g.wired()
}

// attention is ai.onnx.Attention of opset 23, whose causal rule is aligned top-left.
func (m ortMaker) attention() ortGraph {
	in := m.j.in
	g := ortGraph{
		how: "ai.onnx Attention", layout: byHead, node: onnxNode{op: "Attention", floats: m.scale()},
		inputs:  []ortInput{m.tensor("Q", "q", in.Q, byHead), m.tensor("K", "k", in.K, byHead), m.tensor("V", "v", in.V, byHead)},
		outputs: []ortTensor{m.result(byHead)},
	}
	if m.j.problem.Causal != attention.Off {
		g.node.ints = append(g.node.ints, onnxAttribute[int]{"is_causal", 1})
	}
	return g.wired()
}

// grouped is com.microsoft.GroupQueryAttention, causal with the keys up to the query's
// own. A step of decoding reads a cache of all keys, into which the operator writes the
// last one again: past and present share memory, as its documentation advises. Else all
// keys are new.
func (m ortMaker) grouped(step bool) ortGraph {
	p, in := m.j.problem, m.j.in
	lengths := slices.Repeat([]int32{int32(p.KeyLen - 1)}, p.Batch)
	g := ortGraph{
		how: "GroupQueryAttention, cache returned", layout: bySequence,
		node: onnxNode{domain: "com.microsoft", op: "GroupQueryAttention", floats: m.scale(),
			ints: []onnxAttribute[int]{{"num_heads", p.Heads}, {"kv_num_heads", p.KVHeads}}},
		outputs: []ortTensor{m.result(bySequence)},
	}
	query := m.tensor("query", "q", in.Q, bySequence)
	cache := []int{p.Batch, p.KVHeads, p.KeyLen, p.Dim}
	present := []ortTensor{{Name: "present_key", Type: m.kind, Dims: cache}, {Name: "present_value", Type: m.kind, Dims: cache}}
	if step {
		last := func(t attention.Tensor) attention.Tensor {
			return t.Slice(attention.AxisSequence, p.KeyLen-1, p.KeyLen)
		}
		g.how = "GroupQueryAttention, cache in place"
		g.inputs = []ortInput{query, m.tensor("key", "klast", last(in.K), bySequence), m.tensor("value", "vlast", last(in.V), bySequence),
			m.tensor("past_key", "k", in.K, byHead), m.tensor("past_value", "v", in.V, byHead)}
		present[0].Share, present[1].Share = "past_key", "past_value"
	} else {
		none := ortInput{}
		g.inputs = []ortInput{query, m.tensor("key", "k", in.K, bySequence), m.tensor("value", "v", in.V, bySequence), none, none}
	}
	g.outputs = append(g.outputs, present...)
	g.inputs = append(g.inputs,
		ortInput{name: "seqlens_k", kind: "int32", dims: []int{p.Batch}, values: lengths},
		ortInput{name: "total_sequence_length", kind: "int32", dims: []int{1}, values: []int32{int32(p.KeyLen)}})
	return g.wired()
}

// wired names the node's inputs and outputs. An input without a name is left out of the
// feeds, and is an empty name at the node.
func (g ortGraph) wired() ortGraph {
	for _, in := range g.inputs {
		g.node.inputs = append(g.node.inputs, in.name)
	}
	for _, out := range g.outputs {
		g.node.outputs = append(g.node.outputs, out.Name)
	}
	g.inputs = slices.DeleteFunc(g.inputs, func(in ortInput) bool { return in.name == "" })
	return g
}

// model returns the graph as ONNX has it.
func (g ortGraph) model() onnxModel {
	kinds := map[string]int{"float32": onnxFloat, "float16": onnxFloat16, "int32": onnxInt32}
	m := onnxModel{opset: 23, node: g.node}
	for _, in := range g.inputs {
		m.inputs = append(m.inputs, onnxValue{in.name, kinds[in.kind], in.dims})
	}
	for _, out := range g.outputs {
		m.outputs = append(m.outputs, onnxValue{out.Name, kinds[out.Type], out.Dims})
	}
	return m
}
