package verify

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	nan    = math.NaN()
	inf    = math.Inf(1)
	negInf = math.Inf(-1)
	negZ   = math.Copysign(0, -1)
)

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		name             string
		got, want, bound float64
		ok               bool
	}{
		{"equal", 1, 1, 0, true},
		{"inside", 1.5, 1, 0.5, true},
		{"below, inside", 0.5, 1, 0.5, true},
		{"outside", 1.51, 1, 0.5, false},
		{"wrong sign", -1, 1, 0.5, false},
		{"minus zero", negZ, 0, 0, true},
		{"zero bound, tiny difference", math.SmallestNonzeroFloat64, 0, 0, false},
		{"negative bound", 1, 1, -1, false},
		{"NaN bound", 1, 1, nan, false},
		{"NaN got", nan, 1, 1e300, false},
		{"NaN got, infinite bound", nan, 1, inf, false},
		{"NaN wanted", nan, nan, 0, true},
		{"NaN wanted, number got", 1, nan, 1e300, false},
		{"NaN wanted, Inf got", inf, nan, inf, false},
		{"Inf wanted", inf, inf, 0, true},
		{"-Inf wanted", negInf, negInf, 0, true},
		{"Inf of the wrong sign", negInf, inf, inf, false},
		{"Inf wanted, large got", math.MaxFloat64, inf, inf, false},
		{"Inf got", inf, 1, 1e300, false},
		{"Inf got, infinite bound", inf, 1, inf, false},
		{"infinite bound, number got", 1e300, 1, inf, true},
		{"Inf wanted, NaN got", nan, inf, inf, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.ok, Within(c.got, c.want, c.bound))
			require.Equal(t, c.ok, Quotient(c.got, c.want, c.bound) <= 1, "the quotient must agree")
		})
	}
}

func TestQuotient(t *testing.T) {
	require.Equal(t, 0.5, Quotient(1.5, 1, 1))
	require.Equal(t, 4.0, Quotient(5, 1, 1))
	require.Equal(t, 0.0, Quotient(nan, nan, 1))
	require.Equal(t, inf, Quotient(nan, 1, 1))
	require.Equal(t, inf, Quotient(1, 0, 0))
	require.Equal(t, inf, Quotient(inf, 1, inf))
	require.Equal(t, inf, Quotient(1, 1, -1))
}
