package vectors_test

import (
	"math"
	"testing"
)

// mha is a case of MultiHeadAttention with two heads: q [2, 2, 3, 4], keys and
// values of five positions, Dv = 6.
func mha(t testing.TB, attributes map[string]any) (c *caseFile, q, k, v values) {
	t.Helper()
	q, k, v = noise(1, 2, 2, 3, 4), noise(2, 2, 2, 5, 4), noise(3, 2, 2, 5, 6)
	all := map[string]any{"num_heads": 2}
	for name, value := range attributes {
		all[name] = value
	}
	c = newCase(t, "MultiHeadAttention", all).
		in("query", "float32", q.merged()).in("key", "float32", k.merged()).in("value", "float32", v.merged())
	return c, q, k, v
}

// interleaved packs [B, H, L, D] arrays as [B, L, H, parts, D].
func interleaved(parts ...values) values {
	s := parts[0].shape
	out := values{shape: []int{s[0], s[2], s[1], len(parts), s[3]}}
	for b := range s[0] {
		for i := range s[2] {
			for h := range s[1] {
				for _, p := range parts {
					for d := range s[3] {
						out.list = append(out.list, p.at(b, h, i, d))
					}
				}
			}
		}
	}
	return out
}

func TestMultiHeadAttention(t *testing.T) {
	t.Run("cross", func(t *testing.T) {
		c, q, k, v := mha(t, nil)
		c.out("output", "float32", naive(q, k, v, plain).merged()).passes()
	})
	t.Run("packed keys and values", func(t *testing.T) {
		c, q, k, _ := mha(t, nil)
		v := noise(3, 2, 2, 5, 4)
		c.without("value").in("key", "float32", interleaved(k, v)).out("output", "float32", naive(q, k, v, plain).merged()).passes()
	})
	t.Run("all packed", func(t *testing.T) {
		c, q, _, _ := mha(t, nil)
		k, v := noise(4, 2, 2, 3, 4), noise(5, 2, 2, 3, 4)
		c.without("key").without("value").in("query", "float32", interleaved(q, k, v)).
			out("output", "float32", naive(q, k, v, plain).merged()).passes()
	})
	t.Run("bias", func(t *testing.T) {
		c, q, k, v := mha(t, nil)
		bias := noise(7, 8+8+12)
		shifted := func(a values, from int) values {
			out := values{shape: a.shape}
			for n, x := range a.list {
				d, h := n%a.shape[3], n/a.shape[3]/a.shape[2]%a.shape[1]
				out.list = append(out.list, x+bias.list[from+h*a.shape[3]+d])
			}
			return out
		}
		k, v = shifted(k, 8), shifted(v, 16)
		c.in("bias", "float32", bias).out("output", "float32", naive(shifted(q, 0), k, v, plain).merged()).
			out("present_key", "float32", k).out("present_value", "float32", v).passes()
	})
	t.Run("causal behind a past", func(t *testing.T) {
		c, q, k, v := mha(t, map[string]any{"unidirectional": 1})
		pastK, pastV := noise(4, 2, 2, 2, 4), noise(5, 2, 2, 2, 6)
		k, v = pastK.joined(k), pastV.joined(v)
		y := naive(q, k, v, func(_, _, i, j int, s float64) float64 { return allow(s, j <= i+2) })
		c.in("past_key", "float32", pastK).in("past_value", "float32", pastV).
			out("output", "float32", y.merged()).out("present_key", "float32", k).out("present_value", "float32", v).passes()
	})
	t.Run("past without present is ignored", func(t *testing.T) {
		c, q, k, v := mha(t, nil)
		extra := noise(8, 2, 1, 3, 2+5) // its first two columns belong to the cache
		y := naive(q, k, v, func(b, _, i, j int, s float64) float64 { return s + extra.at(b, 0, i, 2+j) })
		c.in("past_key", "float32", noise(4, 2, 2, 2, 4)).in("past_value", "float32", noise(5, 2, 2, 2, 6)).
			in("attention_bias", "float32", extra).out("output", "float32", y.merged()).passes()
	})
	t.Run("shared buffer", func(t *testing.T) {
		c, q, k, v := mha(t, nil)
		bufferK, bufferV := noise(4, 2, 2, 9, 4), noise(5, 2, 2, 9, 6)
		presentK := sequence(bufferK, 0, 2).joined(k).joined(sequence(bufferK, 7, 9))
		presentV := sequence(bufferV, 0, 2).joined(v).joined(sequence(bufferV, 7, 9))
		y := naive(q, sequence(presentK, 0, 7), sequence(presentV, 0, 7), plain)
		c.in("past_key", "float32", bufferK).in("past_value", "float32", bufferV).
			in("past_sequence_length", "int32", list([]int{1}, 2)).
			out("output", "float32", y.merged()).out("present_key", "float32", presentK).out("present_value", "float32", presentV).passes()
	})
}

