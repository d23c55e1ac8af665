package gpu

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// TestNoKeysOnTheDevice has outputs on the device that no key reaches.
func TestNoKeysOnTheDevice(t *testing.T) {
	b := anyBackend(t)
	c := newTestCall(t, callSpec{batch: 1, heads: 2, kvHeads: 2, lq: 3, lk: 5, d: 6})
	shape := c.Out.O.Shape()
	ones := attention.Zeros(attention.Float32, shape[:]...)
	for n := range ones.Float32s() {
		ones.Float32s()[n] = 1
	}
	out := attention.Outputs{O: resident(t, b, ones, 4)}
	in := c.In
	in.K, in.V = in.K.Slice(attention.AxisSequence, 0, 0), in.V.Slice(attention.AxisSequence, 0, 0)
	call, err := attention.NewCall(attention.Options{}, in, out)
	require.NoError(t, err)
	plan, err := b.Plan(t.Context(), c.Problem)
	require.NoError(t, err)
	require.NoError(t, plan.Run(t.Context(), call))
	require.NoError(t, attention.CopyTensor(t.Context(), ones, out.O))
	for n, v := range ones.Float32s() {
		require.Zero(t, v, n)
	}
}

// TestNaNOfAResultIsKnown uses what a call computed on the device as the values of
// another, in which a mask hides the rows that became NaN.
func TestNaNOfAResultIsKnown(t *testing.T) {
	b := sharedBackend(t, kernelsUnderTest[0].name, kernelsUnderTest[0].opt)
	c := newTestCall(t, callSpec{batch: 1, heads: 2, kvHeads: 2, lq: 12, lk: 12, d: 8})
	for d := range 8 {
		c.In.Q.Set(0, 0, 11, d, math.NaN())
	}
	shape := c.Out.O.Shape()
	out := attention.Outputs{O: resident(t, b, attention.Zeros(attention.Float32, shape[:]...), 12)}
	first, err := attention.NewCall(attention.Options{}, c.In, out)
	require.NoError(t, err)
	require.NoError(t, runOn(t.Context(), b, first))
	values := attention.Zeros(attention.Float32, shape[:]...)
	require.NoError(t, attention.CopyTensor(t.Context(), values, out.O))
	require.True(t, math.IsNaN(values.At(0, 0, 11, 0)))

	fresh := newTestCall(t, callSpec{batch: 1, heads: 2, kvHeads: 2, lq: 12, lk: 12, d: 8, seed: 3})
	options := attention.Options{Causal: attention.TopLeft}
	in := fresh.In
	in.V = out.O
	second, err := attention.NewCall(options, in, fresh.Out)
	require.NoError(t, err)
	require.NoError(t, runOn(t.Context(), b, second))
	in.V = values
	host, err := attention.NewCall(options, in, fresh.Out)
	require.NoError(t, err)
	requireRight(t, host)
}

// TestViewsOfDeviceMemory has strides that a binding cannot serve.
func TestViewsOfDeviceMemory(t *testing.T) {
	b := anyBackend(t)
	made, err := b.NewTensor(t.Context(), attention.Float16, 2, 3, 5, 8)
	require.NoError(t, err)
	defer func() { require.NoError(t, made.Close()) }()
	view := made.View()
	s := view.Strides()
	for name, v := range map[string]attention.Tensor{
		"heads backwards":     view.WithStrides([4]int{2, 3, 5, 8}, [4]int{s[0], -s[1], s[2], 1}, 2*s[1]),
		"heads between rows":  view.WithStrides([4]int{2, 3, 2, 8}, [4]int{s[0], 12, s[2], 1}, 0),
		"from within a row":   view.WithStrides([4]int{1, 1, 1, 8}, [4]int{}, 4),
		"rows backwards":      view.WithStrides([4]int{2, 3, 5, 8}, [4]int{s[0], s[1], -s[2], 1}, 4*s[2]),
		"numbers far between": view.WithStrides([4]int{2, 3, 1, 8}, [4]int{s[0], s[1], s[2], 2}, 0),
	} {
		_, err := made.slab(v)
		require.ErrorIs(t, err, attention.ErrUnsupported, name)
	}
	for name, v := range map[string]attention.Tensor{
		"some heads": view.Slice(attention.AxisHead, 1, 3), "some rows": view.Slice(attention.AxisSequence, 2, 4),
		"a batch entry": view.Slice(attention.AxisBatch, 1, 2), "one head for all": view.Slice(attention.AxisHead, 0, 1).BroadcastTo([4]int{2, 3, 5, 8}),
	} {
		_, err := made.slab(v)
		require.NoError(t, err, name)
	}
}

// TestTensorClosedAmidACall closes a tensor between the look at the operands and the work.
func TestTensorClosedAmidACall(t *testing.T) {
	b := anyBackend(t)
	c := newTestCall(t, callSpec{batch: 1, heads: 2, kvHeads: 2, lq: 3, lk: 5, d: 8})
	made, err := b.NewTensor(t.Context(), attention.Float32, 1, 2, 5, 8)
	require.NoError(t, err)
	in := c.In
	in.K = made.View()
	call, err := attention.NewCall(attention.Options{}, in, c.Out)
	require.NoError(t, err)
	plan, err := b.Plan(t.Context(), call.Problem)
	require.NoError(t, err)
	require.NoError(t, plan.Run(t.Context(), call))
	here, err := b.locate(call)
	require.NoError(t, err)
	require.NoError(t, made.Close())
	require.NoError(t, b.thread.do(context.Background(), func() error {
		require.ErrorIs(t, here.lost(b.c), attention.ErrClosed)
		return nil
	}))
	require.ErrorIs(t, plan.Run(t.Context(), call), attention.ErrClosed)
}

// TestTensorRoundTrip brings rows of every type to the device and back, some in other places.
func TestTensorRoundTrip(t *testing.T) {
	b := anyBackend(t)
	from := newTestCall(t, callSpec{batch: 2, heads: 3, kvHeads: 3, lq: 1, lk: 7, d: 64}).In.K
	for _, dtype := range []attention.DType{attention.Float32, attention.Float16, attention.BFloat16, attention.Q8_0} {
		t.Run(dtype.String(), func(t *testing.T) {
			rows := narrowed(from, dtype)
			made, err := b.NewTensor(t.Context(), dtype, 2, 4, 11, 64)
			require.NoError(t, err)
			defer func() { require.NoError(t, made.Close()) }()
			view := made.View().Slice(attention.AxisHead, 1, 4).Slice(attention.AxisSequence, 3, 10)
			require.NoError(t, attention.CopyTensor(t.Context(), view, rows))
			back := attention.Zeros(dtype, 2, 4, 11, 64)
			require.NoError(t, attention.CopyTensor(t.Context(), back, made.View()))
			for n := range 2 * 4 * 11 {
				b, h, i := n/44, n/11%4, n%11
				for d := range 64 {
					want := 0.0
					if h >= 1 && i >= 3 && i < 10 {
						want = rows.At(b, h-1, i-3, d)
					}
					require.Equal(t, want, back.At(b, h, i, d), "%d %d %d %d", b, h, i, d)
				}
			}
		})
	}
}
