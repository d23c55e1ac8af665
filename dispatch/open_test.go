package dispatch

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/internal/env"
)

// quiet makes a test independent of the environment it runs in.
func quiet(t *testing.T) {
	t.Helper()
	for _, name := range []string{"ATTN_BACKEND", "ATTN_DEBUG", "ATTN_GPU"} {
		t.Setenv(name, "")
	}
}

func TestOpenRefuses(t *testing.T) {
	quiet(t)
	for name, c := range map[string]struct {
		opts []Option
		want string
	}{
		"empty list":      {[]Option{WithBackends()}, "empty"},
		"nil backend":     {[]Option{WithBackends(newFake("a", 1), nil)}, "backend 1"},
		"equal names":     {[]Option{WithBackends(newFake("a", 1), newFake("a", 2))}, `"a"`},
		"unknown in list": {[]Option{WithBackends(newFake("a", 1)), WithBackend("b")}, "known: auto, a"},
		"unknown default": {[]Option{WithBackend("cuda")}, "known: auto, gpu, cpu, reference"},
		"no plans":        {[]Option{WithPlanLimit(0)}, "plan limit is 0"},
		"threads":         {[]Option{WithThreads(-1)}, "threads is -1"},
		"no clock":        {[]Option{WithClock(nil)}, "clock"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), c.opts...)
			require.ErrorIs(t, err, attention.ErrInvalid)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestOpenReadsTheEnvironment(t *testing.T) {
	quiet(t)
	t.Setenv("ATTN_BACKEND", "reference")
	e, err := Open(t.Context())
	require.NoError(t, err)
	require.Len(t, e.Backends(), 1)
	require.Equal(t, "reference", e.Backends()[0].Name())
	require.NoError(t, e.Close())

	e, err = Open(t.Context(), WithBackend("cpu"))
	require.NoError(t, err)
	require.Equal(t, "cpu", e.Backends()[0].Name(), "the caller's choice wins")
	require.NoError(t, e.Close())

	e, err = Open(t.Context(), WithBackends(newFake("mine", 1)))
	require.NoError(t, err, "a list of one's own is not looked up in the environment")
	require.NoError(t, e.Close())

	for _, variable := range []string{"ATTN_BACKEND", "ATTN_DEBUG", "ATTN_GPU"} {
		quiet(t)
		t.Setenv(variable, "nonsense")
		_, err = Open(t.Context())
		require.ErrorIs(t, err, attention.ErrInvalid)
		require.ErrorContains(t, err, variable)
	}
}

// withGPU replaces the opener of the gpu backend for a test.
func withGPU(t *testing.T, open func() (attention.Backend, error)) {
	t.Helper()
	saved := openers[0]
	require.Equal(t, "gpu", saved.name)
	openers[0].open = func(context.Context, config) (attention.Backend, error) { return open() }
	t.Cleanup(func() { openers[0] = saved })
}

func TestOpenWithoutGPU(t *testing.T) {
	quiet(t)
	for name, open := range map[string]func() (attention.Backend, error){
		"error": func() (attention.Backend, error) { return nil, attention.ErrUnavailable },
		"panic": func() (attention.Backend, error) { panic("a driver's fault") },
	} {
		t.Run(name, func(t *testing.T) {
			withGPU(t, open)
			events := &log{}
			e, err := Open(t.Context(), WithHook(events.hook))
			require.NoError(t, err)
			defer func() { require.NoError(t, e.Close()) }()
			require.Equal(t, []EventKind{EventUnavailable}, events.kinds("gpu"))
			_, report, err := attend(t.Context(), e, 3, 5)
			require.NoError(t, err)
			require.Equal(t, "cpu", report.Backend)
			require.False(t, report.FellBack)
			require.Len(t, report.Refusals, 1)
			require.Equal(t, Unavailable, report.Refusals[0].Reason)

			x := e.Explain(problemOf(t, 3, 5))
			require.Equal(t, "cpu", x.Chosen)
			last := x.Candidates[len(x.Candidates)-1]
			require.Equal(t, "gpu", last.Backend)
			require.Contains(t, last.Reason, "unavailable: ")

			_, err = Open(t.Context(), WithBackend("gpu"))
			require.Error(t, err, "a backend asked for by name opens or errors")
			require.ErrorContains(t, err, `"gpu"`)
		})
	}
}

func TestOpenDoesNotHideMistakes(t *testing.T) {
	quiet(t)
	withGPU(t, func() (attention.Backend, error) { return nil, attention.ErrInvalid })
	_, err := Open(t.Context())
	require.ErrorIs(t, err, attention.ErrInvalid)
}

func TestTraceReachesTheHook(t *testing.T) {
	quiet(t)
	t.Setenv("ATTN_DEBUG", "trace")
	first, second := newFake("first", 1), newFake("second", 2)
	first.supports = func(attention.Problem) error { return attention.ErrUnsupported }
	events := &log{}
	e := open(t, []*fake{first, second}, WithHook(events.hook))
	_, _, err := attend(t.Context(), e, 3, 5)
	require.NoError(t, err)
	require.Equal(t, []EventKind{EventRefused}, events.kinds("first"))
}

// TestBackendsAgree runs the library's own backends through an engine each.
func TestBackendsAgree(t *testing.T) {
	quiet(t)
	values := func(n int, seed uint32) []float32 {
		list := make([]float32, n)
		for i := range list {
			seed = seed*1664525 + 1013904223
			list[i] = float32(int32(seed)) / (1 << 31)
		}
		return list
	}
	in := attention.Inputs{
		Q: attention.NewFloat32(values(2*4*5*8, 1), 2, 4, 5, 8),
		K: attention.NewFloat32(values(2*2*9*8, 2), 2, 2, 9, 8),
		V: attention.NewFloat32(values(2*2*9*3, 3), 2, 2, 9, 3),
	}
	compute := func(t *testing.T, name string) []float32 {
		e, err := Open(t.Context(), WithBackend(name), WithThreads(2))
		if errors.Is(err, attention.ErrUnavailable) && !env.RequireGPU() {
			t.Skipf("no GPU, and ATTN_REQUIRE does not ask for one: %v", err)
		}
		require.NoError(t, err)
		out := attention.Outputs{O: attention.Zeros(attention.Float32, 2, 4, 5, 3)}
		report, err := e.Attend(t.Context(), attention.Options{Causal: attention.BottomRight}, in, out)
		require.NoError(t, err)
		require.Equal(t, name, report.Backend)
		require.NotEmpty(t, report.Plan)
		require.NoError(t, e.Close())
		return out.O.Float32s()
	}
	want := compute(t, "reference")
	require.NotEqual(t, make([]float32, 2*4*5*3), want)
	for _, name := range []string{"cpu", "gpu"} {
		t.Run(name, func(t *testing.T) { require.InDeltaSlice(t, want, compute(t, name), 2e-6) })
	}
}

// TestOpenByDefault opens what there is on this machine.
func TestOpenByDefault(t *testing.T) {
	quiet(t)
	e, err := Open(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	x := e.Explain(problemOf(t, 3, 5))
	require.Len(t, x.Candidates, 2)
	_, report, err := attend(t.Context(), e, 3, 5)
	require.NoError(t, err)
	require.Equal(t, x.Chosen, report.Backend)
	if gpu, ok := e.Backend("gpu"); !ok {
		require.Equal(t, Unavailable, report.Refusals[0].Reason)
	} else {
		require.NotEmpty(t, deviceName(gpu))
		require.Empty(t, report.Refusals)
	}
}

// TestOwnBackendsReportCancellation checks the duty that the engine relies on.
func TestOwnBackendsReportCancellation(t *testing.T) {
	quiet(t)
	e, err := Open(t.Context(), WithBackends(cpu.New(cpu.Options{Threads: 2})))
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	const n, d = 4096, 64
	data := make([]float32, 8*n*d)
	in := attention.Inputs{
		Q: attention.NewFloat32(data, 1, 8, n, d), K: attention.NewFloat32(data, 1, 8, n, d), V: attention.NewFloat32(data, 1, 8, n, d),
	}
	out := attention.Outputs{O: attention.Zeros(attention.Float32, 1, 8, n, d)}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = e.Attend(ctx, attention.Options{}, in, out)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(start), 2*time.Second)
}

// nameless is a backend whose name cannot be had.
type nameless struct{ *fake }

func (nameless) Name() string { panic("no name") }

func TestOpenThatFailsClosesOnlyItsOwn(t *testing.T) {
	quiet(t)
	opened := newFake("gpu", 1)
	withGPU(t, func() (attention.Backend, error) { return nameless{opened}, nil })
	var panicked *PanicError
	_, err := Open(t.Context())
	require.ErrorAs(t, err, &panicked)
	require.EqualValues(t, 1, opened.closed.Load())

	given := newFake("given", 1)
	_, err = Open(t.Context(), WithBackends(given, nameless{newFake("", 2)}))
	require.ErrorAs(t, err, &panicked)
	require.Zero(t, given.closed.Load(), "a backend of the caller's stays open")
}
