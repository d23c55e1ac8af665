package kernel

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChecks(t *testing.T) {
	for _, s := range sets() {
		require.NoError(t, s.Check())
	}
	for _, name := range Names {
		s, err := Named(name)
		if err != nil {
			t.Logf("NOT RUN: the kernels of %s, which this processor lacks: %v", name, err)
			continue
		}
		require.Equal(t, name, s.Name)
	}
	_, err := Named("sse")
	require.ErrorContains(t, err, "avx512, avx2, neon, go")
	broken := portable
	broken.scores = func(scores, _, _ []float32, _, _ int, _ groups) { scores[0] = 1 }
	require.ErrorContains(t, broken.Check(), "scores")
}

func random(n int) []float32 {
	list := make([]float32, n)
	for i := range list {
		list[i] = float32(rand.NormFloat64())
	}
	return list
}

func requireNear(t *testing.T, want float64, got float32, scale float64, where ...any) {
	t.Helper()
	require.LessOrEqual(t, math.Abs(want-float64(got)), 1e-5*scale, where)
}

func TestScores(t *testing.T) {
	for _, s := range sets() {
		for _, dim := range []int{1, 2, 3, 4, 5, 8, 31, 64} {
			for n := 1; n <= 27; n++ {
				ld := dim + n%3
				q, k, got := random(dim*s.Lanes), random((n-1)*ld+dim), make([]float32, n*s.Lanes+1)
				got[n*s.Lanes] = 5
				s.Scores(got, q, k, ld, dim, n)
				for j := range n {
					for lane := range s.Lanes {
						var want float64
						for d := range dim {
							want += float64(q[d*s.Lanes+lane]) * float64(k[j*ld+d])
						}
						requireNear(t, want, got[j*s.Lanes+lane], 10, s.Name, dim, n)
					}
				}
				require.Equal(t, float32(5), got[n*s.Lanes])
			}
		}
	}
}

func TestValues(t *testing.T) {
	for _, s := range sets() {
		for vectors := 1; vectors <= 10; vectors++ {
			for keys := range 10 {
				width := vectors * s.Width
				ldv, ldo := width+keys%3, width+vectors%2
				v, w, f := random(keys*ldv), random(keys*s.Lanes), random(s.Lanes)
				out := random(s.Lanes * ldo)
				before := append([]float32(nil), out...)
				var counts []int32
				if (vectors+keys)%3 > 0 { // weights beyond them are 0, and NaN is not met
					counts = make([]int32, s.Lanes/4)
					for n := range counts {
						counts[n] = int32(min(keys, n%4+2*(n%2)))
					}
					for j := range keys {
						for lane := range s.Lanes {
							if j >= int(counts[lane/4]) {
								w[j*s.Lanes+lane] = 0
							}
						}
					}
				}
				s.Values(out, ldo, f, w, v, ldv, keys, width, counts)
				for lane := range s.Lanes {
					for c := range ldo {
						want := float64(before[lane*ldo+c])
						if c < width {
							want *= float64(f[lane])
							for j := range keys {
								want += float64(w[j*s.Lanes+lane]) * float64(v[j*ldv+c])
							}
						}
						requireNear(t, want, out[lane*ldo+c], 10, s.Name, vectors, keys)
					}
				}
			}
		}
	}
}

