package vectors_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/verify/vectors"
)

var masked = math.Inf(-1)

func plain(_, _, _, _ int, s float64) float64 { return s }

func allow(s float64, ok bool) float64 {
	if ok {
		return s
	}
	return masked
}

// qkv are small tensors in which nothing is symmetric: two batch entries, four
// query heads on two KV heads, three queries, five keys.
func qkv() (q, k, v values) {
	return noise(1, 2, 4, 3, 8), noise(2, 2, 2, 5, 8), noise(3, 2, 2, 5, 6)
}

func onnx(t testing.TB, attributes map[string]any, q, k, v, y values) *caseFile {
	t.Helper()
	return newCase(t, "+Attention", attributes).
		in("Q", "float32", q).in("K", "float32", k).in("V", "float32", v).out("Y", "float32", y)
}

func TestONNXAttention(t *testing.T) {
	q, k, v := qkv()
	causal := naive(q, k, v, func(_, _, i, j int, s float64) float64 { return allow(s, j <= i) })
	t.Run("4D", func(t *testing.T) { onnx(t, nil, q, k, v, naive(q, k, v, plain)).passes() })
	t.Run("causal is top-left", func(t *testing.T) { onnx(t, map[string]any{"is_causal": 1}, q, k, v, causal).passes() })
	t.Run("3D", func(t *testing.T) {
		onnx(t, map[string]any{"is_causal": 1, "q_num_heads": 4, "kv_num_heads": 2}, q.merged(), k.merged(), v.merged(), causal.merged()).passes()
	})
	t.Run("past", func(t *testing.T) {
		pastK, pastV := noise(4, 2, 2, 3, 8), noise(5, 2, 2, 3, 6)
		allK, allV := pastK.joined(k), pastV.joined(v)
		y := naive(q, allK, allV, func(_, _, i, j int, s float64) float64 { return allow(s, j <= i+3 && j >= i+3-1) })
		onnx(t, map[string]any{"is_causal": 1, "left_window_size": 1}, q, k, v, y).
			in("past_key", "float32", pastK).in("past_value", "float32", pastV).
			out("present_key", "float32", allK).out("present_value", "float32", allV).passes()
	})
	t.Run("lengths", func(t *testing.T) {
		lengths := []float64{4, 2} // the second leaves its first query without keys
		y := naive(q, k, v, func(b, _, i, j int, s float64) float64 { return allow(s, j <= i+int(lengths[b])-3) })
		onnx(t, map[string]any{"is_causal": 1}, q, k, v, y).in("nonpad_kv_seqlen", "int32", list([]int{2}, lengths...)).passes()
	})
	t.Run("rank 1 mask over the first keys", func(t *testing.T) {
		y := naive(q, k, v, func(_, _, _, j int, s float64) float64 { return allow(s, j == 0 || j == 2) })
		onnx(t, nil, q, k, v, y).in("attn_mask", "bool", list([]int{3}, 1, 0, 1)).passes()
	})
	t.Run("rank 3 mask is per head", func(t *testing.T) {
		m := noise(6, 4, 3, 5)
		y := naive(q, k, v, func(_, h, i, j int, s float64) float64 { return s + m.list[(h*3+i)*5+j] })
		onnx(t, nil, q, k, v, y).in("attn_mask", "float32", m).passes()
	})
	t.Run("scale and softcap", func(t *testing.T) {
		y := naive(q, k, v, func(_, _, _, _ int, s float64) float64 { return 0.5 * math.Tanh(s*math.Sqrt(8)*0.25/0.5) })
		onnx(t, map[string]any{"scale": 0.25, "softcap": 0.5}, q, k, v, y).passes()
	})
	for _, dtype := range []string{"float16", "bfloat16"} {
		t.Run(dtype, func(t *testing.T) {
			newCase(t, "+Attention", nil).in("Q", dtype, q).in("K", dtype, k).in("V", dtype, v).
				out("Y", dtype, naive(q, k, v, plain)).passes()
		})
	}
	t.Run("float64", func(t *testing.T) {
		res := newCase(t, "+Attention", map[string]any{"softmax_precision": 11}).in("Q", "float64", q).in("K", "float64", k).
			in("V", "float64", v).out("Y", "float64", naive(q, k, v, plain)).run()
		require.Equal(t, vectors.Passed, res.Status, res.String())
		require.Len(t, res.Notes, 5, "narrowed inputs, output and softmax are to be noted: %v", res.Notes)
	})
}

