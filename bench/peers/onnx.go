package main

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The element types of ONNX that are needed here.
const (
	onnxFloat   = 1
	onnxInt32   = 6
	onnxFloat16 = 10
)

// onnxValue is a named tensor of a graph.
type onnxValue struct {
	name string
	kind int // onnxFloat, ...
	dims []int
}

// onnxNode is an operator. An input that is left out is an empty name.
type onnxNode struct {
	domain, op      string
	inputs, outputs []string
	ints            []onnxAttribute[int]
	floats          []onnxAttribute[float32]
}

type onnxAttribute[T any] struct {
	name  string
	value T
}

// onnxModel is a graph of one node.
type onnxModel struct {
	opset           int // of ai.onnx; com.microsoft has version 1
	node            onnxNode
	inputs, outputs []onnxValue
}

// onnxIR is the version of the file format, the oldest that may name opset 23.
const onnxIR = 10

// encode writes the ModelProto. Field numbers are those of onnx.proto.
func (m onnxModel) encode() []byte {
	var graph []byte
	graph = appendMessage(graph, 1, m.node.encode())
	graph = appendText(graph, 2, "attention")
	for _, v := range m.inputs {
		graph = appendMessage(graph, 11, v.encode())
	}
	for _, v := range m.outputs {
		graph = appendMessage(graph, 12, v.encode())
	}
	var model []byte
	model = appendInt(model, 1, onnxIR)
	model = appendMessage(model, 7, graph)
	for _, set := range []onnxAttribute[int]{{"", m.opset}, {"com.microsoft", 1}} {
		model = appendMessage(model, 8, appendInt(appendText(nil, 1, set.name), 2, set.value))
	}
	return model
}

func (n onnxNode) encode() []byte {
	var b []byte
	for _, name := range n.inputs {
		b = appendText(b, 1, name)
	}
	for _, name := range n.outputs {
		b = appendText(b, 2, name)
	}
	b = appendText(b, 4, n.op)
	const floatType, intType = 1, 2
	for _, a := range n.floats {
		one := protowire.AppendFixed32(protowire.AppendTag(appendText(nil, 1, a.name), 2, protowire.Fixed32Type), math.Float32bits(a.value))
		b = appendMessage(b, 5, appendInt(one, 20, floatType))
	}
	for _, a := range n.ints {
		b = appendMessage(b, 5, appendInt(appendInt(appendText(nil, 1, a.name), 3, a.value), 20, intType))
	}
	return appendText(b, 7, n.domain)
}

func (v onnxValue) encode() []byte {
	var shape []byte
	for _, d := range v.dims {
		shape = appendMessage(shape, 1, appendInt(nil, 1, d))
	}
	tensor := appendMessage(appendInt(nil, 1, v.kind), 2, shape)
	return appendMessage(appendText(nil, 1, v.name), 2, appendMessage(nil, 1, tensor))
}

func appendMessage(b []byte, field protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), message)
}

func appendText(b []byte, field protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), text)
}

func appendInt(b []byte, field protowire.Number, value int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(value))
}