func TestDotsAndMix(t *testing.T) {
	for _, s := range sets() {
		for _, kind := range []string{"f32", "f16", "bf16", "q8"} {
			for rows := 1; rows <= 7; rows++ {
				for n := 1; n <= 9; n++ {
					width := s.Width * (1 + (rows+n)%10)
					stride := width + n%3
					m := Rows{Stride: stride, Brain: kind == "bf16"}
					wide := random((n-1)*stride + width)
					switch kind {
					case "f32":
						m.Float32s = wide
					case "q8":
						width = Block * (1 + (rows+n)%5)
						stride = width + n%3*Block
						m.Stride, m.Blocks = stride, randomBlocks(((n-1)*stride+width)/Block)
						wide = make([]float32, len(m.Blocks)/BlockBytes*Block)
						widenGo(wide, m)
					default:
						m.Uint16s = make([]uint16, len(wide))
						for i, x := range wide {
							m.Uint16s[i] = uint16(math.Float32bits(x) >> 16)
							if kind == "f16" {
								m.Uint16s[i] = uint16(rand.IntN(0x4000)) | uint16(i%2)<<15
							}
						}
						widenGo(wide, m)
					}
					q, got := random(rows*width), make([]float32, rows*n)
					dim := width - (rows*n)%s.Width // behind it K may be anything, Q is 0
					for r := range rows {
						clear(q[r*width+dim : (r+1)*width])
					}
					if m.Float32s != nil && dim < width {
						for j := range n {
							m.Float32s[j*stride+dim] = float32(math.NaN())
						}
					}
					s.Dots(got, n, q, width, rows, m, dim, n)
					if m.Float32s != nil && dim < width {
						for j := range n {
							m.Float32s[j*stride+dim] = 1
						}
					}
					w, f, out := random(rows*n), random(rows), random(rows*width)
					before := append([]float32(nil), out...)
					s.Scale(out, width, f, width)
					s.Mix(out, width, w, n, rows, m, width, n)
					for r := range rows {
						for j := range n {
							var want float64
							for d := range width {
								want += float64(q[r*width+d]) * float64(wide[j*stride+d])
							}
							requireNear(t, want, got[r*n+j], 50, s.Name, kind, rows, n)
						}
						for c := range width {
							want := float64(before[r*width+c]) * float64(f[r])
							for j := range n {
								want += float64(w[r*n+j]) * float64(wide[j*stride+c])
							}
							requireNear(t, want, out[r*width+c], 10, s.Name, kind, rows, n)
						}
					}
				}
			}
		}
	}
}

func randomBlocks(n int) []byte {
	list := make([]byte, n*BlockBytes)
	for i := range list {
		list[i] = byte(rand.Uint32())
		if i%BlockBytes == 1 {
			list[i] = list[i]&0x80 | 0x20 + list[i]&3 // scales of size 2⁻⁷ to 2⁻⁶, of either sign
		}
	}
	return list
}

func TestWidenBlocks(t *testing.T) {
	for _, s := range sets() {
		for n := range 4*Block + 1 {
			m := Rows{Blocks: randomBlocks(3 * 5), Stride: 5 * Block}
			got, want := make([]float32, n), make([]float32, n)
			s.Widen(got, m, 2)
			widenGo(want, m.From(2))
			require.Equal(t, want, got, "%s %d", s.Name, n)
			for _, odd := range []uint16{0x7c00, 0xfc00, 0x7e00} {
				require.True(t, s.Finite(m, 3, 4*Block), s.Name)
				at := (2*5 + 3) * BlockBytes
				binary.LittleEndian.PutUint16(m.Blocks[at:], odd)
				require.False(t, s.Finite(m, 3, 4*Block), s.Name)
				require.True(t, s.Finite(m, 3, 3*Block), s.Name)
				binary.LittleEndian.PutUint16(m.Blocks[at:], 1)
			}
		}
	}
}

func TestWidenIsExact(t *testing.T) {
	src := make([]uint16, 1<<16)
	for n := range src {
		src[n] = uint16(n)
	}
	for _, s := range sets() {
		for _, brain := range []bool{false, true} {
			got, want := make([]float32, len(src)), make([]float32, len(src))
			s.Widen(got, Rows{Uint16s: src, Brain: brain}, 0)
			widenGo(want, Rows{Uint16s: src, Brain: brain})
			for n := range want {
				if want[n] == want[n] {
					require.Equal(t, math.Float32bits(want[n]), math.Float32bits(got[n]), "%s %#04x", s.Name, n)
				} else {
					require.True(t, got[n] != got[n], "%s %#04x", s.Name, n)
				}
			}
		}
	}
}

// weighed runs the softmax step of a set on the same scores in all lanes.
func weighed(s *Set, before float32, scores []float32) (weights []float32, top, factor, total float32, holes, odd bool) {
	panel, state := make([]float32, len(scores)*s.Lanes), make([]float32, 3*s.Lanes)
	for n := range panel {
		panel[n] = scores[n/s.Lanes]
	}
	for lane := range s.Lanes {
		state[lane] = before
	}
	holes, odd = s.Weigh(panel, len(scores), rand.IntN(len(scores)+1), state[:s.Lanes], state[s.Lanes:2*s.Lanes], state[2*s.Lanes:])
	for j := range scores {
		weights = append(weights, panel[j*s.Lanes+s.Lanes-1])
	}
	return weights, state[s.Lanes-1], state[2*s.Lanes-1], state[3*s.Lanes-1], holes, odd
}

