package gpu_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/dispatch"
	"github.com/glattn/attention/gpu"
	"github.com/glattn/attention/internal/gl"
	"github.com/glattn/attention/internal/testclock"
)

// preferred hides that a backend is a software rasteriser, so that an engine takes
// it first.
type preferred struct{ attention.Backend }

// gpuFirst predicts that the GPU is faster.
type gpuFirst struct{}

func (gpuFirst) Observe(string, dispatch.Work, time.Duration) {}
func (gpuFirst) Estimate(class string, _ dispatch.Work) time.Duration {
	if class == "gpu" {
		return time.Millisecond
	}
	return time.Second
}

// faultyEngine is an engine of a GPU whose driver fails and a CPU.
func faultyEngine(t *testing.T, edit func(gpu.Variant, string) string) (*dispatch.Engine, *gpu.Backend, *gl.Faults, *testclock.Clock) {
	t.Helper()
	faults, now := gl.NewFaults(), testclock.New(time.Unix(1e9, 0))
	b, err := gpu.Open(context.Background(), gpu.MistakenOptions(gpu.FaultyOptions(t, faults, now.Now), edit))
	gpu.NoDevice(t, err)
	e, err := dispatch.Open(t.Context(), dispatch.WithBackends(preferred{b}, cpu.New(cpu.Options{Threads: 1})),
		dispatch.WithEstimator(gpuFirst{}), dispatch.WithClock(now.Now))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, e.Close())
		require.Empty(t, faults.Live())
	})
	return e, b, faults, now
}

func attend(t *testing.T, e *dispatch.Engine, c *attention.Call) dispatch.Report {
	t.Helper()
	gpu.Blank(c)
	report, err := e.Attend(t.Context(), c.Problem.Options, c.In, c.Out)
	require.NoError(t, err)
	gpu.RequireRight(t, c)
	return report
}

// TestEveryFaultEndsOnTheCPU fails each call to the driver during a call of an
// engine: it gives right numbers, from the CPU if it must, and once the rest is over
// the GPU computes again.
func TestEveryFaultEndsOnTheCPU(t *testing.T) {
	e, b, faults, now := faultyEngine(t, nil)
	c := gpu.MatrixCall(t)
	require.Equal(t, "gpu", attend(t, e, c).Backend)
	cells, fellBack := 0, map[dispatch.Reason]int{}
	for _, kind := range gl.AllFaults() {
		faults.Plant(kind, -1)
		require.Equal(t, "gpu", attend(t, e, c).Backend)
		calls, stride := faults.Calls(), 1
		if testing.Short() {
			stride = 5
		}
		for _, at := range gpu.Indices(calls, stride) {
			faults.Plant(kind, at)
			report := attend(t, e, c)
			name := fmt.Sprintf("%v at call %d, %s: %+v", kind, at, faults.Struck(), report)
			faults.Plant(gl.FaultNone, 0)
			require.Equal(t, report.Backend == "cpu", report.FellBack, name)
			if report.FellBack {
				require.Len(t, report.Refusals, 1, name)
				fellBack[report.Refusals[0].Reason]++
				if before := (*gpu.LostMemoryError)(nil); b.Health().Lost == nil && !errors.As(report.Refusals[0].Err, &before) {
					require.Equal(t, "cpu", attend(t, e, c).Backend, "resting: %s", name)
				}
			}
			now.Advance(time.Hour)
			require.Equal(t, "gpu", attend(t, e, c).Backend, name)
			require.NoError(t, b.Health().Lost)
			cells++
		}
	}
	t.Logf("%d cells, fell back: %v; %v", cells, fellBack, b.Health())
	require.Positive(t, fellBack[dispatch.DeviceLost])
	require.Positive(t, fellBack[dispatch.OutOfMemory])
	require.Positive(t, fellBack[dispatch.Unavailable])
}

