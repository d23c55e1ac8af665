package cpu

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/mutate"
)

func shape(b, hq, hkv, lq, lk, d, dv int) attention.Shape {
	return attention.Shape{Batch: b, Heads: hq, KVHeads: hkv, QueryLen: lq, KeyLen: lk, Dim: d, ValueDim: dv}
}

const (
	f16  = attention.Float16
	bf16 = attention.BFloat16
	f32  = attention.Float32
)

// table is problems around every edge of the cut: tiles of 64 keys, blocks of
// 64 rows, panels of 4 rows, splits of 512 keys, packing up to 16 queries.
var table = []struct {
	name string
	spec spec
}{
	{"one of everything", spec{shape: shape(1, 1, 1, 1, 1, 1, 1)}},
	{"no keys", spec{shape: shape(2, 2, 1, 3, 0, 4, 5)}},
	{"no queries", spec{shape: shape(1, 2, 1, 0, 5, 4, 4)}},
	{"no batch", spec{shape: shape(0, 2, 1, 4, 5, 4, 4)}},
	{"prefill, exact tiles", spec{shape: shape(1, 2, 2, 128, 128, 64, 64)}},
	{"prefill, odd sizes", spec{shape: shape(2, 3, 3, 67, 131, 31, 17)}},
	{"prefill, last panel of one row", spec{shape: shape(1, 1, 1, 65, 65, 8, 9)}},
	{"prefill, narrow", spec{shape: shape(1, 2, 1, 33, 70, 1, 1)}},
	{"prefill, wide", spec{shape: shape(1, 1, 1, 20, 70, 576, 512)}},
	{"prefill, groups", spec{shape: shape(2, 6, 2, 40, 90, 16, 24)}},
	{"prefill, causal top-left", spec{shape: shape(1, 2, 1, 130, 100, 16, 16), options: attention.Options{Causal: attention.TopLeft}}},
	{"prefill, causal bottom-right", spec{shape: shape(1, 2, 1, 100, 230, 16, 16), options: attention.Options{Causal: attention.BottomRight}}},
	{"prefill, causal, more queries than keys", spec{shape: shape(1, 1, 1, 150, 70, 16, 16), options: attention.Options{Causal: attention.BottomRight}}},
	{"prefill, offsets", spec{shape: shape(3, 1, 1, 80, 200, 8, 8), options: attention.Options{Causal: attention.PerBatch}, offsets: []int{-30, 7, 500}}},
	{"prefill, window", spec{shape: shape(1, 2, 2, 150, 150, 16, 16), options: attention.Options{Window: attention.Window{Left: 3, Right: 1, Align: attention.TopLeft}}}},
	{"prefill, window and causal", spec{shape: shape(1, 2, 2, 90, 290, 16, 16), options: attention.Options{Causal: attention.BottomRight, Window: attention.Window{Left: 100, Right: -1, Align: attention.BottomRight}}}},
	{"prefill, lengths", spec{shape: shape(4, 2, 1, 70, 140, 8, 8), lengths: []int{0, 1, 64, 140}, options: attention.Options{Causal: attention.BottomRight}}},
	{"prefill, mask", spec{shape: shape(2, 2, 2, 70, 140, 8, 8), masked: true}},
	{"prefill, bias", spec{shape: shape(2, 2, 2, 70, 140, 8, 8), bias: f32, biasHoles: true}},
	{"prefill, bias for all heads and rows", spec{shape: shape(2, 2, 2, 70, 140, 8, 8), bias: bf16, biasShape: []int{2, 1, 1, 140}}},
	{"prefill, bias for all keys", spec{shape: shape(2, 2, 2, 70, 140, 8, 8), bias: f16, biasShape: []int{70, 1}}},
	{"prefill, softcap and scale", spec{shape: shape(1, 2, 2, 70, 140, 8, 8), options: attention.Options{Softcap: 2, Scale: 3}, masked: true}},
	{"prefill, negative scale", spec{shape: shape(1, 1, 1, 70, 70, 8, 8), options: attention.Options{Scale: -0.5}}},
	{"prefill, tiny scale", spec{shape: shape(1, 1, 1, 70, 70, 8, 8), options: attention.Options{Scale: 1e-9}}},
	{"prefill, peaked", spec{shape: shape(1, 1, 1, 70, 300, 32, 8), spread: 60}},
	{"prefill, everything", spec{shape: shape(2, 4, 2, 70, 140, 12, 9), q: bf16, k: f16, v: bf16, o: f32, bias: f16, biasHoles: true, masked: true,
		lengths: []int{100, 140}, offsets: []int{3, 60}, strided: true,
		options: attention.Options{Causal: attention.PerBatch, Window: attention.Window{Left: 50, Right: 0, Align: attention.PerBatch}, Softcap: 5, Scale: 0.3}}},
	{"decode", spec{shape: shape(1, 4, 4, 1, 1030, 64, 64)}},
	{"decode, groups", spec{shape: shape(2, 8, 2, 1, 700, 32, 40), options: attention.Options{Causal: attention.BottomRight}}},
	{"decode, group of five", spec{shape: shape(1, 10, 2, 1, 513, 7, 3), lengths: []int{512}}},
	{"decode, many rows", spec{shape: shape(1, 12, 1, 7, 600, 16, 16), options: attention.Options{Causal: attention.BottomRight}}},
	{"decode, everything", spec{shape: shape(3, 6, 2, 3, 1100, 24, 17), q: f16, k: bf16, v: f16, bias: f32, biasHoles: true, masked: true,
		lengths: []int{0, 513, 1100}, strided: true, options: attention.Options{Softcap: 3, Window: attention.Window{Left: 600, Right: -1, Align: attention.BottomRight}}}},
	{"decode, peaked", spec{shape: shape(1, 2, 1, 1, 2000, 32, 8), spread: 60}},
	{"strided", spec{shape: shape(2, 2, 2, 20, 70, 8, 8), strided: true}},
}

