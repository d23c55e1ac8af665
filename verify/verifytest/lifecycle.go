package verifytest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/verify"
)

// RunLifecycle tests what a backend promises beside numbers: concurrent use,
// cancellation in bounded time, and ErrClosed with outputs untouched after Close.
func RunLifecycle(t *testing.T, open func(t *testing.T) attention.Backend) {
	t.Helper()
	t.Run("concurrent", func(t *testing.T) { concurrent(t, open(t)) })
	t.Run("shared-plan", func(t *testing.T) { sharedPlan(t, open(t)) })
	t.Run("cancelled-before", func(t *testing.T) { cancelledBefore(t, open(t)) })
	t.Run("cancelled-during", func(t *testing.T) { cancelledDuring(t, open(t)) })
	t.Run("closed", func(t *testing.T) { closed(t, open(t)) })
}

const goroutines = 8

func named(t *testing.T, name string) verify.Case {
	t.Helper()
	c, ok := verify.CaseNamed(name)
	require.True(t, ok, name)
	return c
}

// concurrent runs cases of different shapes on one backend from many goroutines,
// each in an order of its own.
func concurrent(t *testing.T, backend attention.Backend) {
	var cases []verify.Case
	for _, name := range []string{"length-square-65", "option-causal-bottom-right-d64", "option-lengths-d64", "everything-d16-lq35", "heads-12-3-lq19", "batch-0", "type-bf16-lq29"} {
		cases = append(cases, named(t, name))
	}
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			for n := range cases {
				c := cases[(n*(1+g%3)+g)%len(cases)]
				if err := verify.RunCase(t.Context(), backend, c); !errors.Is(err, attention.ErrUnsupported) {
					assert.NoError(t, err)
				}
			}
		})
	}
	group.Wait()
}

// sharedPlan runs one plan from many goroutines at once; all want the same bits.
func sharedPlan(t *testing.T, backend attention.Backend) {
	c := named(t, "option-causal-window-d64")
	first, err := verify.Build(c)
	require.NoError(t, err)
	plan := planOrSkip(t, backend, first.Call.Problem)
	require.NoError(t, plan.Run(t.Context(), first.Call))
	_, err = first.Check()
	require.NoError(t, err)
	want := first.Snapshot()
	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			mine, err := verify.Build(c)
			if assert.NoError(t, err) && assert.NoError(t, plan.Run(t.Context(), mine.Call)) {
				assert.NoError(t, errors.Join(mine.CheckSame(want), mine.CheckBytes()))
			}
		})
	}
	group.Wait()
}

func cancelledBefore(t *testing.T, backend attention.Backend) {
	data, err := verify.Build(named(t, "option-causal-bottom-right-d64"))
	require.NoError(t, err)
	plan := planOrSkip(t, backend, data.Call.Problem)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, plan.Run(ctx, data.Call), context.Canceled)
	_, err = backend.Plan(ctx, data.Call.Problem)
	if err != nil { // a plan may be ready already
		require.ErrorIs(t, err, context.Canceled)
	}
	require.NoError(t, data.CheckBytes())
	data.Blank()
	require.NoError(t, plan.Run(t.Context(), data.Call), "a cancelled run must not spoil the plan")
	_, err = data.Check()
	require.NoError(t, err)
}

const (
	cancelAfter  = 5 * time.Millisecond
	cancelWithin = 5 * time.Second // of the cancellation; many times what a tile or a dispatch takes
	maxCancelLen = 8192
)

// cancelledDuring cancels runs of growing size until one is cut short.
func cancelledDuring(t *testing.T, backend attention.Backend) {
	for length := 512; length <= maxCancelLen; length *= 2 {
		data, err := verify.Build(verify.Case{Name: "cancel", Seed: uint64(length),
			Shape: attention.Shape{Batch: 1, Heads: 4, KVHeads: 4, QueryLen: length, KeyLen: length, Dim: 64, ValueDim: 64}})
		require.NoError(t, err)
		plan := planOrSkip(t, backend, data.Call.Problem)
		ctx, cancel := context.WithTimeout(t.Context(), cancelAfter)
		started := time.Now()
		err = plan.Run(ctx, data.Call)
		elapsed := time.Since(started)
		cancel()
		require.LessOrEqual(t, elapsed, cancelAfter+cancelWithin, "%d queries and keys: cancellation was not noticed in time", length)
		require.NoError(t, data.CheckBytes())
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			t.Logf("%d queries and keys: returned %v after the cancellation", length, elapsed-cancelAfter)
			return
		}
	}
	t.Logf("runs of up to %d queries and keys ended before the cancellation took effect", maxCancelLen)
}

func closed(t *testing.T, backend attention.Backend) {
	data, err := verify.Build(named(t, "option-causal-bottom-right-d64"))
	require.NoError(t, err)
	p := data.Call.Problem
	if err := backend.Supports(p); err != nil {
		t.Skip(err)
	}
	plan, err := backend.Plan(t.Context(), p)
	require.NoError(t, err)
	other, err := backend.Plan(t.Context(), p)
	require.NoError(t, err)
	require.NoError(t, other.Close())
	require.ErrorIs(t, other.Run(t.Context(), data.Call), attention.ErrClosed, "a closed plan")
	require.NoError(t, plan.Run(t.Context(), data.Call), "another plan's end is not this one's")
	data.Blank()

	require.NoError(t, backend.Close())
	_, err = backend.Plan(t.Context(), p)
	require.ErrorIs(t, err, attention.ErrClosed)
	require.ErrorIs(t, plan.Run(t.Context(), data.Call), attention.ErrClosed)
	require.NoError(t, errors.Join(data.CheckBlank(), data.CheckBytes()), "a call that is refused must leave the outputs alone")
	for _, again := range []error{plan.Close(), backend.Close()} {
		if again != nil { // closing twice is harmless, and may say so
			require.ErrorIs(t, again, attention.ErrClosed)
		}
	}
}
