package gpu

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// contender is a kernel as BenchmarkKernels opens it.
type contender struct {
	name string
	opt  Options
}

// contenders are the kernels without blocking, number by number and vec4 by vec4,
// and those of the list.
func contenders(kernels ...Kernel) []contender {
	vec4s := func(v Variant) Tile {
		tile := naiveTile(v.Dim4, v.Value4)
		tile.Chunk = 4
		return tile
	}
	list := []contender{{"naive", Options{Kernel: KernelNaive}}, {"naive-vec4", Options{Kernel: KernelNaive, Tile: vec4s}}}
	for _, k := range kernels {
		list = append(list, contender{k.String(), Options{Kernel: k}})
	}
	return list
}

// BenchmarkKernels times the kernels on the same problems in turn, so that what
// else the machine does hits all alike, and reports by medians the rate of each and
// how many times the rates without blocking it is. Times are those of whole calls:
// packing, upload and download count.
//
//	go test ./gpu -run '^$' -bench BenchmarkKernels -benchtime 15x
func BenchmarkKernels(b *testing.B) {
	prefill := callSpec{batch: 1, heads: 8, kvHeads: 8, lq: 1024, lk: 1024, d: 64}
	wide, causal := prefill, prefill
	wide.d = 128
	causal.options.Causal = attention.BottomRight
	for _, bench := range []struct {
		name    string
		spec    callSpec
		kernels []contender
	}{
		{"prefill-h8-l1024-d64", prefill, contenders(KernelRows, KernelTiled)},
		{"causal-h8-l1024-d64", causal, contenders(KernelRows, KernelTiled)},
		{"prefill-h8-l1024-d128", wide, contenders(KernelRows, KernelTiled)},
		{"decode-h32-kv8-l4096-d128", callSpec{batch: 1, heads: 32, kvHeads: 8, lq: 1, lk: 4096, d: 128}, contenders(KernelRows, KernelDecode)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			call := newTestCall(b, bench.spec)
			var plans []attention.Plan
			for n, k := range bench.kernels {
				backend := sharedBackend(b, "kernels "+k.name, k.opt)
				if n == 0 {
					b.Logf("%s, %s", backend.Device().Renderer, backend.Device().Version)
				}
				plan, err := backend.Plan(context.Background(), call.Problem)
				require.NoError(b, err)
				require.NoError(b, plan.Run(context.Background(), call)) // compiles
				requireRight(b, call)
				plans = append(plans, plan)
			}
			times := make([][]float64, len(plans))
			for b.Loop() {
				for n, plan := range plans {
					start := time.Now()
					require.NoError(b, plan.Run(context.Background(), call))
					times[n] = append(times[n], time.Since(start).Seconds())
				}
			}
			flops := float64(call.Problem.FLOPs(call.Pairs()))
			for n, k := range bench.kernels {
				b.ReportMetric(flops/median(times[n])/1e9, k.name+"-GFLOP/s")
				if n >= 2 {
					b.ReportMetric(median(times[0])/median(times[n]), k.name+"/naive")
					b.ReportMetric(median(times[1])/median(times[n]), k.name+"/naive-vec4")
				}
			}
		})
	}
}

func median(times []float64) float64 {
	slices.Sort(times)
	return times[len(times)/2]
}
