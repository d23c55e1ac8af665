package gpu

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/gl"
	"github.com/glattn/attention/internal/testclock"
)

// The fault matrix makes each OpenGL call of each phase of a backend's life fail in
// each way in which it can. Whatever happens, the call gives right numbers or an
// error that leads to a fall-back, nothing leaks, and the backend works again.

// matrixStride is how many calls lie between those that fail; a stride that is prime
// to the calls of a loop meets them all in the end.
func matrixStride() int {
	if testing.Short() {
		return 13
	}
	return 1
}

// indices are the calls to fail of those that can. All but the first and the last
// question for an extension are left out: there are hundreds of them.
func indices(calls []string, stride int) []int {
	if len(calls) < 50 {
		stride = 1
	}
	var list []int
	for n, name := range calls {
		inside := n > 0 && n < len(calls)-1 && calls[n-1] == name && calls[n+1] == name
		if n%stride == 0 && !(name == "getStringi" && inside) {
			list = append(list, n)
		}
	}
	return list
}

// matrixCall is a call that uses every kind of tensor.
func matrixCall(t testing.TB) *attention.Call {
	return newTestCall(t, callSpec{batch: 1, heads: 2, kvHeads: 1, lq: 3, lk: 9, d: 4, bias: true, mask: true})
}

// matrixOptions are those of a backend that compiles fast.
func matrixOptions(t testing.TB, faults *gl.Faults, clock *testclock.Clock) Options {
	opt := Options{Device: -1, CacheDir: t.TempDir(), Kernel: KernelRows, Tile: smallTile, faults: faults}
	if clock != nil {
		opt.clock = clock.Now
	}
	return opt
}

// requireTyped fails unless dispatch would run the call elsewhere for the error.
func requireTyped(t *testing.T, err error) {
	t.Helper()
	for _, sentinel := range []error{attention.ErrDeviceLost, attention.ErrOutOfMemory, attention.ErrUnsupported, attention.ErrUnavailable} {
		if errors.Is(err, sentinel) {
			require.NotErrorIs(t, err, attention.ErrInvalid)
			return
		}
	}
	require.Failf(t, "an error of no kind", "%v", err)
}

// matrix is one backend on which calls fail again and again.
type matrix struct {
	t      *testing.T
	b      *Backend
	faults *gl.Faults
	clock  *testclock.Clock
	call   *attention.Call
	cold   bool // nothing compiled is found on disk either
	cells  int
}

func newMatrix(t *testing.T, cold bool) *matrix {
	m := &matrix{t: t, faults: gl.NewFaults(), clock: testclock.New(time.Now()), call: matrixCall(t), cold: cold}
	b, err := Open(context.Background(), matrixOptions(t, m.faults, m.clock))
	noDevice(t, err)
	m.b = b
	t.Cleanup(func() {
		require.NoError(t, b.Close())
		require.Empty(t, m.faults.Live(), "after Close")
	})
	require.NoError(t, runOn(context.Background(), b, m.call))
	requireRight(t, m.call)
	return m
}

// forget makes the next call start from nothing.
func (m *matrix) forget() {
	onThread(m.t, m.b, func(require.TestingT) {
		m.b.programs.close()
		m.b.buffers.drop()
		m.b.returns.drop()
		m.b.stage.close()
		m.b.stage = nil
		if m.cold {
			m.b.programs.disk = nil
		}
	})
	m.b.health.mu.Lock()
	m.b.health.refused = nil
	m.b.health.mu.Unlock()
}

// calls counts what work does when nothing fails.
func (m *matrix) calls(kind gl.Fault, work func() error) []string {
	m.faults.Plant(kind, -1)
	require.NoError(m.t, work())
	calls := m.faults.Calls()
	m.faults.Plant(gl.FaultNone, 0)
	return calls
}

// cell fails one call during work, which must fill m.call.
func (m *matrix) cell(kind gl.Fault, at int, work func() error) {
	t := m.t
	before := m.b.Health()
	blank(m.call)
	m.faults.Plant(kind, at)
	err := work()
	struck := m.faults.Struck()
	m.faults.Plant(gl.FaultNone, 0)
	name := fmt.Sprintf("%v at call %d, %s: %v", kind, at, struck, err)
	require.NotEmpty(t, struck, name)
	if err != nil {
		requireTyped(t, err)
	} else {
		requireRight(t, m.call, name)
	}
	after := m.b.Health()
	if lost := kind >= gl.FaultGuiltyReset && kind <= gl.FaultSilentReset || kind == gl.FaultWaitForever; lost {
		require.Equal(t, before.Losses+1, after.Losses, name)
		if before := (*LostMemoryError)(nil); err != nil && !errors.As(err, &before) { // otherwise it is back already
			require.ErrorIs(t, after.Lost, gl.ErrDeviceLost, name)
		}
	} else {
		require.NoError(t, after.Lost, name)
	}
	m.clock.Advance(lossMemory + time.Second)
	requireClean(t, m.b)
	m.forget()
	require.Equal(t, map[string]int{"Buffers": 1}, m.faults.Live(), "the parameters' alone: %s", name)
	m.cells++
}