// TestWrongNumbersFail plants mistakes in the expected values.
func TestWrongNumbersFail(t *testing.T) {
	q, k, v := qkv()
	right := naive(q, k, v, plain)
	changed := func(at int, to float64) values {
		y := values{right.shape, slices.Clone(right.list)}
		y.list[at] = to
		return y
	}
	bottomRight := naive(q, k, v, func(_, _, i, j int, s float64) float64 { return allow(s, j <= i+2) })
	tests := []struct {
		name       string
		attributes map[string]any
		y          values
	}{
		{"causal aligned elsewhere", map[string]any{"is_causal": 1}, bottomRight},
		{"one element by 1e-5", nil, changed(17, right.list[17]+1e-5)},
		{"NaN wanted", nil, changed(17, math.NaN())},
		{"Inf wanted", nil, changed(17, math.Inf(1))},
		{"last element", nil, changed(len(right.list)-1, 0)},
		{"another shape", nil, values{[]int{2, 4, 6, 3}, right.list}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			res := onnx(t, test.attributes, q, k, v, test.y).run()
			require.Equal(t, vectors.Failed, res.Status, res.String())
			require.Contains(t, res.Detail, "Y")
		})
	}
	t.Run("a copy must be equal in every bit", func(t *testing.T) {
		present := values{k.shape, slices.Clone(k.list)}
		onnx(t, nil, q, k, v, right).out("present_key", "float32", present).passes()
		present.list[3] = float64(math.Nextafter32(float32(present.list[3]), 9))
		res := onnx(t, nil, q, k, v, right).out("present_key", "float32", present).run()
		require.Equal(t, vectors.Failed, res.Status, res.String())
		require.Contains(t, res.Detail, "present_key")
	})
	t.Run("a missing output hides no mistake", func(t *testing.T) {
		mode := map[string]any{"qk_matmul_output_mode": 2}
		qk := noise(1, 2, 4, 3, 5)
		res := onnx(t, mode, q, k, v, right).out("qk_matmul_output", "float32", qk).run()
		require.Equal(t, vectors.Skipped, res.Status, res.String())
		require.Equal(t, "qk_matmul_output mode 2", res.Missing)
		require.Equal(t, len(right.list), res.Compared)
		res = onnx(t, mode, q, k, v, changed(0, 9)).out("qk_matmul_output", "float32", qk).run()
		require.Equal(t, vectors.Failed, res.Status, res.String())
	})
	t.Run("a rounded case is bounded too", func(t *testing.T) {
		c := onnx(t, nil, q, k, v, changed(17, right.list[17]+0.01))
		c.desc["grade"] = "coarse"
		c.desc["upstream_tolerance"] = map[string]any{"abs": 0.02, "rel": 0}
		c.passes()
		c.desc["upstream_tolerance"] = map[string]any{"abs": 0.005, "rel": 0}
		require.Equal(t, vectors.Failed, c.run().Status)
		c.desc["float64_check"] = map[string]any{"Y": map[string]any{"max_abs": 0.01}}
		c.passes()
	})
}

// lacking is a backend without windows.
type lacking struct{ attention.Backend }

func (l lacking) Supports(p attention.Problem) error {
	return p.Missing("lacking", attention.AllFeatures&^attention.FeatureWindow)
}

func TestSkipsAreNamed(t *testing.T) {
	q, k, v := qkv()
	y := naive(q, k, v, plain)
	skipped := func(t *testing.T, res vectors.Result, name string) {
		t.Helper()
		require.Equal(t, vectors.Skipped, res.Status, res.String())
		require.Contains(t, res.Missing, name)
	}
	skipped(t, onnx(t, map[string]any{"novelty": 1}, q, k, v, y).run(), "attribute novelty")
	skipped(t, onnx(t, nil, q, k, v, y).in("novelty", "float32", q).run(), "input novelty")
	skipped(t, onnx(t, nil, q, k, v, y).out("novelty", "float32", q).run(), "output novelty")
	skipped(t, newCase(t, "+Novelty", nil).out("Y", "float32", y).run(), "operator ai.onnx.Novelty")
	skipped(t, onnx(t, map[string]any{"scale": 0}, q, k, v, y).run(), "scale 0")
	gqa := map[string]any{"num_heads": 4, "kv_num_heads": 2}
	skipped(t, newCase(t, "GroupQueryAttention", gqa).in("head_sink", "float32", noise(1, 4)).out("output", "float32", y).run(), "head_sink")
	gqa["do_rotary"] = 1
	skipped(t, newCase(t, "GroupQueryAttention", gqa).out("output", "float32", y).run(), "do_rotary")

	window := onnx(t, map[string]any{"left_window_size": 1}, q, k, v, y)
	skipped(t, window.runOn(lacking{cpu.NewReference()}), "lacking: feature window")
}
