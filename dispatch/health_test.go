package dispatch

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

func TestHealthBackOff(t *testing.T) {
	for _, cause := range []error{attention.ErrDeviceLost, attention.ErrOutOfMemory, attention.ErrSelfTest, attention.ErrUnavailable} {
		t.Run(cause.Error(), func(t *testing.T) {
			gpu, cpu := newFake("gpu", 1), newFake("cpu", 2)
			now, events := newClock(), &log{}
			e := open(t, []*fake{gpu, cpu}, WithClock(now.Now), WithHook(events.hook))
			_, report, err := attend(t.Context(), e, 3, 5)
			require.NoError(t, err)
			require.Equal(t, "gpu", report.Backend)

			gpu.run = func(context.Context, *attention.Call) error { return cause }
			tries := gpu.runs.Load()
			for rest := restMin; rest < 3*restMax; rest *= 2 {
				_, report, err = attend(t.Context(), e, 3, 5)
				require.NoError(t, err)
				require.Equal(t, "cpu", report.Backend)
				require.True(t, report.FellBack)
				tries++
				require.Equal(t, tries, gpu.runs.Load(), "tried again after the rest")
				require.Zero(t, gpu.openPlans.Load(), "plans of a failed device are given up")

				now.Advance(min(rest, restMax) - time.Nanosecond)
				_, report, err = attend(t.Context(), e, 3, 5)
				require.NoError(t, err)
				require.Equal(t, tries, gpu.runs.Load(), "not tried while resting")
				require.True(t, report.FellBack)
				require.Equal(t, Unhealthy, report.Refusals[0].Reason)
				require.ErrorIs(t, report.Refusals[0].Err, cause)
				now.Advance(time.Nanosecond)
			}

			gpu.run = nil
			_, report, err = attend(t.Context(), e, 3, 5)
			require.NoError(t, err)
			require.Equal(t, "gpu", report.Backend)
			require.Contains(t, events.kinds("gpu"), EventRecovered)

			gpu.run = func(context.Context, *attention.Call) error { return cause }
			_, _, err = attend(t.Context(), e, 3, 5)
			require.NoError(t, err)
			gpu.run = nil
			now.Advance(restMin)
			_, report, err = attend(t.Context(), e, 3, 5)
			require.NoError(t, err)
			require.Equal(t, "gpu", report.Backend, "a recovery resets the back-off")
		})
	}
}

func TestUnsupportedDoesNotTouchHealth(t *testing.T) {
	gpu, cpu := newFake("gpu", 1), newFake("cpu", 2)
	gpu.plan = func(_ context.Context, p attention.Problem) error {
		if p.QueryLen == 3 {
			return attention.ErrUnsupported
		}
		return nil
	}
	e := open(t, []*fake{gpu, cpu})
	_, report, err := attend(t.Context(), e, 3, 5)
	require.NoError(t, err)
	require.Equal(t, "cpu", report.Backend)
	_, report, err = attend(t.Context(), e, 4, 5)
	require.NoError(t, err)
	require.Equal(t, "gpu", report.Backend)
}

func TestRestingBackendIsTheLastResort(t *testing.T) {
	gpu, cpu := newFake("gpu", 1), newFake("cpu", 2)
	e := open(t, []*fake{gpu, cpu}, WithClock(newClock().Now))
	gpu.run = func(context.Context, *attention.Call) error { return attention.ErrOutOfMemory }
	_, _, err := attend(t.Context(), e, 3, 5)
	require.NoError(t, err)
	gpu.run = nil
	cpu.supports = func(attention.Problem) error { return attention.ErrUnsupported }
	o, report, err := attend(t.Context(), e, 3, 5)
	require.NoError(t, err)
	require.Equal(t, "gpu", report.Backend)
	require.Equal(t, 1.0, o.At(0, 0, 0, 0))
	require.True(t, report.FellBack, "cpu would have run it")
}

func TestHealthProbesOnce(t *testing.T) {
	var h health
	start := time.Unix(0, 0)
	require.NoError(t, h.admit(start))
	require.True(t, h.fail(start, start, errOther))
	require.False(t, h.fail(start.Add(-1), start, errOther), "a call of before the failure fails with it")
	require.Error(t, h.peek(start))
	after := start.Add(restMin)
	require.NoError(t, h.peek(after))
	require.NoError(t, h.peek(after), "asking is not trying")
	require.NoError(t, h.admit(after))
	err := h.admit(after)
	require.ErrorIs(t, err, errOther)
	require.ErrorContains(t, err, "1s")
	require.False(t, h.succeed(start.Add(-1)), "an old call proves nothing")
	require.Error(t, h.peek(after))
	require.True(t, h.succeed(after))
	require.NoError(t, h.peek(after))
	require.False(t, h.succeed(after))
	var resting *restingError
	require.False(t, errors.As(h.peek(after), &resting))
}