// sequence returns positions [from, to) of [B, H, L, D].
func sequence(a values, from, to int) values {
	out := values{shape: []int{a.shape[0], a.shape[1], to - from, a.shape[3]}}
	for b := range a.shape[0] {
		for h := range a.shape[1] {
			for i := from; i < to; i++ {
				for d := range a.shape[3] {
					out.list = append(out.list, a.at(b, h, i, d))
				}
			}
		}
	}
	return out
}

// TestPaddingMasks covers the forms of key_padding_mask. The fill is added: a
// row with all keys filled is an ordinary softmax.
func TestPaddingMasks(t *testing.T) {
	grid := noise(9, 2, 3, 5)
	for n, x := range grid.list {
		grid.list[n] = 0
		if x > 0 {
			grid.list[n] = 1
		}
	}
	copy(grid.list[:5], []float64{0, 0, 0, 0, 0}) // the very first row keeps nothing
	tests := []struct {
		name string
		mask values
		keep func(b, i, j int) bool
	}{
		{"lengths", list([]int{2}, 3, 0), func(b, _, j int) bool { return j < []int{3, 0}[b] }},
		{"3B+2", list([]int{8}, 3, 1, 0, 3, 6, 0, 5, 10), func(b, _, j int) bool { return j < []int{3, 1}[b] }},
		{"B,T", values{[]int{2, 5}, grid.list[10:20]}, func(b, _, j int) bool { return grid.list[10+b*5+j] == 1 }},
		{"B,S,T", grid, func(b, i, j int) bool { return grid.list[(b*3+i)*5+j] == 1 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, q, k, v := mha(t, nil)
			extra := noise(8, 1, 2, 3, 5)
			y := naive(q, k, v, func(b, h, i, j int, s float64) float64 {
				return s + extra.at(0, h, i, j) + fillUnless(test.keep(b, i, j))
			})
			c.in("key_padding_mask", "int32", test.mask).in("attention_bias", "float32", extra).out("output", "float32", y.merged())
			c.desc["float64_check"] = map[string]any{"output": map[string]any{"max_abs": 2e-3}} // float32 near −10000
			c.passes()
		})
	}
}

// fillUnless is what a padding mask adds to a score.
func fillUnless(keep bool) float64 {
	if keep {
		return 0
	}
	return -10000
}

func TestMicrosoftAttention(t *testing.T) {
	x, w, bias := noise(1, 2, 3, 5), noise(2, 5, 4+4+6), noise(3, 14)
	project := func(from, dim int) values { // two heads
		out := values{shape: []int{2, 2, 3, dim}}
		for b := range 2 {
			for h := range 2 {
				for i := range 3 {
					for d := range dim {
						col := from + h*dim + d
						sum := bias.list[col]
						for n := range 5 {
							sum += x.list[(b*3+i)*5+n] * w.list[n*14+col]
						}
						out.list = append(out.list, sum)
					}
				}
			}
		}
		return out
	}
	q, k, v := project(0, 2), project(4, 2), project(8, 3)
	square := make([]float64, 2*4*4)
	for n := range square {
		square[n] = float64((n*7/3 + n%4) % 2)
	}
	tests := []struct {
		name string
		mask *values
		keep func(b, i, j int) bool
	}{
		{"no mask", nil, func(_, _, _ int) bool { return true }},
		{"ends and starts", &values{[]int{4}, []float64{3, 2, 1, 0}}, func(b, _, j int) bool { return j >= 1-b && j < 3-b }},
		{"ends", &values{[]int{2}, []float64{1, 9}}, func(b, _, j int) bool { return b == 1 || j < 1 }},
		{"dummy", &values{[]int{2, 1}, []float64{0, 0}}, func(_, _, _ int) bool { return true }},
		{"square", &values{[]int{2, 1, 4, 4}, square}, func(b, i, j int) bool { return square[(b*4+i)*4+j] == 1 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			y := naive(q, k, v, func(b, _, i, j int, s float64) float64 {
				return allow(s+fillUnless(test.keep(b, i, j)), j <= i)
			})
			c := newCase(t, "Attention", map[string]any{"num_heads": 2, "unidirectional": 1, "qkv_hidden_sizes": []int{4, 4, 6}}).
				in("input", "float32", x).in("weights", "float32", w).in("bias", "float32", bias).out("output", "float32", y.merged())
			if test.mask != nil {
				c.in("mask_index", "int32", *test.mask)
			}
			c.desc["float64_check"] = map[string]any{"output": map[string]any{"max_abs": 2e-3}} // float32 near −10000
			c.passes()
		})
	}
}

