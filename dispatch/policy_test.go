package dispatch

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

var errOther = errors.New("some other error")

// stages makes one of the things that a backend is asked fail with err.
var stages = map[string]func(f *fake, err error){
	"supports": func(f *fake, err error) { f.supports = func(attention.Problem) error { return err } },
	"plan":     func(f *fake, err error) { f.plan = func(context.Context, attention.Problem) error { return err } },
	"run":      func(f *fake, err error) { f.run = func(context.Context, *attention.Call) error { return err } },
}

var kinds = []struct {
	err    error
	reason Reason // empty if the error must not fall back
}{
	{attention.ErrUnsupported, Unsupported},
	{&attention.UnsupportedError{Backend: "first", Feature: "dim 600", Limit: "at most 576"}, Unsupported},
	{attention.ErrUnavailable, Unavailable},
	{attention.ErrOutOfMemory, OutOfMemory},
	{attention.ErrDeviceLost, DeviceLost},
	{attention.ErrSelfTest, SelfTest},
	{attention.ErrInvalid, ""},
	{fmt.Errorf("%w and %w", attention.ErrInvalid, attention.ErrUnsupported), ""},
	{attention.ErrClosed, ""},
	{context.Canceled, ""},
	{context.DeadlineExceeded, ""},
	{errOther, ""},
}

func TestFallsBackOnlyForKnownReasons(t *testing.T) {
	for stage, fail := range stages {
		for _, kind := range kinds {
			t.Run(stage+"/"+kind.err.Error(), func(t *testing.T) {
				first, second := newFake("first", 1), newFake("second", 2)
				fail(first, fmt.Errorf("first: %w", kind.err))
				events := &log{}
				e := open(t, []*fake{first, second}, WithHook(events.hook))
				o, report, err := attend(t.Context(), e, 3, 5)
				counts := e.Counters()
				if kind.reason == "" {
					require.ErrorIs(t, err, kind.err)
					require.Zero(t, second.runs.Load(), "the second backend must not be tried")
					require.False(t, report.FellBack)
					require.Empty(t, report.Backend)
					require.EqualValues(t, 1, counts.Errors)
					return
				}
				require.NoError(t, err)
				require.Equal(t, 2.0, o.At(0, 1, 2, 3))
				require.True(t, report.FellBack)
				require.Equal(t, "second", report.Backend)
				require.Equal(t, "second plan", report.Plan)
				require.Len(t, report.Refusals, 1)
				require.Equal(t, "first", report.Refusals[0].Backend)
				require.Equal(t, kind.reason, report.Refusals[0].Reason)
				require.ErrorIs(t, report.Refusals[0].Err, kind.err)
				require.Contains(t, report.Refusals[0].Detail, kind.err.Error())
				require.Contains(t, events.kinds("first"), EventRefused)
				require.EqualValues(t, 1, counts.Fallbacks)
				require.EqualValues(t, 1, counts.Reasons[kind.reason])
				require.Equal(t, map[string]int64{"second": 1}, counts.Backends)
				require.Zero(t, counts.Errors)
			})
		}
	}
}

func TestNamedBackendRunsOrErrors(t *testing.T) {
	for stage, fail := range stages {
		for _, kind := range kinds {
			t.Run(stage+"/"+kind.err.Error(), func(t *testing.T) {
				first, second := newFake("first", 1), newFake("second", 2)
				fail(first, kind.err)
				e := open(t, []*fake{second, first}, WithBackend("first"))
				for range 3 { // a resting backend is tried all the same
					_, report, err := attend(t.Context(), e, 3, 5)
					require.ErrorIs(t, err, kind.err)
					require.ErrorContains(t, err, `"first"`)
					require.False(t, report.FellBack)
				}
				require.Zero(t, second.plans.Load())
				require.Zero(t, second.runs.Load())
			})
		}
	}
	first, second := newFake("first", 1), newFake("second", 2)
	e := open(t, []*fake{second, first}, WithBackend("first"))
	o, report, err := attend(t.Context(), e, 3, 5)
	require.NoError(t, err)
	require.Equal(t, 1.0, o.At(0, 0, 0, 0))
	require.False(t, report.FellBack)
}

