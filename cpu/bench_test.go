package cpu

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

var benchmarks = []struct {
	name string
	spec spec
}{
	{"mask=none/b=1/hq=8/hkv=8/q=1024/kv=1024/d=64", spec{shape: shape(1, 8, 8, 1024, 1024, 64, 64)}},
	{"mask=causal/b=1/hq=8/hkv=8/q=1024/kv=1024/d=64", spec{shape: shape(1, 8, 8, 1024, 1024, 64, 64), options: attention.Options{Causal: attention.BottomRight}}},
	{"mask=causal/b=1/hq=8/hkv=8/q=4096/kv=4096/d=128", spec{shape: shape(1, 8, 8, 4096, 4096, 128, 128), options: attention.Options{Causal: attention.BottomRight}}},
	{"mask=none/b=4/hq=16/hkv=16/q=512/kv=512/d=64", spec{shape: shape(4, 16, 16, 512, 512, 64, 64)}},
	{"mask=none/b=1/hq=32/hkv=8/q=1/kv=4096/d=128", spec{shape: shape(1, 32, 8, 1, 4096, 128, 128)}},
	{"mask=none/b=1/hq=32/hkv=8/q=1/kv=4096/d=128/kvtype=f16", spec{shape: shape(1, 32, 8, 1, 4096, 128, 128), k: f16, v: f16}},
	{"mask=none/b=8/hq=32/hkv=8/q=1/kv=4096/d=128", spec{shape: shape(8, 32, 8, 1, 4096, 128, 128)}},
	{"mask=none/b=8/hq=32/hkv=8/q=1/kv=4096/d=128/kvtype=f16", spec{shape: shape(8, 32, 8, 1, 4096, 128, 128), k: f16, v: f16}},
	{"mask=none/b=1/hq=32/hkv=32/q=1/kv=16384/d=128", spec{shape: shape(1, 32, 32, 1, 16384, 128, 128)}},
	{"mask=none/b=1/hq=32/hkv=32/q=1/kv=16384/d=128/kvtype=f16", spec{shape: shape(1, 32, 32, 1, 16384, 128, 128), k: f16, v: f16}},
	{"mask=none/b=1/hq=2/hkv=2/q=512/kv=512/d=256", spec{shape: shape(1, 2, 2, 512, 512, 256, 256)}},
}

func BenchmarkAttention(b *testing.B) {
	for _, bench := range benchmarks {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("backend=cpu/threads=%d/%s", threads, bench.name), func(b *testing.B) {
				call := makeCall(b, bench.spec)
				plan, err := New(Options{Threads: threads}).Plan(b.Context(), call.Problem)
				require.NoError(b, err)
				for b.Loop() {
					require.NoError(b, plan.Run(b.Context(), call))
				}
				flops := float64(call.Problem.FLOPs(call.Pairs())) * float64(b.N)
				b.ReportMetric(flops/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
				b.ReportMetric(float64(call.Problem.Bytes())*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GB/s")
			})
		}
	}
}

// BenchmarkSmallCalls gives the calls a second that many goroutines get out of one
// plan. They should share the processor without loss.
func BenchmarkSmallCalls(b *testing.B) {
	for _, goroutines := range []int{1, 2, 32} {
		b.Run(fmt.Sprintf("goroutines=%d/b=1/hq=8/hkv=8/q=1/kv=128/d=64", goroutines), func(b *testing.B) {
			call := makeCall(b, spec{shape: shape(1, 8, 8, 1, 128, 64, 64)})
			plan, err := New(Options{}).Plan(b.Context(), call.Problem)
			require.NoError(b, err)
			var group sync.WaitGroup
			var left atomic.Int64
			left.Store(int64(b.N))
			for range goroutines {
				own := recall(b, call, false)
				group.Go(func() {
					for left.Add(-1) >= 0 {
						if err := plan.Run(b.Context(), own); err != nil {
							b.Error(err)
						}
					}
				})
			}
			group.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}
