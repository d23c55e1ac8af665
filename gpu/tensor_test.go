package gpu

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// resident returns a copy of t on the device of b, in a tensor with room for more rows.
func resident(t *testing.T, b *Backend, from attention.Tensor, length int) attention.Tensor {
	t.Helper()
	shape := from.Shape()
	made, err := b.NewTensor(t.Context(), from.DType(), shape[0], shape[1], length, shape[3])
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, made.Close()) })
	view := made.View().Slice(attention.AxisSequence, length-shape[2], length)
	require.NoError(t, attention.CopyTensor(t.Context(), view, from))
	return view
}

func narrowed(from attention.Tensor, dtype attention.DType) attention.Tensor {
	shape := from.Shape()
	to := attention.Zeros(dtype, shape[:]...)
	if dtype == attention.Q8_0 {
		row := make([]float32, shape[3])
		for n := range shape[0] * shape[1] * shape[2] {
			b, h, i := n/shape[2]/shape[1], n/shape[2]%shape[1], n%shape[2]
			for d := range row {
				row[d] = float32(from.At(b, h, i, d))
			}
			to.SetRow(b, h, i, row)
		}
		return to
	}
	for b := range shape[0] {
		for h := range shape[1] {
			for i := range shape[2] {
				for d := range shape[3] {
					to.Set(b, h, i, d, from.At(b, h, i, d))
				}
			}
		}
	}
	return to
}

// TestResidentTensors runs calls whose operands lie on the device, at the ends of longer
// tensors, against the same calls from the host.
func TestResidentTensors(t *testing.T) {
	for _, k := range kernelsUnderTest {
		for name, spec := range map[string]callSpec{
			"prefill":    {batch: 2, heads: 4, kvHeads: 2, lq: 19, lk: 37, d: 10, dv: 7},
			"everything": {batch: 2, heads: 2, kvHeads: 1, lq: 5, lk: 300, d: 8, dv: 8, bias: true, mask: true, options: attention.Options{Causal: attention.BottomRight}},
		} {
			for _, dtype := range []attention.DType{attention.Float32, attention.Float16, attention.BFloat16, attention.Q8_0} {
				if dtype == attention.Q8_0 {
					spec.d, spec.dv = 32, 64
				}
				t.Run(k.name+" "+name+" "+dtype.String(), func(t *testing.T) {
					b := sharedBackend(t, k.name, k.opt)
					c := newTestCall(t, spec)
					in := c.In
					in.K, in.V = narrowed(in.K, dtype), narrowed(in.V, dtype)
					host, err := attention.NewCall(c.Problem.Options, in, c.Out)
					require.NoError(t, err)
					require.NoError(t, runOn(t.Context(), b, host))
					requireRight(t, host)
					want := outputBits(host)

					shape := c.Out.O.Shape()
					lk := in.K.Shape()[2]
					in.K, in.V, in.Q = resident(t, b, in.K, lk+3), resident(t, b, in.V, lk), resident(t, b, in.Q, shape[2]+1)
					out := c.Out
					out.O = resident(t, b, attention.Zeros(attention.Float32, shape[:]...), shape[2]+2)
					call, err := attention.NewCall(c.Problem.Options, in, out)
					require.NoError(t, err)
					blank(host)
					before := b.Counters()
					require.NoError(t, runOn(t.Context(), b, call))
					moved := b.Counters()
					require.NoError(t, attention.CopyTensor(t.Context(), host.Out.O, out.O))
					require.Equal(t, want, outputBits(host))
					require.Less(t, moved.DownloadedBytes-before.DownloadedBytes, int64(8*1000), "statistics only")
					large := b.limits.MaxSSBOBytes // ranges of queries and keys, where they fit
					for limit := int64(1 << 13); limit < 1<<16; limit *= 2 {
						b.limits.MaxSSBOBytes = limit
						blank(host)
						require.NoError(t, attention.CopyTensor(t.Context(), out.O, host.Out.O))
						err := runOn(t.Context(), b, call)
						b.limits.MaxSSBOBytes = large
						if err != nil {
							require.ErrorIs(t, err, attention.ErrUnsupported)
							continue
						}
						require.NoError(t, attention.CopyTensor(t.Context(), host.Out.O, out.O))
						require.Equal(t, want, outputBits(host), "limit %d", limit)
					}
				})
			}
		}
	}
}

