package main

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a message as it was read back.
type field struct {
	number  protowire.Number
	bytes   []byte // of a message or text
	integer uint64 // of a varint or fixed32
}

// fields reads a message without knowing its schema.
func fields(t *testing.T, message []byte) []field {
	t.Helper()
	var list []field
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		require.NoError(t, protowire.ParseError(n))
		message = message[n:]
		f := field{number: number}
		switch kind {
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(message)
		case protowire.VarintType:
			f.integer, n = protowire.ConsumeVarint(message)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(message)
			f.integer = uint64(v)
		default:
			t.Fatalf("field %d has wire type %d", number, kind)
		}
		require.NoError(t, protowire.ParseError(n))
		message = message[n:]
		list = append(list, f)
	}
	return list
}

func all(list []field, number protowire.Number) (found []field) {
	for _, f := range list {
		if f.number == number {
			found = append(found, f)
		}
	}
	return found
}

func only(t *testing.T, list []field, number protowire.Number) field {
	t.Helper()
	found := all(list, number)
	require.Len(t, found, 1, "field %d", number)
	return found[0]
}

func texts(list []field) (found []string) {
	for _, f := range list {
		found = append(found, string(f.bytes))
	}
	return found
}

func TestModelIsReadBack(t *testing.T) {
	model := onnxModel{
		opset: 23,
		node: onnxNode{domain: "com.microsoft", op: "MultiHeadAttention", inputs: []string{"query", "", "value"}, outputs: []string{"output"},
			ints: []onnxAttribute[int]{{"num_heads", 300}}, floats: []onnxAttribute[float32]{{"scale", 0.125}}},
		inputs:  []onnxValue{{"query", onnxFloat, []int{1, 1024, 512}}, {"value", onnxFloat16, []int{2}}},
		outputs: []onnxValue{{"output", onnxFloat, nil}},
	}
	top := fields(t, model.encode())
	require.EqualValues(t, onnxIR, only(t, top, 1).integer)
	var sets []string
	for _, f := range all(top, 8) {
		set := fields(t, f.bytes)
		sets = append(sets, string(only(t, set, 1).bytes))
		require.EqualValues(t, map[string]int{"": 23, "com.microsoft": 1}[sets[len(sets)-1]], only(t, set, 2).integer)
	}
	require.Equal(t, []string{"", "com.microsoft"}, sets)

	graph := fields(t, only(t, top, 7).bytes)
	require.NotEmpty(t, only(t, graph, 2).bytes, "a graph must have a name")
	node := fields(t, only(t, graph, 1).bytes)
	require.Equal(t, []string{"query", "", "value"}, texts(all(node, 1)), "an input that is left out keeps its place")
	require.Equal(t, []string{"output"}, texts(all(node, 2)))
	require.Equal(t, "MultiHeadAttention", string(only(t, node, 4).bytes))
	require.Equal(t, "com.microsoft", string(only(t, node, 7).bytes))
	attributes := all(node, 5)
	require.Len(t, attributes, 2)
	scale, heads := fields(t, attributes[0].bytes), fields(t, attributes[1].bytes)
	require.Equal(t, "scale", string(only(t, scale, 1).bytes))
	require.Equal(t, float32(0.125), math.Float32frombits(uint32(only(t, scale, 2).integer)))
	require.EqualValues(t, 1, only(t, scale, 20).integer)
	require.Equal(t, "num_heads", string(only(t, heads, 1).bytes))
	require.EqualValues(t, 300, only(t, heads, 3).integer)
	require.EqualValues(t, 2, only(t, heads, 20).integer)

	require.Len(t, all(graph, 12), 1)
	inputs := all(graph, 11)
	require.Len(t, inputs, 2)
	for n, want := range model.inputs {
		value := fields(t, inputs[n].bytes)
		require.Equal(t, want.name, string(only(t, value, 1).bytes))
		tensor := fields(t, only(t, fields(t, only(t, value, 2).bytes), 1).bytes)
		require.EqualValues(t, want.kind, only(t, tensor, 1).integer)
		var dims []int
		for _, d := range all(fields(t, only(t, tensor, 2).bytes), 1) {
			dims = append(dims, int(only(t, fields(t, d.bytes), 1).integer))
		}
		require.Equal(t, want.dims, dims)
	}
}
