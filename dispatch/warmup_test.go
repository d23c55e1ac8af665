package dispatch

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// warmFake is a backend that compiles ahead.
type warmFake struct {
	*fake
	warmed []attention.Problem
	err    error
}

func (w *warmFake) Warmup(_ context.Context, problems ...attention.Problem) error {
	w.warmed = append(w.warmed, problems...)
	return w.err
}

func TestWarmupGoesToWhoWouldBeChosen(t *testing.T) {
	gpu, cpu := &warmFake{fake: newFake("gpu", 1)}, newFake("cpu", 2)
	gpu.supports = func(p attention.Problem) error {
		if p.QueryLen == 4 {
			return attention.ErrUnsupported
		}
		return nil
	}
	order := &fixed{}
	e, err := Open(t.Context(), WithBackends(gpu, cpu), WithEstimator(order))
	require.NoError(t, err)
	one, two := problemOf(t, 3, 5), problemOf(t, 4, 5)
	require.NoError(t, e.Warmup(t.Context(), one, two))
	require.Equal(t, []attention.Problem{one.Capacity()}, gpu.warmed)
	require.Zero(t, gpu.runs.Load())

	gpu.err = attention.ErrSelfTest
	require.ErrorIs(t, e.Warmup(t.Context(), one), attention.ErrSelfTest)
	require.ErrorIs(t, e.Warmup(t.Context(), attention.Problem{}), attention.ErrInvalid)
	require.NoError(t, e.Close())
	require.ErrorIs(t, e.Warmup(t.Context(), one), attention.ErrClosed)
}
