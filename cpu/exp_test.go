package cpu

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention/internal/kernel"
)

// ulps returns |got − want| in units of the last place of want as a float32.
func ulps(got float32, want float64) float64 {
	size := max(math.Abs(want), 0x1p-126)
	_, exponent := math.Frexp(size)
	return math.Abs(float64(got)-want) / math.Ldexp(1, exponent-24)
}

// worst returns the greatest error of f against exact over every stride-th
// float32 from low to high, which have the same sign.
func worst(f func(float32) float32, exact func(float64) float64, low, high float32, stride uint32) (most float64, where float32) {
	first, last := math.Float32bits(low), math.Float32bits(high)
	if first > last {
		first, last = last, first
	}
	for bits := first; bits <= last; bits += stride {
		x := math.Float32frombits(bits)
		if e := ulps(f(x), exact(float64(x))); e > most {
			most, where = e, x
		}
	}
	return most, where
}

func TestExpAccuracy(t *testing.T) {
	for _, c := range []struct {
		name      string
		f         func(float32) float32
		low, high float32
		limit     float64
	}{
		{"negative", kernel.Exp, -87, -1e-9, 1.1},
		{"positive", kernel.Exp, 1e-9, 88, 1.1},
		{"subnormal", kernel.Exp, -103.9, -87.0001, 1.5},
	} {
		most, where := worst(c.f, math.Exp, c.low, c.high, 257)
		t.Logf("%s: %.3f ulp at %v", c.name, most, where)
		require.LessOrEqual(t, most, c.limit, "%s at %v", c.name, where)
	}
	require.Equal(t, float32(1), kernel.Exp(0))
	require.Equal(t, float32(0), kernel.Exp(negativeInf))
	require.Equal(t, float32(0), kernel.Exp(-105))
	require.True(t, math.IsNaN(float64(kernel.Exp(notANumber32))))
}
