package gpu

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/verify"
)

var errPlanted = errors.New("planted")

// callSpec is a small call. Zero fields have the defaults of newTestCall.
type callSpec struct {
	batch, heads, kvHeads, lq, lk, d, dv int
	options                              attention.Options
	bias, mask                           bool
	seed                                 uint64
}

func orInt(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// newTestCall fills a call with N(0,1), and its outputs with NaN.
func newTestCall(t testing.TB, s callSpec) *attention.Call {
	t.Helper()
	b, h, g := orInt(s.batch, 2), orInt(s.heads, 4), orInt(s.kvHeads, 2)
	lq, lk, d := orInt(s.lq, 19), orInt(s.lk, 37), orInt(s.d, 8)
	dv := orInt(s.dv, d)
	random := rand.New(rand.NewPCG(s.seed, 99))
	draw := func(shape ...int) attention.Tensor {
		x := attention.Zeros(attention.Float32, shape...)
		for n := range x.Float32s() {
			x.Float32s()[n] = float32(random.NormFloat64())
		}
		return x
	}
	in := attention.Inputs{Q: draw(b, h, lq, d), K: draw(b, g, lk, d), V: draw(b, g, lk, dv)}
	if s.bias {
		in.Bias = draw(h, lq, lk)
	}
	if s.mask {
		in.Mask = attention.Zeros(attention.Bool, b, 1, lq, lk)
		for n := range in.Mask.Bools() {
			in.Mask.Bools()[n] = random.IntN(4) > 0
		}
	}
	out := attention.Outputs{O: attention.Zeros(attention.Float32, b, h, lq, dv), LSE: attention.Zeros(attention.Float32, b, h, lq, 1)}
	call, err := attention.NewCall(s.options, in, out)
	require.NoError(t, err)
	blank(call)
	return call
}

func blank(c *attention.Call) {
	for _, list := range [][]float32{c.Out.O.Float32s(), c.Out.LSE.Float32s()} {
		for n := range list {
			list[n] = float32(math.NaN())
		}
	}
}

// runOn plans and runs a call.
func runOn(ctx context.Context, b *Backend, c *attention.Call) error {
	if err := b.Supports(c.Problem); err != nil {
		return err
	}
	plan, err := b.Plan(ctx, c.Problem)
	if err != nil {
		return err
	}
	return errors.Join(plan.Run(ctx, c), plan.Close())
}

// requireRight compares the outputs with the oracle.
func requireRight(t testing.TB, c *attention.Call, what ...any) {
	t.Helper()
	report, err := verify.CheckUnit(c)
	require.NoError(t, err, what...)
	require.True(t, report.Pass, "%+v", report)
}

// outputBits returns the outputs as they are in memory.
func outputBits(c *attention.Call) []uint32 {
	var bits []uint32
	for _, list := range [][]float32{c.Out.O.Float32s(), c.Out.LSE.Float32s()} {
		for _, v := range list {
			bits = append(bits, math.Float32bits(v))
		}
	}
	return bits
}
