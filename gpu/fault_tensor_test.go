package gpu

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/gl"
	"github.com/glattn/attention/internal/testclock"
)

// onTensors computes the matrix call with K and V in device memory that is made,
// filled, read back and freed.
func (m *matrix) onTensors() (err error) {
	ctx, c := context.Background(), m.call
	place := func(t attention.Tensor) (resident attention.Tensor, back error) {
		shape := t.Shape()
		memory, err := m.b.NewTensor(ctx, t.DType(), shape[0], shape[1], shape[2], shape[3])
		if err != nil {
			return t, err
		}
		m.t.Cleanup(func() { _ = memory.Close() })
		if err := attention.CopyTensor(ctx, memory.View(), t); err != nil {
			return t, errors.Join(err, memory.Close())
		}
		again := attention.Zeros(t.DType(), shape[:]...)
		if err := attention.CopyTensor(ctx, again, memory.View()); err != nil {
			return t, errors.Join(err, memory.Close())
		}
		require.Equal(m.t, t.Float32s(), again.Float32s())
		return memory.View(), nil
	}
	var in = c.In
	if in.K, err = place(c.In.K); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.K.Memory().(*Tensor).Close()) }()
	if in.V, err = place(c.In.V); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.V.Memory().(*Tensor).Close()) }()
	call, err := attention.NewCall(c.Problem.Options, in, c.Out)
	require.NoError(m.t, err)
	return runOn(ctx, m.b, call)
}

// TestFaultMatrixTensors fails the calls that deal with device memory, and those of
// uploads through mapped memory.
func TestFaultMatrixTensors(t *testing.T) {
	staged := func(m *matrix) {
		onThread(m.t, m.b, func(require.TestingT) {
			m.b.stage.close()
			m.b.stage = newStaging(m.b.c)
		})
	}
	m := newMatrix(t, false)
	for _, kind := range gl.AllFaults() {
		m.forget()
		calls := m.calls(kind, m.onTensors)
		stride := matrixStride()
		if kind == gl.FaultGuiltyReset || kind == gl.FaultInnocentReset || kind == gl.FaultUnknownReset {
			stride = 13 // a silent one is the harder
		}
		for n, at := range indices(calls, stride) {
			m.forget()
			if n%2 == 0 {
				staged(m)
			}
			m.cell(kind, at, m.onTensors)
		}
	}
	t.Logf("%d cells", m.cells)
}

// TestTensorsAreLostWithTheirDevice, and say so, while everything else goes on.
func TestTensorsAreLostWithTheirDevice(t *testing.T) {
	faults, clock := gl.NewFaults(), testclock.New(time.Now())
	b := ownBackend(t, matrixOptions(t, faults, clock))
	ctx, c := context.Background(), matrixCall(t)
	shape := c.In.K.Shape()
	memory, err := b.NewTensor(ctx, attention.Float32, shape[0], shape[1], shape[2], shape[3])
	require.NoError(t, err)
	require.NoError(t, attention.CopyTensor(ctx, memory.View(), c.In.K))
	in := c.In
	in.K = memory.View()
	call, err := attention.NewCall(c.Problem.Options, in, c.Out)
	require.NoError(t, err)
	require.NoError(t, runOn(ctx, b, call))
	requireRight(t, c)

	faults.Plant(gl.FaultSilentReset, 20)
	require.ErrorIs(t, runOn(ctx, b, call), attention.ErrDeviceLost)
	faults.Plant(gl.FaultNone, 0)
	for range 2 { // before the device is back, and after
		var lost *LostMemoryError
		require.ErrorAs(t, runOn(ctx, b, call), &lost)
		require.NoError(t, runOn(ctx, b, c))
		requireRight(t, c)
		require.ErrorAs(t, attention.CopyTensor(ctx, memory.View(), c.In.K), &lost)
		require.ErrorAs(t, attention.CopyTensor(ctx, c.In.K, memory.View()), &lost)
		require.ErrorIs(t, lost, attention.ErrDeviceLost)
	}
	require.Equal(t, 1, b.Health().Losses, "what is left of the old device is no loss of the new one")
	require.NoError(t, memory.Close())
	require.NoError(t, runOn(ctx, b, c))
	requireRight(t, c)
}

// TestLossesBesideCalls loses the device again and again while goroutines compute,
// look at mapped results and copy tensors: each gets right numbers or a typed error.
func TestLossesBesideCalls(t *testing.T) {
	faults, clock := gl.NewFaults(), testclock.New(time.Now())
	b := ownBackend(t, matrixOptions(t, faults, clock))
	ctx := context.Background()
	rounds := 150
	if testing.Short() {
		rounds = 40
	}
	var group sync.WaitGroup
	right, wrong := make([]int, 3), make([]error, 3)
	for n := range right {
		c := newTestCall(t, callSpec{batch: 1, heads: 4, lq: 40, lk: 60, d: 32, seed: uint64(n)})
		group.Go(func() {
			for range rounds {
				blank(c)
				if err := runOn(ctx, b, c); err != nil {
					if !errors.Is(err, attention.ErrDeviceLost) {
						wrong[n] = errors.Join(wrong[n], err)
					}
					continue
				}
				right[n]++
				requireRight(t, c)
			}
		})
	}
	stop := make(chan struct{})
	var loser sync.WaitGroup
	loser.Go(func() {
		for n := 0; ; n++ {
			faults.Plant([]gl.Fault{gl.FaultGuiltyReset, gl.FaultSilentReset}[n%2], 30+n*37%150)
			clock.Advance(lossMemory + time.Second)
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	group.Wait()
	close(stop)
	loser.Wait()
	faults.Plant(gl.FaultNone, 0)
	require.NoError(t, errors.Join(wrong...))
	require.Positive(t, b.Health().Losses)
	t.Logf("right: %v of %d, %v", right, rounds, b.Health())
	clock.Advance(lossMemory + time.Second)
	c := matrixCall(t)
	require.NoError(t, runOn(ctx, b, c))
	requireRight(t, c)
}