func TestMicrosoftAttentionWithPast(t *testing.T) {
	identity := values{[]int{4, 12}, make([]float64, 4*12)}
	for n := range 12 {
		identity.list[n%4*12+n] = 1 // Q, K and V are the input itself
	}
	x, past := noise(1, 2, 2, 4), noise(2, 2, 2, 2, 3, 2) // two heads of two
	heads := values{shape: []int{2, 2, 2, 2}}
	for n := range 16 {
		b, h, i, d := n/8, n/4%2, n/2%2, n%2
		heads.list = append(heads.list, x.list[(b*2+i)*4+h*2+d])
	}
	k := values{past.shape[1:], past.list[:24]}.joined(heads)
	v := values{past.shape[1:], past.list[24:]}.joined(heads)
	square := values{[]int{2, 1, 6, 6}, make([]float64, 72)}
	for n := range square.list {
		square.list[n] = float64((n*n/5 + n) % 2)
	}
	y := naive(heads, k, v, func(b, _, i, j int, s float64) float64 {
		return s + fillUnless(square.at(b, 0, 3+i, j) == 1)
	})
	c := newCase(t, "Attention", map[string]any{"num_heads": 2}).
		in("input", "float32", x).in("weights", "float32", identity).in("past", "float32", past).
		in("mask_index", "int32", square).out("output", "float32", y.merged()).
		out("present", "float32", values{[]int{2, 2, 2, 5, 2}, append(append([]float64{}, k.list...), v.list...)})
	c.passes()
}

func TestGroupQueryAttention(t *testing.T) {
	attributes := func(more map[string]any) map[string]any {
		all := map[string]any{"num_heads": 4, "kv_num_heads": 2}
		for name, value := range more {
			all[name] = value
		}
		return all
	}
	q, k, v := noise(1, 2, 4, 2, 8), noise(2, 2, 2, 2, 8), noise(3, 2, 2, 2, 8)
	pastK, pastV := noise(4, 2, 2, 5, 8), noise(5, 2, 2, 5, 8)
	past := []int{5, 3} // the entries' own pasts, in caches of five
	whole := func(cache, fresh values) values {
		out := cache.joined(fresh)
		for h := range 2 {
			for d := range 8 {
				for i := range 2 { // entry 1 is written behind its own three
					out.list[((2+h)*7+3+i)*8+d] = fresh.at(1, h, i, d)
				}
				out.list[((2+h)*7+5)*8+d], out.list[((2+h)*7+6)*8+d] = 0, 0
			}
		}
		copyBack(out, cache, fresh)
		return out
	}
	allK, allV := whole(pastK, k), whole(pastV, v)
	step := func(t *testing.T, more map[string]any, score func(b, h, i, j int, s float64) float64) *caseFile {
		t.Helper()
		return newCase(t, "GroupQueryAttention", attributes(more)).
			in("query", "float32", q.merged()).in("key", "float32", k.merged()).in("value", "float32", v.merged()).
			in("past_key", "float32", pastK).in("past_value", "float32", pastV).
			in("seqlens_k", "int32", list([]int{2}, 6, 4)).in("total_sequence_length", "int32", list([]int{1}, 7)).
			out("output", "float32", naive(q, allK, allV, score).merged()).
			out("present_key", "float32", allK).out("present_value", "float32", allV)
	}
	causal := func(b, _, i, j int, s float64) float64 { return allow(s, j <= past[b]+i) }
	t.Run("own pasts", func(t *testing.T) { step(t, nil, causal).passes() })
	t.Run("window counts the query's key", func(t *testing.T) {
		step(t, map[string]any{"local_window_size": 3}, func(b, _, i, j int, s float64) float64 {
			return allow(s, j <= past[b]+i && j > past[b]+i-3)
		}).passes()
	})
	t.Run("not causal", func(t *testing.T) {
		step(t, map[string]any{"causal": 0}, func(b, _, _, j int, s float64) float64 { return allow(s, j < past[b]+2) }).passes()
	})
	t.Run("softcap and bias", func(t *testing.T) {
		extra := noise(6, 2, 1, 2, 7)
		step(t, map[string]any{"softcap": 0.5, "scale": 0.125}, func(b, h, i, j int, s float64) float64 {
			return causal(b, h, i, j, 0.5*math.Tanh(s*math.Sqrt(8)*0.125/0.5)+extra.at(b, 0, i, j))
		}).in("attention_bias", "float32", extra).passes()
	})
	t.Run("packed prompt", func(t *testing.T) {
		y := naive(q, k, v, func(_, _, i, j int, s float64) float64 { return allow(s, j <= i) })
		newCase(t, "GroupQueryAttention", attributes(nil)).
			in("query", "float32", beside(q.merged(), k.merged(), v.merged())).
			in("seqlens_k", "int32", list([]int{2}, 1, 1)).in("total_sequence_length", "int32", list([]int{1}, 2)).
			out("output", "float32", y.merged()).out("present_key", "float32", k).out("present_value", "float32", v).passes()
	})
}

// copyBack restores what follows entry 1's new keys where the cache has them.
func copyBack(out, cache, fresh values) {
	for h := range 2 {
		for i := 3 + fresh.shape[2]; i < cache.shape[2]; i++ {
			for d := range 8 {
				out.list[((2+h)*7+i)*8+d] = cache.at(1, h, i, d)
			}
		}
	}
}