// recover requires that the backend computes.
func (m *matrix) recover(name string) {
	blank(m.call)
	require.NoError(m.t, runOn(context.Background(), m.b, m.call), name)
	requireRight(m.t, m.call)
}

func (m *matrix) first() error { return runOn(context.Background(), m.b, m.call) }

func TestFaultMatrixFirstCall(t *testing.T) { faultMatrixFirstCall(t, false) }

// TestFaultMatrixCompile is the same without anything on disk.
func TestFaultMatrixCompile(t *testing.T) { faultMatrixFirstCall(t, true) }

func faultMatrixFirstCall(t *testing.T, cold bool) {
	m := newMatrix(t, cold)
	total := 0
	for _, kind := range gl.AllFaults() {
		m.forget()
		calls := m.calls(kind, m.first)
		stride := matrixStride()
		if cold && (kind == gl.FaultInnocentReset || kind == gl.FaultUnknownReset) {
			stride = 13 // they differ from a guilty one by a number alone, and compiling takes its time
		}
		for _, at := range indices(calls, stride) {
			m.forget()
			m.cell(kind, at, m.first)
			m.recover(fmt.Sprintf("after %v at call %d of %d", kind, at, len(calls)))
		}
		t.Logf("%v: %d calls, %d cells", kind, len(calls), m.cells-total)
		total = m.cells
	}
	t.Logf("%d cells", m.cells)
}

// TestFaultMatrixNextCall fails the calls of a plan that has run before.
func TestFaultMatrixNextCall(t *testing.T) {
	m := newMatrix(t, false)
	plan, err := m.b.Plan(context.Background(), m.call.Problem)
	require.NoError(t, err)
	run := func() error { return plan.Run(context.Background(), m.call) }
	for _, kind := range gl.AllFaults() {
		require.NoError(t, run())
		calls := m.calls(kind, run)
		for _, at := range indices(calls, min(matrixStride(), 3)) {
			require.NoError(t, run(), "the plan serves on, after a loss too")
			m.cell(kind, at, run)
		}
	}
	t.Logf("%d cells", m.cells)
}

// TestFaultMatrixOpenAndClose fails the calls of Open, and those of Close.
func TestFaultMatrixOpenAndClose(t *testing.T) {
	faults, clock := gl.NewFaults(), testclock.New(time.Now())
	opt := matrixOptions(t, faults, clock)
	ctx := context.Background()
	cells := 0
	for _, kind := range gl.AllFaults() {
		faults.Plant(kind, -1)
		b, err := Open(ctx, opt)
		noDevice(t, err)
		opening := faults.Calls()
		faults.Plant(gl.FaultNone, 0)
		require.NoError(t, runOn(ctx, b, matrixCall(t)))
		faults.Plant(kind, -1)
		require.NoError(t, b.Close())
		closing := faults.Calls()

		for _, at := range indices(opening, min(matrixStride(), 5)) {
			faults.Plant(kind, at)
			b, err := Open(ctx, opt)
			name := fmt.Sprintf("%v at call %d of Open, %s: %v", kind, at, faults.Struck(), err)
			require.NotEmpty(t, faults.Struck(), name)
			faults.Plant(gl.FaultNone, 0)
			if err != nil {
				requireTyped(t, err)
				require.Nil(t, b)
			} else {
				require.NoError(t, b.Close(), name)
			}
			require.Empty(t, faults.Live(), name)
			cells++
		}
		for _, at := range indices(closing, 1) {
			faults.Plant(gl.FaultNone, 0)
			b, err := Open(ctx, opt)
			require.NoError(t, err)
			require.NoError(t, runOn(ctx, b, matrixCall(t)))
			faults.Plant(kind, at)
			require.NoError(t, b.Close(), "%v at call %d of Close, %s", kind, at, faults.Struck())
			require.Empty(t, faults.Live())
			cells++
		}
	}
	t.Logf("%d cells", cells)
}