func weighedRow(s *Set, before float32, scores []float32) (weights []float32, top, factor, total float32, holes, odd bool) {
	for len(weights) < len(scores) {
		weights = append(weights, make([]float32, s.Width)...)
	}
	for n := copy(weights, scores); n < len(weights); n++ {
		weights[n] = scores[len(scores)-1]
	}
	state := []float32{before, 0, 0}
	holes, odd = s.WeighRow(weights, state[:1], state[1:2], state[2:])
	return weights[:len(scores)], state[0], state[1], state[2], holes, odd
}

type weigher func(s *Set, before float32, scores []float32) (weights []float32, top, factor, total float32, holes, odd bool)

func TestWeighSpecials(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	payload := math.Float32frombits(0x7fc00001) // must not become a number in the exponent's arithmetic
	for _, s := range sets() {
		for _, weigh := range []weigher{weighed, weighedRow} {
			w, top, factor, total, holes, odd := weigh(s, -inf, []float32{-inf, -inf, -inf})
			require.Equal(t, []uint32{1 << 31, 1 << 31, 1 << 31}, []uint32{math.Float32bits(w[0]), math.Float32bits(w[1]), math.Float32bits(w[2])})
			require.Equal(t, -inf, top)
			require.Zero(t, math.Float32bits(factor))
			require.Zero(t, total)
			require.True(t, holes)
			require.False(t, odd)

			w, top, factor, _, holes, odd = weigh(s, 1, []float32{2, -inf, -500, 2})
			require.Equal(t, []float32{1, 0, 0, 1}, w)
			require.Equal(t, uint32(1<<31), math.Float32bits(w[1]))
			require.Zero(t, math.Float32bits(w[2]), "an allowed weight that vanishes is +0")
			require.Equal(t, float32(2), top)
			require.InDelta(t, math.Exp(-1), factor, 1e-7)
			require.True(t, holes)
			require.False(t, odd)

			_, _, _, _, holes, _ = weigh(s, 0, []float32{-3, -500})
			require.False(t, holes)

			for _, bad := range []float32{nan, inf, payload, -payload} {
				w, top, _, total, _, odd = weigh(s, 0, []float32{1, bad, 2})
				require.True(t, w[1] != w[1], "%s %v", s.Name, bad)
				require.True(t, total != total)
				require.True(t, odd)
				if bad == inf {
					require.Equal(t, inf, top)
				} else {
					require.Equal(t, float32(2), top)
				}
			}
			_, top, _, _, _, odd = weigh(s, nan, []float32{1})
			require.True(t, odd)
			require.True(t, top != top, "a NaN maximum stays")
			_, _, factor, _, _, _ = weigh(s, -inf, []float32{1})
			require.Zero(t, factor)
		}
	}
}

// ulps returns |got − want| in units of the last place of want as a float32.
func ulps(got float32, want float64) float64 {
	_, exponent := math.Frexp(max(math.Abs(want), 0x1p-126))
	return math.Abs(float64(got)-want) / math.Ldexp(1, exponent-24)
}

func TestWeightAccuracy(t *testing.T) {
	for _, s := range sets() {
		most, where, over := 0.0, float32(0), 0.0
		for bits, last := math.Float32bits(-1e-9), math.Float32bits(-87); bits <= last; {
			var scores []float32
			for ; bits <= last && len(scores) < 4096; bits += 257 {
				scores = append(scores, math.Float32frombits(bits))
			}
			weights, _, _, _, _, _ := weighedRow(s, 0, scores)
			for n, x := range scores {
				e := ulps(weights[n], math.Exp(float64(x)))
				most = max(most, e)
				if size := math.Abs(float64(x)); e-size/4 > over {
					over, where = e-size/4, x
				}
			}
		}
		t.Logf("%s: %.3f ulp at most; %.3f + |x|/4 ulp at %v", s.Name, most, over, where)
		require.LessOrEqual(t, over, 1.2, s.Name)
	}
}

func TestTranspose(t *testing.T) {
	for _, s := range sets() {
		for rows := 1; rows <= 17; rows += 4 {
			for columns := 1; columns <= 26; columns++ {
				src, dst := random((rows-1)*(columns+3)+columns), make([]float32, columns*(rows+2))
				s.Transpose(dst, rows+2, src, columns+3, rows, columns, 2)
				for c := range columns {
					for r := range rows {
						require.Equal(t, 2*src[r*(columns+3)+c], dst[c*(rows+2)+r])
					}
					require.Zero(t, dst[c*(rows+2)+rows])
				}
			}
		}
	}
}
