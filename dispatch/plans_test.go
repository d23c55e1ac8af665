package dispatch

import (
	"context"
	"fmt"
	"math/bits"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

func TestDecodeLoopPlansRarely(t *testing.T) {
	f := newFake("f", 1)
	e := open(t, []*fake{f})
	const steps = 3000
	keys := make([]float32, steps*4)
	for n := 1; n <= steps; n++ {
		in, out := operands(1, 1)
		in.K = attention.NewFloat32(keys[:n*4], 1, 1, n, 4)
		in.V = in.K
		_, err := e.Attend(t.Context(), attention.Options{Causal: attention.BottomRight}, in, out)
		require.NoError(t, err)
	}
	require.EqualValues(t, steps, f.runs.Load())
	require.LessOrEqual(t, f.plans.Load(), int64(bits.Len(steps)))
	require.Equal(t, f.plans.Load(), e.Counters().Plans)
}

func TestPlansAreMadeOnce(t *testing.T) {
	f := newFake("f", 1)
	started := make(chan struct{}, 1)
	proceed := make(chan struct{})
	f.plan = func(context.Context, attention.Problem) error {
		started <- struct{}{}
		<-proceed
		return nil
	}
	e := open(t, []*fake{f})
	errs := make(chan error, 32)
	for range 32 {
		go func() {
			_, _, err := attend(t.Context(), e, 3, 5)
			errs <- err
		}()
	}
	<-started
	close(proceed)
	for range 32 {
		require.NoError(t, <-errs)
	}
	require.EqualValues(t, 1, f.plans.Load())
}

func TestFailedPlansAreNotKept(t *testing.T) {
	f := newFake("f", 1)
	f.plan = func(context.Context, attention.Problem) error { return errOther }
	e := open(t, []*fake{f})
	_, _, err := attend(t.Context(), e, 3, 5)
	require.ErrorIs(t, err, errOther)
	f.plan = nil
	_, _, err = attend(t.Context(), e, 3, 5)
	require.NoError(t, err)
}

func TestEvictionClosesUnusedPlans(t *testing.T) {
	f := newFake("f", 1)
	e := open(t, []*fake{f}, WithPlanLimit(2))
	sizes := []int{64, 128, 256, 512}
	for _, n := range sizes {
		_, _, err := attend(t.Context(), e, 1, n)
		require.NoError(t, err)
	}
	require.EqualValues(t, 2, f.openPlans.Load())
	require.EqualValues(t, 2, e.Counters().Evictions)
	_, _, err := attend(t.Context(), e, 1, 256) // makes 512 the oldest
	require.NoError(t, err)
	_, _, err = attend(t.Context(), e, 1, 64)
	require.NoError(t, err)
	_, _, err = attend(t.Context(), e, 1, 256)
	require.NoError(t, err)
	require.EqualValues(t, 5, f.plans.Load(), "256 was used last and must have stayed")
}

func TestEvictionSparesRunningPlans(t *testing.T) {
	f := newFake("f", 1)
	started, proceed := make(chan struct{}), make(chan struct{})
	f.run = func(_ context.Context, call *attention.Call) error {
		if call.Problem.KeyLen == 64 {
			close(started)
			<-proceed
		}
		return nil
	}
	e := open(t, []*fake{f}, WithPlanLimit(1))
	done := make(chan error)
	go func() {
		_, _, err := attend(t.Context(), e, 1, 64)
		done <- err
	}()
	<-started
	_, _, err := attend(t.Context(), e, 1, 128)
	require.NoError(t, err)
	require.EqualValues(t, 2, f.openPlans.Load(), "the evicted plan is still running")
	close(proceed)
	require.NoError(t, <-done)
	require.EqualValues(t, 1, f.openPlans.Load(), "its last user closes it")
}

func TestAbandonedPlanning(t *testing.T) {
	f := newFake("f", 1)
	started, proceed := make(chan struct{}, 1), make(chan struct{})
	cancelled := make(chan struct{})
	f.plan = func(ctx context.Context, _ attention.Problem) error {
		started <- struct{}{}
		select {
		case <-proceed:
			return nil
		case <-ctx.Done():
			close(cancelled)
			return nil // a plan that comes too late
		}
	}
	e := open(t, []*fake{f})
	leave := func() (context.CancelFunc, chan error) {
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 1)
		go func() {
			_, _, err := attend(ctx, e, 3, 5)
			errs <- err
		}()
		return cancel, errs
	}
	users := func() int {
		e.plans.mu.Lock()
		defer e.plans.mu.Unlock()
		n := 0
		for _, entry := range e.plans.entries {
			n += entry.users
		}
		return n
	}

	cancelFirst, first := leave()
	<-started
	cancelSecond, second := leave()
	require.Eventually(t, func() bool { return users() == 2 }, 5*time.Second, time.Millisecond)
	cancelFirst()
	require.ErrorIs(t, <-first, context.Canceled)
	select {
	case <-cancelled:
		t.Fatal("planning was cancelled although a call waits for it")
	default:
	}
	cancelSecond()
	require.ErrorIs(t, <-second, context.Canceled)
	<-cancelled
	require.Eventually(t, func() bool { return f.openPlans.Load() == 0 }, 5*time.Second, time.Millisecond, "a plan that comes too late is closed")

	close(proceed)
	_, _, err := attend(t.Context(), e, 3, 5)
	require.NoError(t, err)
	require.EqualValues(t, 2, f.plans.Load())
}