// TestDeviceComesBackByItself loses the device for good, and for a while.
func TestDeviceComesBackByItself(t *testing.T) {
	e, b, faults, now := faultyEngine(t, nil)
	c := gpu.MatrixCall(t)
	require.Equal(t, "gpu", attend(t, e, c).Backend)
	faults.Plant(gl.FaultSilentReset, gl.Always)
	for range 3 {
		require.Equal(t, "cpu", attend(t, e, c).Backend)
		require.ErrorIs(t, b.Health().Lost, attention.ErrDeviceLost)
		require.Equal(t, "cpu", attend(t, e, c).Backend, "rests")
		now.Advance(time.Minute)
	}
	faults.Plant(gl.FaultNone, 0)
	require.Equal(t, "gpu", attend(t, e, c).Backend)
	require.NoError(t, b.Health().Lost)
	require.Equal(t, 1, b.Health().Losses)
	require.Equal(t, 1, b.Health().Rebuilds)
}

// TestEnginesDoNotDisturbEachOther has one engine lose its device again and again,
// one opened and closed, while a third computes on the GPU without a fall-back.
func TestEnginesDoNotDisturbEachOther(t *testing.T) {
	calm, _, _, _ := faultyEngine(t, nil)
	unlucky, _, faults, now := faultyEngine(t, nil)
	rounds := 10
	var group sync.WaitGroup
	work := func(e *dispatch.Engine, rounds int, check func(n int, r dispatch.Report)) {
		c := gpu.MatrixCall(t)
		group.Go(func() {
			for n := range rounds {
				report, err := e.Attend(context.Background(), c.Problem.Options, c.In, c.Out)
				if err != nil {
					t.Error(err)
					return
				}
				check(n, report)
			}
		})
	}
	for range 2 {
		work(calm, 5*rounds, func(_ int, r dispatch.Report) {
			if r.FellBack {
				t.Errorf("%+v", r)
			}
		})
		work(unlucky, rounds, func(n int, _ dispatch.Report) {
			now.Advance(time.Hour)
			faults.Plant(gl.FaultGuiltyReset, 17*n)
		})
	}
	group.Go(func() {
		for range rounds {
			b, err := gpu.Open(context.Background(), gpu.FaultyOptions(t, gl.NewFaults(), now.Now))
			if err != nil {
				t.Error(err)
				continue
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
	faults.Plant(gl.FaultNone, 0)
	c := gpu.MatrixCall(t)
	require.Equal(t, "gpu", attend(t, calm, c).Backend)
	now.Advance(time.Hour)
	require.Equal(t, "gpu", attend(t, unlucky, c).Backend)
}

// TestMistakenKernelIsQuarantined plants a mistake in the kernel's mask: the engine
// tells why it computes on the CPU, and the device goes on with other kernels.
func TestMistakenKernelIsQuarantined(t *testing.T) {
	e, b, _, now := faultyEngine(t, func(v gpu.Variant, shader string) string {
		if !v.BoolMask {
			return shader
		}
		wrong := strings.Replace(shader, "keep = (mask_data[", "keep = true || (mask_data[", 1)
		require.NotEqual(t, shader, wrong)
		return wrong
	})
	c := gpu.MatrixCall(t)
	for range 2 {
		report := attend(t, e, c)
		require.Equal(t, "cpu", report.Backend)
		require.Equal(t, dispatch.SelfTest, report.Refusals[0].Reason)
		var failed *gpu.SelfTestError
		require.ErrorAs(t, report.Refusals[0].Err, &failed)
		require.True(t, failed.Variant.BoolMask)
		now.Advance(time.Hour)
	}
	require.Len(t, b.Health().Refused, 1)
	x := e.Explain(c.Problem)
	require.Equal(t, "cpu", x.Chosen)
	require.Contains(t, x.Candidates[1].Reason, "in quarantine")
	c.In.Mask = attention.Tensor{}
	right, err := attention.NewCall(c.Problem.Options, c.In, c.Out)
	require.NoError(t, err)
	require.Equal(t, "gpu", attend(t, e, right).Backend, "the device is well")
}