// TestRefusedCallsTakeNoTurn has a device that may be tried again, and large calls that rest
// for lack of memory: they must not use up the turn of small ones.
func TestRefusedCallsTakeNoTurn(t *testing.T) {
	m, err := newMember(0, newFake("gpu", 1))
	require.NoError(t, err)
	start := time.Unix(0, 0)
	small := attention.Problem{Shape: attention.Shape{Batch: 1, Heads: 1, KVHeads: 1, QueryLen: 1, KeyLen: 1, Dim: 8, ValueDim: 8}}
	small.Q, small.K, small.V, small.O = attention.Float32, attention.Float32, attention.Float32, attention.Float32
	large := small
	large.KeyLen = 1 << 20
	m.fail(start, start, small, DeviceLost, attention.ErrDeviceLost)
	after := start.Add(restMin)
	m.fail(after, after, large, OutOfMemory, attention.ErrOutOfMemory)
	require.Error(t, m.admit(after, large))
	require.NoError(t, m.admit(after, small))
	require.Error(t, m.admit(after, small), "one at a time")
}

// TestLackOfMemoryRestsLargeCallsOnly: what is smaller than the call that failed
// goes on.
func TestLackOfMemoryRestsLargeCallsOnly(t *testing.T) {
	gpu, cpu := newFake("gpu", 1), newFake("cpu", 2)
	now, events := newClock(), &log{}
	e := open(t, []*fake{gpu, cpu}, WithClock(now.Now), WithHook(events.hook))
	room := 100 // keys
	gpu.run = func(_ context.Context, call *attention.Call) error {
		if call.Problem.KeyLen > room {
			return attention.ErrOutOfMemory
		}
		return nil
	}
	backend := func(keys int) string {
		_, report, err := attend(t.Context(), e, 3, keys)
		require.NoError(t, err)
		return report.Backend
	}
	require.Equal(t, "gpu", backend(50))
	require.Equal(t, "cpu", backend(200))
	require.Equal(t, "gpu", backend(150-60), "smaller than what failed")
	tries := gpu.runs.Load()
	require.Equal(t, "cpu", backend(200))
	require.Equal(t, "cpu", backend(300))
	require.Equal(t, tries, gpu.runs.Load(), "resting, not tried")
	x := e.Explain(problemOf(t, 3, 300))
	require.Equal(t, "cpu", x.Chosen)
	require.Contains(t, x.Candidates[1].Reason, "bytes and more rest for another 1s")
	require.Equal(t, "gpu", e.Explain(problemOf(t, 3, 90)).Chosen)
	require.Equal(t, "cpu", backend(120), "tried, since it is smaller than 200")
	require.Equal(t, tries+1, gpu.runs.Load())
	require.Equal(t, "gpu", backend(90), "a success of a small one")
	require.Equal(t, "cpu", backend(120), "says nothing about the large")
	require.Equal(t, tries+2, gpu.runs.Load())

	room = 1000
	now.Advance(2 * restMin)
	require.Equal(t, "gpu", backend(300), "the rest is over")
	require.Contains(t, events.kinds("gpu"), EventRecovered)
	require.Equal(t, "gpu", backend(200))
	require.Equal(t, "gpu", backend(400))
}

// quarantine is the error of a kernel that failed its self-test.
type quarantine struct{}

func (quarantine) Error() string { return "in quarantine" }
func (quarantine) Is(target error) bool {
	return target == attention.ErrSelfTest || target == attention.ErrUnsupported
}

func TestQuarantineOfAKernelIsNoIllnessOfTheDevice(t *testing.T) {
	gpu, cpu := newFake("gpu", 1), newFake("cpu", 2)
	gpu.plan = func(_ context.Context, p attention.Problem) error {
		if p.QueryLen == 3 {
			return quarantine{}
		}
		return nil
	}
	e := open(t, []*fake{gpu, cpu})
	_, report, err := attend(t.Context(), e, 3, 5)
	require.NoError(t, err)
	require.Equal(t, "cpu", report.Backend)
	require.Equal(t, SelfTest, report.Refusals[0].Reason)
	_, report, err = attend(t.Context(), e, 4, 5)
	require.NoError(t, err)
	require.Equal(t, "gpu", report.Backend)
	require.False(t, report.FellBack)
	require.NoError(t, e.members[0].peek(e.clock(), problemOf(t, 3, 5)))
}
