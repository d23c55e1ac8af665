package gpu

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// TestBudget gives dispatches far less time than the call takes: every one of them stays
// under twice the budget, and the bits are those of few long ones. Others use the machine
// too, which may stop any dispatch, so the best of some rounds counts.
func TestBudget(t *testing.T) {
	c := newTestCall(t, callSpec{batch: 1, heads: 4, kvHeads: 2, lq: 600, lk: 6000, d: 64, options: attention.Options{Causal: attention.BottomRight}})
	long := ownBackend(t, Options{Budget: time.Minute})
	require.NoError(t, runOn(context.Background(), long, c))
	whole := outputBits(c)
	require.LessOrEqual(t, long.Counters().Dispatches, int64(2), "the kernel and the merge")
	took := time.Hour
	for range 5 {
		start := time.Now()
		require.NoError(t, runOn(context.Background(), long, c))
		took = min(took, time.Since(start))
	}

	budget := max(took/10, time.Millisecond)
	b := ownBackend(t, Options{Budget: budget})
	best := time.Hour
	for range 10 {
		before := b.Counters().Dispatches
		blank(c)
		require.NoError(t, runOn(context.Background(), b, c))
		require.Equal(t, whole, outputBits(c))
		require.Greater(t, b.Counters().Dispatches-before, int64(4))
		if best = min(best, b.Counters().LongestDispatch); best < 2*budget {
			break
		}
		b.count.longest.Store(0)
	}
	require.Less(t, best, 2*budget)
}

// TestRatesAreOfPairsThatWereComputed: what a dispatch took says nothing about keys that
// causal rule, window or lengths let it skip. A rate that counted them would let the next
// call, which sees all keys, run far beyond the budget.
func TestRatesAreOfPairsThatWereComputed(t *testing.T) {
	in := newTestCall(t, callSpec{batch: 2, heads: 4, kvHeads: 2, lq: 64, lk: 4096, d: 8})
	lengths := in.In
	lengths.Lengths = []int{30, 4000}
	for name, tc := range map[string]struct {
		options attention.Options
		in      attention.Inputs
	}{
		"all":     {attention.Options{}, in.In},
		"window":  {attention.Options{Window: attention.Window{Left: 16, Right: 0, Align: attention.BottomRight}}, in.In},
		"causal":  {attention.Options{Causal: attention.TopLeft}, in.In},
		"lengths": {attention.Options{}, lengths},
	} {
		t.Run(name, func(t *testing.T) {
			call, err := attention.NewCall(tc.options, tc.in, in.Out)
			require.NoError(t, err)
			whole := region{0, 2, 0, 2}
			j := &job{call: call, heads: whole, rows: span{0, 64}, problem: part(call.Problem, whole, span{0, 64}, span{0, 4096})}
			all := cut{batches: 2, heads: 2, rows: 128, splits: 1}
			want := float64(call.Problem.FLOPs(call.Pairs()))
			require.InEpsilon(t, want, j.allowedFLOPs(all, span{0, 4096}), 0.02)
			sum := 0.0
			for _, c := range []cut{{batches: 1, heads: 2, rows: 128}, {batch: 1, batches: 1, heads: 2, rows: 40}, {batch: 1, batches: 1, heads: 2, row: 40, rows: 88}} {
				for key := 0; key < 4096; key += 1024 {
					sum += j.allowedFLOPs(c, span{key, key + 1024})
				}
			}
			require.InEpsilon(t, want, sum, 0.02, "parts")
		})
	}
}