func TestCapacityBeyondTheLimits(t *testing.T) {
	tests := map[string]func(f *fake, most int){
		"unsupported": func(f *fake, most int) {
			f.supports = func(p attention.Problem) error {
				if p.KeyLen > most {
					return attention.ErrUnsupported
				}
				return nil
			}
		},
		"out of memory": func(f *fake, most int) {
			f.plan = func(_ context.Context, p attention.Problem) error {
				if p.KeyLen > most {
					return attention.ErrOutOfMemory
				}
				return nil
			}
		},
	}
	for name, limit := range tests {
		t.Run(name, func(t *testing.T) {
			f, other := newFake("f", 1), newFake("other", 2)
			limit(f, 100)
			e := open(t, []*fake{f, other})
			_, report, err := attend(t.Context(), e, 1, 100)
			require.NoError(t, err)
			require.Equal(t, "f", report.Backend)
			require.False(t, report.FellBack)
			_, report, err = attend(t.Context(), e, 1, 101)
			require.NoError(t, err)
			require.Equal(t, "other", report.Backend)
		})
	}
}

func TestManyGoroutines(t *testing.T) {
	first, second := newFake("first", 1), newFake("second", 2)
	var mu sync.Mutex
	seen := 0
	first.run = func(context.Context, *attention.Call) error {
		mu.Lock()
		defer mu.Unlock()
		if seen++; seen%7 == 0 {
			return fmt.Errorf("first: %w", attention.ErrDeviceLost)
		}
		return nil
	}
	now := newClock()
	e := open(t, []*fake{first, second}, WithPlanLimit(3), WithClock(now.Now), WithHook((&log{}).hook))
	var wg sync.WaitGroup
	errs := make(chan error, 32)
	for worker := range 32 {
		wg.Go(func() {
			for step := range 50 {
				now.Advance(100 * time.Millisecond)
				o, report, err := attend(t.Context(), e, 1+worker%3, 1+(worker*53+step*97)%600)
				want := map[string]float64{"first": 1, "second": 2}[report.Backend]
				if err == nil && (want == 0 || o.At(0, 1, worker%3, 3) != want) {
					err = fmt.Errorf("%s left %v", report.Backend, o.At(0, 1, worker%3, 3))
				}
				if err != nil {
					errs <- err
					return
				}
				e.Explain(attention.Problem{})
				e.Counters()
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	counts := e.Counters()
	require.EqualValues(t, 32*50, counts.Calls)
	require.EqualValues(t, 32*50, counts.Backends["first"]+counts.Backends["second"])
	require.Positive(t, counts.Fallbacks)
	require.LessOrEqual(t, first.openPlans.Load()+second.openPlans.Load(), int64(3))
	require.NoError(t, e.Close())
	require.Zero(t, first.openPlans.Load())
	require.Zero(t, second.openPlans.Load())
}
