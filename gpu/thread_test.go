package gpu

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

func nothing() error { return nil }

func TestThreadRunsInOrderOnOneGoroutine(t *testing.T) {
	th := startThread(nil)
	running, count := atomic.Int32{}, 0 // count is guarded by the thread alone
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			err := th.do(context.Background(), func() error {
				if running.Add(1) != 1 {
					return errors.New("two at once")
				}
				count++
				running.Add(-1)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.NoError(t, th.stop(nothing))
	require.Equal(t, 50, count)
}

func TestThreadTurnsPanicsIntoErrors(t *testing.T) {
	th := startThread(nil)
	err := th.do(context.Background(), func() error { panic("planted") })
	require.EqualError(t, err, "gpu: internal error: planted")
	failure := errors.New("its own")
	require.ErrorIs(t, th.do(context.Background(), func() error { return failure }), failure, "the thread goes on")
	require.EqualError(t, th.stop(func() error { panic("last") }), "gpu: internal error: last")
}

func TestThreadStops(t *testing.T) {
	th := startThread(nil)
	release, started := make(chan struct{}), make(chan struct{})
	finished := atomic.Bool{}
	var group sync.WaitGroup
	group.Go(func() {
		_ = th.do(context.Background(), func() error {
			close(started)
			<-release
			finished.Store(true)
			return nil
		})
	})
	<-started
	failure := errors.New("tear down")
	group.Go(func() {
		time.Sleep(10 * time.Millisecond)
		close(release)
	})
	err := th.stop(func() error {
		if !finished.Load() {
			return errors.New("stopped amid work")
		}
		return failure
	})
	require.ErrorIs(t, err, failure)
	require.NoError(t, th.stop(func() error { return errors.New("ran twice") }), "stopping twice does nothing")
	require.ErrorIs(t, th.do(context.Background(), nothing), attention.ErrClosed)
	group.Wait()
}

func TestThreadHonoursContexts(t *testing.T) {
	th := startThread(nil)
	defer func() { require.NoError(t, th.stop(nothing)) }()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, th.do(ctx, func() error { panic("ran") }), context.Canceled)

	release, started := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		_ = th.do(context.Background(), func() error {
			close(started)
			<-release
			return nil
		})
	})
	<-started
	ctx, cancel = context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, th.do(ctx, func() error { panic("ran") }), context.DeadlineExceeded, "while the thread is busy")
	close(release)
	group.Wait()
}
