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
	c := newTestCall(t, callSpec{batch: 1, heads: 4, kvHeads: 2, lq: 300, lk: 3000, d: 64, options: attention.Options{Causal: attention.BottomRight}})
	long := ownBackend(t, Options{Budget: time.Minute})
	require.NoError(t, runOn(context.Background(), long, c))
	requireRight(t, c)
	whole := outputBits(c)
	require.LessOrEqual(t, long.Counters().Dispatches, int64(2), "the kernel and the merge")

	const budget = 8 * time.Millisecond
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

// TestBudgetAfterAWindow runs a call that sees few keys before one that sees all: what the
// first took says nothing about keys that it skipped.
func TestBudgetAfterAWindow(t *testing.T) {
	b := ownBackend(t, Options{Budget: 5 * time.Millisecond})
	full := newTestCall(t, callSpec{batch: 1, heads: 2, kvHeads: 2, lq: 256, lk: 4096, d: 64})
	dispatches := func(c *attention.Call) int64 {
		before := b.Counters().Dispatches
		require.NoError(t, runOn(context.Background(), b, c))
		return b.Counters().Dispatches - before
	}
	for range 4 {
		dispatches(full)
	}
	usual := dispatches(full)
	require.Greater(t, usual, int64(4))
	lengths := full.In
	lengths.Lengths = []int{30}
	for name, few := range map[string]func() (*attention.Call, error){
		"window": func() (*attention.Call, error) {
			return attention.NewCall(attention.Options{Window: attention.Window{Left: 16, Right: 0, Align: attention.BottomRight}}, full.In, full.Out)
		},
		"lengths": func() (*attention.Call, error) { return attention.NewCall(attention.Options{}, lengths, full.Out) },
	} {
		c, err := few()
		require.NoError(t, err)
		for range 12 {
			dispatches(c)
		}
		require.Greater(t, dispatches(full), usual/3, name)
	}
}