// TestDecodeStepMovesTheNewToken counts the bytes of a step that adds a token to a cache.
func TestDecodeStepMovesTheNewToken(t *testing.T) {
	b := anyBackend(t)
	const batch, heads, kvHeads, dim, capacity = 1, 8, 2, 64, 512
	c := newTestCall(t, callSpec{batch: batch, heads: heads, kvHeads: kvHeads, lq: 1, lk: capacity, d: dim})
	var cache [2]attention.Tensor
	for n := range cache {
		made, err := b.NewTensor(t.Context(), attention.Float16, batch, kvHeads, capacity, dim)
		require.NoError(t, err)
		defer func() { require.NoError(t, made.Close()) }()
		cache[n] = made.View()
	}
	keys, values := narrowed(c.In.K, attention.Float16), narrowed(c.In.V, attention.Float16)
	options := attention.Options{Causal: attention.BottomRight}
	p := attention.Problem{}
	var plan attention.Plan
	for n := range 40 {
		before := b.Counters()
		for side, from := range []attention.Tensor{keys, values} {
			require.NoError(t, attention.CopyTensor(t.Context(), cache[side].Slice(attention.AxisSequence, n, n+1), from.Slice(attention.AxisSequence, n, n+1)))
		}
		in := attention.Inputs{Q: c.In.Q, K: cache[0].Slice(attention.AxisSequence, 0, n+1), V: cache[1].Slice(attention.AxisSequence, 0, n+1)}
		call, err := attention.NewCall(options, in, attention.Outputs{O: c.Out.O})
		require.NoError(t, err)
		if plan == nil {
			p = call.Problem
			p.KeyLen = capacity
			plan, err = b.Plan(t.Context(), p)
			require.NoError(t, err)
		}
		require.NoError(t, plan.Run(t.Context(), call))
		if n == 0 {
			continue // the self-test of the kernel moves data, too
		}
		moved := b.Counters()
		const token, query, output = 2 * 2 * batch * kvHeads * dim, 4 * batch * heads * dim, 4 * batch * heads * dim
		require.LessOrEqual(t, moved.UploadedBytes-before.UploadedBytes, int64(token+query+1024), "and some parameters")
		require.GreaterOrEqual(t, moved.UploadedBytes-before.UploadedBytes, int64(token+query))
		require.Equal(t, int64(output), moved.DownloadedBytes-before.DownloadedBytes)
		if n%13 == 0 {
			in.K, in.V = keys.Slice(attention.AxisSequence, 0, n+1), values.Slice(attention.AxisSequence, 0, n+1)
			host, err := attention.NewCall(options, in, attention.Outputs{O: c.Out.O})
			require.NoError(t, err)
			requireRight(t, host)
		}
	}
}

// TestResidentNaN has NaN in values that a mask hides: the flag of the tensor counts.
func TestResidentNaN(t *testing.T) {
	for _, k := range kernelsUnderTest {
		t.Run(k.name, func(t *testing.T) {
			b := sharedBackend(t, k.name, k.opt)
			c := newTestCall(t, callSpec{lq: 9, lk: 20, options: attention.Options{Causal: attention.TopLeft}})
			for d := range c.In.V.Shape()[3] {
				c.In.V.Set(0, 0, 15, d, math.NaN())
			}
			in := c.In
			in.V = resident(t, b, c.In.V, 20)
			call, err := attention.NewCall(c.Problem.Options, in, c.Out)
			require.NoError(t, err)
			require.NoError(t, runOn(t.Context(), b, call))
			requireRight(t, c)
		})
	}
}

func TestTensorErrors(t *testing.T) {
	b := anyBackend(t)
	other := sharedBackend(t, kernelsUnderTest[1].name, kernelsUnderTest[1].opt)
	ctx := context.Background()
	for name, sizes := range map[string][4]int{"no batch": {0, 1, 1, 1}, "negative": {1, -1, 1, 1}, "no dim": {1, 1, 1, 0}, "huge": {1 << 30, 1 << 30, 1 << 30, 64}} {
		_, err := b.NewTensor(ctx, attention.Float32, sizes[0], sizes[1], sizes[2], sizes[3])
		require.ErrorIs(t, err, attention.ErrInvalid, name)
	}
	_, err := b.NewTensor(ctx, attention.Bool, 1, 1, 1, 1)
	require.ErrorIs(t, err, attention.ErrUnsupported)
	_, err = b.NewTensor(ctx, attention.Q8_0, 1, 1, 1, 40)
	require.ErrorIs(t, err, attention.ErrUnsupported, "no whole blocks")

	c := newTestCall(t, callSpec{batch: 1, heads: 2, kvHeads: 2, lq: 3, lk: 5, d: 8})
	made, err := b.NewTensor(ctx, attention.Float32, 1, 2, 5, 8)
	require.NoError(t, err)
	in := c.In
	in.K = made.View()
	call, err := attention.NewCall(attention.Options{}, in, c.Out)
	require.NoError(t, err)
	require.ErrorIs(t, runOn(ctx, other, call), attention.ErrUnsupported, "the memory of another device")
	in.K = c.In.K
	in.Bias = made.View().WithStrides([4]int{1, 2, 3, 5}, [4]int{0, 0, 0, 1}, 0)
	biased, err := attention.NewCall(attention.Options{}, in, c.Out)
	require.NoError(t, err)
	require.ErrorIs(t, runOn(ctx, b, biased), attention.ErrUnsupported, "a bias on the device")
	in.Bias, in.K = attention.Tensor{}, made.View().WithStrides([4]int{1, 2, 5, 8}, [4]int{0, 8, 16, 1}, 0)
	woven, err := attention.NewCall(attention.Options{}, in, c.Out)
	require.NoError(t, err)
	require.ErrorIs(t, runOn(ctx, b, woven), attention.ErrUnsupported, "rows that are woven")

	require.NoError(t, made.Close())
	require.NoError(t, made.Close(), "again")
	require.ErrorIs(t, runOn(ctx, b, call), attention.ErrClosed)
	require.ErrorIs(t, attention.CopyTensor(ctx, made.View(), c.In.K), attention.ErrClosed)
	require.ErrorIs(t, attention.CopyTensor(ctx, c.In.K, made.View()), attention.ErrClosed)
}
