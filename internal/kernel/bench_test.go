package kernel

import (
	"fmt"
	"testing"
)

// BenchmarkPanel gives each panel kernel's rate on one tile that lies in the
// first two levels of the cache.
func BenchmarkPanel(b *testing.B) {
	const keys = 128
	for _, s := range sets() {
		for _, dim := range []int{64, 128} {
			q, k, v := numbers(dim*s.Lanes), numbers(keys*dim), numbers(keys*dim)
			scores, out := numbers(keys*s.Lanes), numbers(dim*s.Lanes)
			state := make([]float32, 4*s.Lanes)
			report := func(b *testing.B) {
				b.ReportMetric(float64(2*keys*dim*s.Lanes)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			}
			b.Run(fmt.Sprintf("kernel=scores/set=%s/d=%d", s.Name, dim), func(b *testing.B) {
				for b.Loop() {
					s.Scores(scores, q, k, dim, dim, keys)
				}
				report(b)
			})
			b.Run(fmt.Sprintf("kernel=values/set=%s/d=%d", s.Name, dim), func(b *testing.B) {
				for b.Loop() {
					s.Values(out, dim, state, scores, v, dim, keys, dim, nil)
				}
				report(b)
			})
			if dim == 64 {
				b.Run(fmt.Sprintf("kernel=weigh/set=%s", s.Name), func(b *testing.B) {
					for b.Loop() {
						s.Weigh(scores, keys, keys, state[:s.Lanes], state[s.Lanes:2*s.Lanes], state[2*s.Lanes:])
					}
				})
			}
		}
	}
}

// BenchmarkRows gives each row kernel's rate on a tile of keys or values that
// lies in the second level of the cache, in bytes of it a second.
func BenchmarkRows(b *testing.B) {
	const count, width = 64, 128
	for _, s := range sets() {
		for _, rows := range []int{1, 4} {
			for _, half := range []bool{false, true} {
				m, bytes := Rows{Float32s: numbers(count * width), Stride: width}, 4
				if half {
					m, bytes = Rows{Uint16s: make([]uint16, count*width), Stride: width}, 2
				}
				queries, scores := numbers(rows*width), numbers(rows*count)
				name := fmt.Sprintf("set=%s/rows=%d/half=%v", s.Name, rows, half)
				b.Run("kernel=dots/"+name, func(b *testing.B) {
					b.SetBytes(int64(count * width * bytes))
					for b.Loop() {
						s.Dots(scores, count, queries, width, rows, m, width, count)
					}
				})
				b.Run("kernel=mix/"+name, func(b *testing.B) {
					b.SetBytes(int64(count * width * bytes))
					for b.Loop() {
						s.Mix(queries, width, scores, count, rows, m, width, count)
					}
				})
			}
		}
		b.Run("kernel=weighrow/set="+s.Name, func(b *testing.B) {
			scores, state := numbers(count), []float32{0, 0, 0}
			for b.Loop() {
				s.WeighRow(scores, state[:1], state[1:2], state[2:])
			}
		})
	}
}
