package dispatch

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

func TestCloseWaitsForRunningCalls(t *testing.T) {
	f := newFake("f", 1)
	started, proceed := make(chan struct{}), make(chan struct{})
	f.run = func(context.Context, *attention.Call) error {
		close(started)
		<-proceed
		return nil
	}
	e := open(t, []*fake{f})
	called, closed := make(chan error, 1), make(chan error, 1)
	go func() {
		_, _, err := attend(t.Context(), e, 3, 5)
		called <- err
	}()
	<-started
	go func() { closed <- e.Close() }()
	require.Eventually(t, func() bool {
		_, _, err := attend(t.Context(), e, 3, 5)
		return errors.Is(err, attention.ErrClosed)
	}, 5*time.Second, time.Millisecond, "a closing engine takes no calls")
	select {
	case <-closed:
		t.Fatal("Close did not wait for the running call")
	default:
	}
	require.Zero(t, f.closed.Load())
	close(proceed)
	require.NoError(t, <-called)
	require.NoError(t, <-closed)
	require.EqualValues(t, 1, f.closed.Load())
	require.Zero(t, f.openPlans.Load())
	require.NoError(t, e.Close())
	require.EqualValues(t, 1, f.closed.Load(), "closing twice closes backends once")

	x := e.Explain(problemOf(t, 3, 5))
	require.Empty(t, x.Chosen)
	require.Contains(t, x.Reason, "closed")
}

// stubborn is a backend that fails to close.
type stubborn struct {
	*fake
	close func() error
}

func (s stubborn) Close() error { return s.close() }

func TestCloseReportsEveryFault(t *testing.T) {
	e, err := Open(t.Context(), WithBackends(
		stubborn{newFake("broken", 1), func() error { return errOther }},
		stubborn{newFake("panics", 1), func() error { panic("boom") }},
		newFake("fine", 1)))
	require.NoError(t, err)
	err = e.Close()
	require.ErrorIs(t, err, errOther)
	var panicked *PanicError
	require.ErrorAs(t, err, &panicked)
	require.Equal(t, "panics", panicked.Backend)
	require.Equal(t, err, e.Close())
	fine, ok := e.Backend("fine")
	require.True(t, ok)
	require.EqualValues(t, 1, fine.(*fake).closed.Load())
}

func TestBackends(t *testing.T) {
	first, second := newFake("first", 1), newFake("second", 2)
	e := open(t, []*fake{first, second})
	require.Equal(t, []attention.Backend{first, second}, e.Backends())
	got, ok := e.Backend("second")
	require.True(t, ok)
	require.Same(t, second, got)
	_, ok = e.Backend("third")
	require.False(t, ok)
}

func TestElapsedAndCounters(t *testing.T) {
	f := newFake("f", 1)
	now := newClock()
	f.run = func(context.Context, *attention.Call) error {
		now.Advance(3 * time.Second)
		return nil
	}
	e := open(t, []*fake{f}, WithClock(now.Now))
	_, report, err := attend(t.Context(), e, 3, 5)
	require.NoError(t, err)
	require.Equal(t, 3*time.Second, report.Elapsed)
	counts := e.Counters()
	counts.Backends["f"] = 99 // a copy
	require.Equal(t, Counters{Calls: 1, Reasons: map[Reason]int64{}, Backends: map[string]int64{"f": 1}, Plans: 1}, e.Counters())
}