func TestBackendAgainstReference(t *testing.T) {
	backend, oracle := New(Options{}), NewReference()
	for _, c := range table {
		t.Run(c.name, func(t *testing.T) {
			c.spec.lse = true
			call := makeCall(t, c.spec)
			run(t, backend, call)
			want := recall(t, call, false)
			run(t, oracle, want)
			requireClose(t, want.Out.O, call.Out.O, 2e-5)
			requireClose(t, want.Out.LSE, call.Out.LSE, 2e-5)
		})
	}
}

// requireClose compares element by element; zeros of empty rows, infinities
// and NaN must be met exactly.
func requireClose(t *testing.T, want, got attention.Tensor, tolerance float64) {
	t.Helper()
	each(want, func(b, h, i, d int) {
		x, y := want.At(b, h, i, d), got.At(b, h, i, d)
		if !agree(x, y, tolerance) {
			require.FailNowf(t, "too far", "[%d,%d,%d,%d]: want %v, got %v", b, h, i, d, x, y)
		}
	})
}

func agree(want, got, tolerance float64) bool {
	if math.IsNaN(want) || math.IsInf(want, 0) {
		return math.IsNaN(want) && math.IsNaN(got) || want == got
	}
	return math.Abs(want-got) <= tolerance*max(1, math.Abs(want))
}

func TestBackendExactRows(t *testing.T) { testExactRows(t, New(Options{})) }

// TestHalfOutputsAreRounded allows half a unit in the last place and a little for
// float32 arithmetic, which cutting off the last bits would exceed.
func TestHalfOutputsAreRounded(t *testing.T) {
	for _, backend := range []attention.Backend{New(Options{}), NewReference()} {
		for dtype, half := range map[attention.DType]float64{f16: 0x1p-11, bf16: 0x1p-8} {
			call := makeCall(t, spec{shape: shape(1, 2, 1, 20, 70, 8, 9), o: dtype, strided: true})
			run(t, backend, call)
			var row Row
			each(call.Out.O, func(b, h, i, d int) {
				ReferenceRow(call, b, h, i, &row)
				want, got := row.O[d], call.Out.O.At(b, h, i, d)
				_, exponent := math.Frexp(want)
				require.InDelta(t, want, got, half*math.Ldexp(1, exponent-1)+1e-6, "%s %v", backend.Name(), dtype)
			})
		}
	}
}

// TestMaskedNaNStaysOut masks key 70 for every second row only, and fills its K
// and V with NaN and Inf: rows that see it are NaN, the others as without it.
func TestMaskedNaNStaysOut(t *testing.T) {
	for _, lq := range []int{5, 70} { // packed and not
		for _, poison := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			s := spec{shape: shape(1, 2, 2, lq, 150, 8, 8), masked: true, lse: true}
			clean := makeCall(t, s)
			mask := clean.In.Mask
			each(mask, func(b, h, i, j int) {
				if j == 70 {
					mask.Set(b, h, i, j, float64(i%2))
				}
			})
			run(t, New(Options{}), clean)
			dirty := recall(t, clean, false)
			for h := range 2 {
				for d := range 8 {
					dirty.In.K.Set(0, h, 70, d, math.NaN())
					dirty.In.V.Set(0, h, 70, d, poison)
				}
			}
			run(t, New(Options{}), dirty)
			each(clean.Out.O, func(b, h, i, d int) {
				got := dirty.Out.O.At(b, h, i, d)
				if i%2 == 0 {
					require.InDelta(t, clean.Out.O.At(b, h, i, d), got, 1e-6)
				} else {
					require.True(t, math.IsNaN(got), "row %d sees the NaN", i)
				}
			})
		}
	}
}