func TestFallBackStartsFromTheCallersInputs(t *testing.T) {
	first, second := newFake("first", 1), newFake("second", 2)
	first.run = func(_ context.Context, call *attention.Call) error {
		call.Out.O.Set(0, 0, 0, 0, 77) // half the work, then the device goes
		return attention.ErrDeviceLost
	}
	in, out := operands(2, 2)
	in.Q.Set(0, 0, 0, 0, 5)
	second.run = func(_ context.Context, call *attention.Call) error {
		if call.In.Q.At(0, 0, 0, 0) != 5 {
			return errOther
		}
		return nil
	}
	e := open(t, []*fake{first, second})
	_, err := e.Attend(t.Context(), attention.Options{}, in, out)
	require.NoError(t, err)
	require.Equal(t, 2.0, out.O.At(0, 0, 0, 0))
}

func TestNoBackendLeft(t *testing.T) {
	first, second := newFake("first", 1), newFake("second", 2)
	first.supports = func(attention.Problem) error {
		return &attention.UnsupportedError{Backend: "first", Feature: "dim 600", Limit: "at most 576"}
	}
	second.run = func(context.Context, *attention.Call) error { return attention.ErrOutOfMemory }
	e := open(t, []*fake{first, second})
	_, report, err := attend(t.Context(), e, 3, 5)
	var exhausted *ExhaustedError
	require.ErrorAs(t, err, &exhausted)
	require.Len(t, exhausted.Refusals, 2)
	require.ErrorIs(t, err, attention.ErrUnsupported)
	require.ErrorIs(t, err, attention.ErrOutOfMemory)
	require.ErrorContains(t, err, "at most 576")
	require.False(t, report.FellBack)
	require.Len(t, report.Refusals, 2)
}

// TestQuantizedCacheFallsBack: a backend that does not know q8_0 refuses by the
// problem's features, and the next one computes the call.
func TestQuantizedCacheFallsBack(t *testing.T) {
	first, second := newFake("first", 1), newFake("second", 2)
	first.supports = func(p attention.Problem) error {
		return p.Missing("first", attention.AllFeatures&^attention.FeatureQ8_0)
	}
	e := open(t, []*fake{first, second})
	in, out := operands(1, 5)
	in.K, in.V = attention.Zeros(attention.Q8_0, 1, 1, 5, 4), attention.Zeros(attention.Q8_0, 1, 1, 5, 4)
	report, err := e.Attend(t.Context(), attention.Options{}, in, out)
	require.NoError(t, err)
	require.Equal(t, "second", report.Backend)
	require.Equal(t, 2.0, out.O.At(0, 0, 0, 0))
	require.Zero(t, first.plans.Load())
	require.Len(t, report.Refusals, 1)
	var refused *attention.UnsupportedError
	require.ErrorAs(t, report.Refusals[0].Err, &refused)
	require.Equal(t, "feature q8_0", refused.Feature)
}

func TestInvalidCallsReachNoBackend(t *testing.T) {
	first, second := newFake("first", 1), newFake("second", 2)
	for _, f := range []*fake{first, second} {
		f.supports = func(attention.Problem) error { panic("asked about an invalid call") }
	}
	e := open(t, []*fake{first, second})
	in, out := operands(3, 5)
	out.O.Set(0, 0, 0, 0, 42)
	in.K = attention.Zeros(attention.Float32, 1, 1, 5, 3)
	report, err := e.Attend(t.Context(), attention.Options{}, in, out)
	var shape *attention.ShapeError
	require.ErrorAs(t, err, &shape)
	require.ErrorIs(t, err, attention.ErrInvalid)
	require.Equal(t, Report{}, report)
	require.Equal(t, 42.0, out.O.At(0, 0, 0, 0), "outputs must be untouched")
	require.EqualValues(t, 1, e.Counters().Errors)
	require.Zero(t, e.Counters().Fallbacks)
}

