package verify

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// TestTruncationIsCaught rounds outputs towards zero instead of to nearest.
func TestTruncationIsCaught(t *testing.T) {
	for _, name := range []string{"type-f16-lq29", "type-bf16-lq29"} {
		d := solved(t, name)
		shape := d.Out.O.Shape()
		exact := attention.Zeros(attention.Float32, shape[:]...)
		call, err := attention.NewCall(d.Case.Options, d.In, attention.Outputs{O: exact})
		require.NoError(t, err)
		compute(t, call)
		each(exact.Shape(), func(b, h, i, x int) {
			value := exact.At(b, h, i, x)
			d.Out.O.Set(b, h, i, x, value)
			if rounded := d.Out.O.At(b, h, i, x); math.Abs(rounded) > math.Abs(value) {
				d.Out.O.Uint16s()[d.Out.O.Index(b, h, i, x)]-- // the next number nearer to zero
			}
		})
		_, err = d.Check()
		require.ErrorIs(t, err, ErrMismatch, name)
	}
}

func TestLowPair(t *testing.T) {
	round := storages[attention.BFloat16].round
	for _, c := range []struct {
		name           string
		out, naive, at []float64
		pass           bool
	}{
		{"as good as the naive", []float64{1.01, 2.01}, []float64{1.01, 1.99}, []float64{1, 2}, true},
		{"maximum too large", []float64{1.1, 2}, []float64{1.01, 1.97}, []float64{1, 2}, false},
		{"mean too large", []float64{1.01, 2.01}, []float64{1.0, 1.99}, []float64{1, 2}, false},
		{"naive overflowed and is left out", []float64{9, 2}, []float64{nan, 1.99}, []float64{1, 2}, true},
		{"NaN", []float64{nan, 2}, []float64{1.01, 1.99}, []float64{1, 2}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s lowSums
			for n, out := range c.out {
				s.add(out, c.naive[n], c.at[n], 1e-7, round)
			}
			require.Equal(t, c.pass, s.pair(attention.BFloat16).Pass(), "%v", s.pair(attention.BFloat16))
		})
	}
	require.True(t, LowPair{}.Pass())
	none := lowSums{}
	none.add(1, nan, 1, 0, round)
	require.False(t, none.pair(attention.Float16).Applied)
}

func TestStorageCompare(t *testing.T) {
	for _, c := range []struct {
		name             string
		dtype            attention.DType
		got, want, bound float64
		ok               bool
	}{
		{"half an ULP of f16", attention.Float16, 1, 1 + 0x1p-11, 0, true},
		{"more than half an ULP of f16", attention.Float16, 1, 1 + 0x1.8p-11, 0, false},
		{"half an ULP of bf16", attention.BFloat16, 1, 1 + 0x1p-8, 0, true},
		{"more than half an ULP of bf16", attention.BFloat16, 1, 1 + 0x1.8p-8, 0, false},
		{"float32 has no more than its bound", attention.Float32, 1, 1 + 0x1p-24, 0, false},
		{"smallest f16", attention.Float16, 0, 0x1p-25, 0, true},
		{"f16 overflows", attention.Float16, inf, 65520, 0, true},
		{"f16 must overflow", attention.Float16, 65504, 70000, 1, false},
		{"f16 may overflow", attention.Float16, inf, 65519, 2, true},
		{"f16 need not overflow", attention.Float16, 65504, 65519, 2, true},
		{"f16 must not overflow", attention.Float16, inf, 65000, 2, false},
		{"overflow of the wrong sign", attention.Float16, negInf, 70000, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := storages[c.dtype].compare(Element{Got: c.got, Want: c.want, Bound: c.bound}, false)
			require.Equal(t, c.ok, e.Quotient <= 1, "%v", e)
		})
	}
	require.Greater(t, storages[attention.Float16].compare(Element{Got: 1e-7, Want: 0, Bound: 1}, true).Quotient, 1.0, "an empty row is exactly 0")
}