func TestInfiniteValueOfSomeRows(t *testing.T) {
	call := makeCall(t, spec{shape: shape(1, 1, 1, 70, 70, 8, 3), options: attention.Options{Causal: attention.TopLeft}})
	call.In.V.Set(0, 0, 40, 1, math.Inf(1))
	run(t, New(Options{}), call)
	for i := range 70 {
		require.Equal(t, i >= 40, math.IsInf(call.Out.O.At(0, 0, i, 1), 1), "row %d", i)
		require.False(t, math.IsInf(call.Out.O.At(0, 0, i, 0), 0) || math.IsNaN(call.Out.O.At(0, 0, i, 0)))
	}
}

// TestViews runs layouts that reach the tensors by strides: [B,L,H,D], packed
// QKV, values broadcast over heads and keys, reversed sequences.
func TestViews(t *testing.T) {
	plain := makeCall(t, spec{shape: shape(1, 2, 2, 20, 20, 8, 8)})
	packed := attention.Zeros(f32, 20, 3, 2, 8)
	view := func(part int) attention.Tensor {
		return packed.WithStrides([4]int{1, 2, 20, 8}, [4]int{960, 8, 48, 1}, part*16)
	}
	reversed := func(t attention.Tensor) attention.Tensor { // keys from last to first, one by one
		s := t.Strides()
		return t.WithStrides(t.Shape(), [4]int{s[0], s[1], -s[2], s[3]}, t.Index(0, 0, 19, 0))
	}
	broadcast := plain.In.V.Slice(attention.AxisHead, 0, 1).Slice(attention.AxisSequence, 3, 4).BroadcastTo([4]int{1, 2, 20, 8})
	for part, from := range []attention.Tensor{plain.In.Q, plain.In.K, plain.In.V} {
		each(from, func(b, h, i, d int) { view(part).Set(b, h, i, d, from.At(b, h, i, d)) })
	}
	for name, in := range map[string]attention.Inputs{
		"packed":    {Q: view(0), K: view(1), V: view(2)},
		"reversed":  {Q: plain.In.Q, K: reversed(plain.In.K), V: reversed(plain.In.V)},
		"broadcast": {Q: plain.In.Q, K: plain.In.K, V: broadcast},
	} {
		t.Run(name, func(t *testing.T) {
			got := recall(t, &attention.Call{Problem: plain.Problem, In: in}, true)
			run(t, New(Options{}), got)
			want := recall(t, got, false)
			run(t, NewReference(), want)
			requireClose(t, want.Out.O, got.Out.O, 2e-5)
		})
	}
}

// TestMutationsShow runs the table with each planted mistake: some case must
// notice. It guards the hook that the conformance suite relies on.
func TestMutationsShow(t *testing.T) {
	caught := map[mutate.Kind]int{}
	for _, c := range table {
		if c.spec.shape.Dim > 64 {
			continue // wide rows are slow and no mistake is about width
		}
		call := makeCall(t, c.spec)
		want := recall(t, call, false)
		run(t, NewReference(), want)
		for _, kind := range mutate.All() {
			run(t, NewMutated(kind), call)
			wrong := false
			each(want.Out.O, func(b, h, i, d int) {
				wrong = wrong || !agree(want.Out.O.At(b, h, i, d), call.Out.O.At(b, h, i, d), 2e-5)
			})
			if wrong {
				caught[kind]++
			}
		}
	}
	for _, kind := range mutate.All() {
		require.NotZero(t, caught[kind], kind.String())
	}
}

func TestPlanNamesItsKernel(t *testing.T) {
	for lq, want := range map[int]string{1: " rows rows=32 keys=512 packed split=512", 12: " panels rows=32 keys=256 packed split=512", 100: " panels rows=32 keys=256"} {
		call := makeCall(t, spec{shape: shape(1, 3, 1, lq, 100, 2, 2)})
		plan, err := New(Options{Threads: 2}).Plan(t.Context(), call.Problem)
		require.NoError(t, err)
		require.Equal(t, "cpu "+New(Options{}).set.For(2).Name+want, plan.String())
	}
}