func TestContextComesFirst(t *testing.T) {
	first := newFake("first", 1)
	e := open(t, []*fake{first})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := e.Attend(ctx, attention.Options{}, attention.Inputs{}, attention.Outputs{})
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, attention.ErrInvalid)
	_, err = Open(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestCancellationDoesNotFallBack(t *testing.T) {
	wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	lost := func(ctx context.Context) error { <-ctx.Done(); return attention.ErrDeviceLost }
	for name, block := range map[string]func(context.Context) error{"context error": wait, "another error": lost} {
		for _, stage := range []string{"plan", "run"} {
			t.Run(stage+"/"+name, func(t *testing.T) {
				slow, second := newFake("slow", 1), newFake("second", 2)
				if stage == "plan" {
					slow.plan = func(ctx context.Context, _ attention.Problem) error { return block(ctx) }
				} else {
					slow.run = func(ctx context.Context, _ *attention.Call) error { return block(ctx) }
				}
				e := open(t, []*fake{slow, second})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				defer cancel()
				start := time.Now()
				_, report, err := attend(ctx, e, 3, 5)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Less(t, time.Since(start), 5*time.Second)
				require.False(t, report.FellBack)
				require.Zero(t, second.runs.Load())
			})
		}
	}
}

func TestPanicsBecomeErrors(t *testing.T) {
	for stage, arm := range map[string]func(*fake){
		"supports": func(f *fake) { f.supports = func(attention.Problem) error { panic("boom") } },
		"plan":     func(f *fake) { f.plan = func(context.Context, attention.Problem) error { panic("boom") } },
		"run": func(f *fake) {
			f.run = func(context.Context, *attention.Call) error { panic(attention.ErrUnsupported) }
		},
	} {
		t.Run(stage, func(t *testing.T) {
			first, second := newFake("first", 1), newFake("second", 2)
			arm(first)
			e := open(t, []*fake{first, second})
			_, _, err := attend(t.Context(), e, 3, 5)
			var panicked *PanicError
			require.ErrorAs(t, err, &panicked)
			require.Equal(t, "first", panicked.Backend)
			require.Equal(t, stage, panicked.Op)
			require.Contains(t, string(panicked.Stack), "policy_test.go")
			require.Zero(t, second.runs.Load(), "a panic must not fall back")

			first.supports, first.plan, first.run = nil, nil, nil
			_, report, err := attend(t.Context(), e, 3, 5)
			require.NoError(t, err, "the engine must stay usable")
			require.Equal(t, "first", report.Backend)
		})
	}
}

func TestChoiceFollowsTheEstimator(t *testing.T) {
	slow, quick, even, soft := newFake("slow", 1), newFake("quick", 2), newFake("even", 3), newFake("soft", 4)
	soft.software = true
	order := &fixed{times: map[string]time.Duration{"slow": 9, "quick": 4, "even": 4, "soft-software": 1}}
	e := open(t, []*fake{soft, slow, quick, even}, WithEstimator(order))
	var got []string
	for _, c := range e.rank(problemOf(t, 3, 5)) {
		got = append(got, c.name)
	}
	require.Equal(t, []string{"quick", "even", "slow", "soft"}, got)

	_, report, err := attend(t.Context(), e, 3, 5)
	require.NoError(t, err)
	require.Equal(t, "quick", report.Backend)
	require.False(t, report.FellBack, "a choice is no fall-back")
	require.Empty(t, report.Refusals)
	require.Empty(t, order.observed, "the first run of a plan warms up")
	_, _, err = attend(t.Context(), e, 3, 6)
	require.NoError(t, err)
	require.Equal(t, []string{"quick"}, order.observed)

	// A slower backend that refuses was not in the way of the choice.
	slow.supports = func(attention.Problem) error { return attention.ErrUnsupported }
	_, report, err = attend(t.Context(), e, 3, 5)
	require.NoError(t, err)
	require.False(t, report.FellBack)
	require.Empty(t, report.Refusals)
}

func TestSoftwareRasteriserRunsLast(t *testing.T) {
	soft, cpu := newFake("gpu", 1), newFake("cpu", 2)
	soft.software = true
	e := open(t, []*fake{soft, cpu})
	_, report, err := attend(t.Context(), e, 3, 5)
	require.NoError(t, err)
	require.Equal(t, "cpu", report.Backend)
	require.False(t, report.FellBack)
	cpu.supports = func(attention.Problem) error { return attention.ErrUnsupported }
	_, report, err = attend(t.Context(), e, 3, 5)
	require.NoError(t, err)
	require.Equal(t, "gpu", report.Backend)
	require.True(t, report.FellBack)
}
