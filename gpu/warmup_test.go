package gpu

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/gl"
)

// warmSpecs are of different variants.
var warmSpecs = []callSpec{{}, {bias: true}, {mask: true}, {d: 20}}

func warmProblems(t *testing.T) (list []attention.Problem) {
	for _, s := range warmSpecs {
		list = append(list, newTestCall(t, s).Problem)
	}
	return list
}

func TestWarmupLeavesNothingToCompile(t *testing.T) {
	for _, parallel := range []bool{true, false} {
		b := ownBackend(t, Options{Kernel: KernelRows, Tile: smallTile})
		if !parallel {
			onThread(t, b, func(t require.TestingT) { b.programs.disk = nil })
		}
		require.NoError(t, b.Warmup(context.Background(), warmProblems(t)...))
		b.c.Inject("CompileCompute", errPlanted)
		b.c.Inject("LoadBinary", errPlanted)
		for _, s := range warmSpecs {
			c := newTestCall(t, s)
			require.NoError(t, runOn(context.Background(), b, c))
			requireRight(t, c)
		}
		require.NoError(t, b.Warmup(context.Background(), warmProblems(t)...), "warm already")
		require.NoError(t, b.Warmup(context.Background()), "nothing")
		requireClean(t, b)
	}
}

// TestWarmupStartsAllBeforeItWaits: that is what gives a driver something to do at
// the same time.
func TestWarmupStartsAllBeforeItWaits(t *testing.T) {
	faults := gl.NewFaults()
	b := ownBackend(t, Options{Kernel: KernelRows, Tile: smallTile, faults: faults})
	faults.Plant(gl.FaultOutOfMemory, -1)
	require.NoError(t, b.Warmup(context.Background(), warmProblems(t)...))
	linked, asked := 0, 0
	for _, name := range faults.Calls() {
		if name == "linkProgram" {
			linked++
		}
		if name == "getShaderiv" && asked == 0 {
			asked = linked
		}
	}
	require.Greater(t, linked, len(warmSpecs), "a merge among them")
	require.Equal(t, linked, asked, "all are submitted before the status of one is asked for")
}

func TestWarmupReportsWhatIsRefused(t *testing.T) {
	b := ownBackend(t, Options{Kernel: KernelRows, Tile: smallTile, edit: func(v Variant, shader string) string {
		if v.BoolMask {
			return strings.Replace(shader, "void main", "nonsense main", 1)
		}
		return shader
	}})
	wide := newTestCall(t, callSpec{}).Problem
	wide.Dim = 600
	err := b.Warmup(context.Background(), append(warmProblems(t), wide)...)
	require.ErrorIs(t, err, attention.ErrUnsupported)
	var refused *CompileError
	require.ErrorAs(t, err, &refused)
	require.True(t, refused.Variant.BoolMask)
	require.ErrorContains(t, err, "dim 600")
	b.c.Inject("CompileCompute", errPlanted)
	c := newTestCall(t, warmSpecs[3])
	require.NoError(t, runOn(context.Background(), b, c), "the rest is warm")
	requireRight(t, c)
}

func TestWarmupHonoursContexts(t *testing.T) {
	composed := func() {}
	b := ownBackend(t, Options{Kernel: KernelRows, Tile: smallTile, edit: func(_ Variant, shader string) string {
		composed()
		return shader
	}})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, b.Warmup(ctx, warmProblems(t)...), context.Canceled)
	ctx, cancel = context.WithCancel(context.Background())
	composed = cancel
	require.ErrorIs(t, b.Warmup(ctx, warmProblems(t)...), context.Canceled, "amid the work")
	c := newTestCall(t, callSpec{})
	require.NoError(t, runOn(context.Background(), b, c))
	requireRight(t, c)
	require.NoError(t, b.Close())
	require.ErrorIs(t, b.Warmup(context.Background(), c.Problem), attention.ErrClosed)
}

// TestWarmupBesideCalls warms, computes and closes at the same time.
func TestWarmupBesideCalls(t *testing.T) {
	faults := gl.NewFaults()
	b := ownBackend(t, Options{Kernel: KernelRows, Tile: smallTile, faults: faults})
	problems := warmProblems(t)
	var group sync.WaitGroup
	for n, s := range warmSpecs {
		c := newTestCall(t, s)
		group.Go(func() {
			if err := b.Warmup(context.Background(), problems...); err != nil {
				t.Error(err)
			}
		})
		group.Go(func() {
			if err := runOn(context.Background(), b, c); err != nil {
				t.Errorf("%d: %v", n, err)
			}
		})
	}
	group.Wait()
	require.NoError(t, b.Close())
	require.Empty(t, faults.Live())
}

// TestFaultMatrixWarmup fails the calls of a warm-up that compiles.
func TestFaultMatrixWarmup(t *testing.T) {
	m := newMatrix(t, true)
	warm := func() error { return m.b.Warmup(context.Background(), m.call.Problem) }
	for _, kind := range gl.AllFaults() {
		m.forget()
		calls := m.calls(kind, warm)
		for _, at := range indices(calls, 7*matrixStride()) {
			m.forget()
			m.cell(kind, at, func() error {
				if err := warm(); err != nil {
					return err
				}
				return m.first()
			})
			m.recover(kind.String())
		}
	}
	t.Logf("%d cells", m.cells)
}
