package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

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
		{"negative", Exp, -87, -1e-9, 1.1},
		{"positive", Exp, 1e-9, 88, 1.1},
		{"subnormal", Exp, -103.9, -87.0001, 1.5},
	} {
		most, where := worst(c.f, math.Exp, c.low, c.high, 257)
		t.Logf("%s: %.3f ulp at %v", c.name, most, where)
		require.LessOrEqual(t, most, c.limit, "%s at %v", c.name, where)
	}
	require.Equal(t, float32(1), Exp(0))
	require.Equal(t, float32(0), Exp(negativeInf))
	require.Equal(t, float32(0), Exp(-105))
	require.True(t, math.IsNaN(float64(Exp(float32(math.NaN())))))
}
