package attention

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDTypeNames(t *testing.T) {
	for dtype, want := range map[DType]struct {
		name  string
		size  int
		float bool
	}{NoType: {"none", 0, false}, Float32: {"f32", 4, true}, Float16: {"f16", 2, true}, BFloat16: {"bf16", 2, true},
		Bool: {"bool", 1, false}, Q8_0: {"q8_0", 0, false}, 99: {"dtype(99)", 0, false}} {
		require.Equal(t, want.name, dtype.String())
		require.Equal(t, want.size, dtype.Size())
		require.Equal(t, want.float, dtype.IsFloat())
		parsed, err := ParseDType(want.name)
		if dtype == NoType || dtype == 99 {
			require.ErrorIs(t, err, ErrInvalid)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, dtype, parsed)
	}
	_, err := ParseDType("f64")
	require.ErrorContains(t, err, `"f64" (known: f32, f16, bf16, bool, q8_0)`)
}

// halfValue is the value of a binary16 pattern by its definition.
func halfValue(bits uint16) float64 {
	sign, exponent, fraction := 1-2*float64(bits>>15), int(bits>>10&31), float64(bits&1023)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

func TestFloat16Exhaustively(t *testing.T) {
	for n := range 1 << 16 {
		bits, want := uint16(n), halfValue(uint16(n))
		wide := Float16ToFloat32(bits)
		back := Float32ToFloat16(wide)
		if math.IsNaN(want) {
			require.True(t, math.IsNaN(float64(wide)) && math.IsNaN(halfValue(back)), "%#x", n)
			continue
		}
		if float64(wide) != want || math.Signbit(float64(wide)) != math.Signbit(want) || back != bits {
			t.Fatalf("%#x widens to %g, want %g, and comes back as %#x", n, wide, want, back)
		}
	}
}

func TestBFloat16Exhaustively(t *testing.T) {
	for n := range 1 << 16 {
		wide := BFloat16ToFloat32(uint16(n))
		back := Float32ToBFloat16(wide)
		if wide != wide {
			require.True(t, math.IsNaN(float64(BFloat16ToFloat32(back))), "%#x", n)
			continue
		}
		if math.Float32bits(wide) != uint32(n)<<16 || back != uint16(n) {
			t.Fatalf("%#x widens to %g and comes back as %#x", n, wide, back)
		}
	}
	for _, payload := range []uint32{0x7f800001, 0xff800001, 0x7fffffff, 0x7fc00000} {
		got := BFloat16ToFloat32(Float32ToBFloat16(math.Float32frombits(payload)))
		require.True(t, math.IsNaN(float64(got)), "NaN %#x became %g", payload, got)
	}
}

// TestRounding checks every pair of neighbours: a tie goes to the even one, the
// values beside the tie to the nearer one.
func TestRounding(t *testing.T) {
	for name, c := range map[string]struct {
		widen  func(uint16) float32
		narrow func(float32) uint16
		last   int // the largest finite pattern
	}{
		"f16":  {Float16ToFloat32, Float32ToFloat16, 0x7bff},
		"bf16": {BFloat16ToFloat32, Float32ToBFloat16, 0x7f7f},
	} {
		t.Run(name, func(t *testing.T) {
			for n := range c.last + 1 {
				low, high := c.widen(uint16(n)), c.widen(uint16(n+1))
				step := float64(high) - float64(low)
				if n == c.last { // beyond lies infinity, as if at one more step
					step = float64(low) - float64(c.widen(uint16(n-1)))
				}
				tie := float32(float64(low) + step/2)
				even := uint16(n + n&1)
				below, above := math.Nextafter32(tie, 0), math.Nextafter32(tie, math.MaxFloat32)
				for _, sign := range []uint16{0, 0x8000} {
					signed := func(v float32) float32 {
						if sign != 0 {
							return -v
						}
						return v
					}
					if got := c.narrow(signed(tie)); got != even|sign {
						t.Fatalf("tie %g after %#x became %#x, want %#x", tie, n, got, even|sign)
					}
					if got := c.narrow(signed(below)); got != uint16(n)|sign {
						t.Fatalf("%g below the tie after %#x became %#x", below, n, got)
					}
					if got := c.narrow(signed(above)); got != uint16(n+1)|sign {
						t.Fatalf("%g above the tie after %#x became %#x", above, n, got)
					}
				}
			}
			require.Equal(t, uint16(c.last+1), c.narrow(math.MaxFloat32), "overflow is infinite")
			require.Equal(t, uint16(c.last+1), c.narrow(float32(math.Inf(1))))
			require.Zero(t, c.narrow(0))
			require.Equal(t, uint16(0x8000), c.narrow(float32(math.Copysign(0, -1))))
		})
	}
}

// TestSetRoundsOnce: a float64 just beside a tie must not be pulled onto it by
// passing through float32.
func TestSetRoundsOnce(t *testing.T) {
	for _, dtype := range []DType{Float16, BFloat16} {
		x := Zeros(dtype, 1)
		set := func(v float64) float64 {
			x.Set(0, 0, 0, 0, v)
			return x.At(0, 0, 0, 0)
		}
		step := map[DType]float64{Float16: 0x1p-10, BFloat16: 0x1p-7}[dtype]
		require.Equal(t, 1.0, set(1+step/2))
		require.Equal(t, 1+step, set(1+step/2+0x1p-50))
		require.Equal(t, 1+step, set(1+3*step/2-0x1p-50))
		require.Equal(t, 1+2*step, set(1+3*step/2))
		require.Equal(t, -1-step, set(-1-step/2-0x1p-50))
		require.True(t, math.IsNaN(set(math.NaN())))
		require.True(t, math.IsInf(set(math.MaxFloat64), 1))
		require.True(t, math.IsInf(set(math.Inf(-1)), -1))
		require.Zero(t, set(math.SmallestNonzeroFloat64))
		require.True(t, math.Signbit(set(math.Copysign(0, -1))))
		random := rand.New(rand.NewPCG(5, 6))
		for range 20000 {
			v := random.NormFloat64() * math.Exp2(float64(random.IntN(30)-15))
			got := set(v)
			bits := x.Uint16s()[0]
			for _, other := range []uint16{bits - 1, bits + 1} { // no neighbour is nearer
				x.Uint16s()[0] = other
				if math.Abs(x.At(0, 0, 0, 0)-v) < math.Abs(got-v) {
					t.Fatalf("%v: %v became %v, but %v is nearer", dtype, v, got, x.At(0, 0, 0, 0))
				}
			}
		}
	}
	single := Zeros(Float32, 1)
	single.Set(0, 0, 0, 0, 0.1)
	require.Equal(t, float64(float32(0.1)), single.At(0, 0, 0, 0))
}
