package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSoftcapAccuracy(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, s := range sets() {
		most, where := 0.0, float32(0)
		for _, sign := range []float32{1, -1} {
			for bits, last := math.Float32bits(1e-20), math.Float32bits(20); bits <= last; {
				var x []float32
				for ; len(x) < 4096; bits += 257 {
					x = append(x, sign*math.Float32frombits(bits))
				}
				got := append([]float32(nil), x...)
				s.Softcap(got, 1)
				for n := range got {
					if e := ulps(got[n], math.Tanh(float64(x[n]))); e > most {
						most, where = e, x[n]
					}
				}
			}
		}
		t.Logf("%s: %.3f ulp at %v", s.Name, most, where)
		require.LessOrEqual(t, most, 2.5, s.Name)

		odd := make([]float32, s.Width)
		copy(odd, []float32{inf, -inf, nan, 0, 1e30, -1e30, 25})
		s.Softcap(odd, 50)
		require.Equal(t, []float32{50, -50}, odd[:2], s.Name)
		require.True(t, odd[2] != odd[2], s.Name)
		require.Equal(t, []float32{0, 50, -50}, odd[3:6], s.Name)
		require.InDelta(t, 50*math.Tanh(0.5), odd[6], 1e-5, s.Name)
	}
}

func TestBiasAndExpand(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, s := range sets() {
		scores, bias := random(4*s.Width), random(4*s.Width)
		copy(scores, []float32{nan, inf, 1, 2, 3})
		copy(bias, []float32{-inf, -inf, -inf, -3.4e38, inf})
		want := append([]float32(nil), scores...)
		biasGo(want, bias)
		s.AddBias(scores, bias)
		require.Equal(t, want, scores, s.Name)
		require.Equal(t, []float32{-inf, -inf, -inf, -3.4e38, inf}, scores[:5], s.Name)

		for n := range 3*s.Width + 2 {
			keep, got, want := make([]bool, n), make([]float32, n+1), make([]float32, n+1)
			for i := range keep {
				keep[i] = i%3 != 1
			}
			got[n], want[n] = 7, 7
			s.Expand(got, keep)
			expandGo(want, keep)
			require.Equal(t, want, got, s.Name)
		}
	}
}

func TestFence(t *testing.T) {
	for _, s := range sets() {
		const first, keys = 1000, 37
		scores, low, high := random(keys*s.Lanes+1), make([]int32, s.Lanes), make([]int32, s.Lanes)
		for lane := range low {
			low[lane], high[lane] = int32(first-3+lane), int32(first+keys-9+lane%13)
		}
		low[0], high[0] = 0, 0
		got := append([]float32(nil), scores...)
		s.Fence(got, first, keys, low, high)
		for n, x := range got {
			j, lane := int32(first+n/s.Lanes), n%s.Lanes
			if n < keys*s.Lanes && (j < low[lane] || j >= high[lane]) {
				require.Equal(t, negativeInf, x, "%s key %d lane %d", s.Name, j, lane)
			} else {
				require.Equal(t, scores[n], x, "%s key %d lane %d", s.Name, j, lane)
			}
		}
	}
}

func TestFinite(t *testing.T) {
	for _, s := range sets() {
		const rows = 5
		width := 3 * s.Width
		for _, brain := range []bool{false, true} {
			infinite := uint16(0x7c00)
			if brain {
				infinite = 0x7f80
			}
			long := Rows{Float32s: random(rows * (width + 1)), Stride: width + 1}
			short := Rows{Uint16s: make([]uint16, rows*(width+1)), Brain: brain, Stride: width + 1}
			for n := range short.Uint16s {
				short.Uint16s[n] = uint16(n)&1<<15 | infinite - 1
			}
			// What lies between rows does not count.
			long.Float32s[width], short.Uint16s[width] = float32(math.NaN()), infinite
			require.True(t, s.Finite(long, rows, width), s.Name)
			require.True(t, s.Finite(short, rows, width), s.Name)
			for _, at := range []int{0, width - 1, width + 1, rows*(width+1) - 2} {
				for _, odd := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
					before := long.Float32s[at]
					long.Float32s[at] = odd
					require.False(t, s.Finite(long, rows, width), "%s %d %v", s.Name, at, odd)
					long.Float32s[at] = before
				}
				for _, odd := range []uint16{infinite, infinite | 1<<15, infinite + 1} {
					before := short.Uint16s[at]
					short.Uint16s[at] = odd
					require.False(t, s.Finite(short, rows, width), "%s %d %v", s.Name, at, odd)
					short.Uint16s[at] = before
				}
			}
		}
	}
}

// TestNarrow compares with the portable twin on every number whose lower half is
// near a tie, with both signs.
func TestNarrow(t *testing.T) {
	for _, s := range sets() {
		for _, brain := range []bool{false, true} {
			var src []float32
			for high := range uint32(1 << 16) {
				for _, low := range []uint32{0, 1, 0xfff, 0x1000, 0x1001, 0x3000, 0x7fff, 0x8000, 0x8001, 0xffff} {
					src = append(src, math.Float32frombits(high<<16|low))
				}
			}
			src = src[:len(src)-3] // not whole vectors
			got, want := make([]uint16, len(src)), make([]uint16, len(src))
			s.Narrow(got, src, brain)
			narrowGo(want, src, brain)
			for n, x := range src {
				if x != x {
					require.True(t, isNaN16(got[n], brain), "%s %#08x", s.Name, math.Float32bits(x))
				} else if want[n] != got[n] {
					require.FailNowf(t, "rounding", "%s brain=%v %#08x: want %#04x, got %#04x", s.Name, brain, math.Float32bits(x), want[n], got[n])
				}
			}
		}
	}
}

func isNaN16(bits uint16, brain bool) bool {
	var wide [1]float32
	widenGo(wide[:], Rows{Uint16s: []uint16{bits}, Brain: brain})
	return wide[0] != wide[0]
}

func TestScaleAndStore(t *testing.T) {
	for _, s := range sets() {
		for width := range 5 * s.Width {
			for rows := range 4 {
				padded := roundUp(width, s.Width)
				src, factor := random(rows*padded), random(rows)
				got, want := random(rows*(width+3)), make([]float32, 0)
				want = append(want, got...)
				s.Store(got, width+3, src, padded, factor, width)
				storeGo(want, width+3, src, padded, factor, width)
				require.Equal(t, want, got, "%s %d rows of %d", s.Name, rows, width)
				want = append(want[:0], src...)
				s.Scale(src, padded, factor, padded)
				scaleGo(want, padded, factor, padded)
				require.Equal(t, want, src, "%s %d rows of %d", s.Name, rows, width)
			}
		}
	}
}
