package gpu

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

func TestJobsCoverEveryHeadOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 300 {
		p := attention.Problem{Shape: attention.Shape{Batch: 1 + random.IntN(6), KVHeads: 1 + random.IntN(5), QueryLen: 1 + random.IntN(50),
			KeyLen: 1 + random.IntN(50), Dim: 1 + random.IntN(20), ValueDim: 1 + random.IntN(20)}}
		p.Heads = p.KVHeads * (1 + random.IntN(3))
		p.K, p.V, p.Masked = attention.Float16, attention.Float32, random.IntN(2) == 0
		splits := 1 + random.IntN(3)
		one := jobBytes(p, 1, 1).withPartials(splits).largest()
		limit := one * (1 + random.Int64N(12))
		seen := map[[2]int]int{}
		for _, r := range jobs(p, splits, limit) {
			require.LessOrEqual(t, jobBytes(p, r.b1-r.b0, r.h1-r.h0).withPartials(splits).largest(), limit)
			require.Equal(t, jobBytes(part(p, r), r.b1-r.b0, r.h1-r.h0), jobBytes(p, r.b1-r.b0, r.h1-r.h0), "a part alone takes what it takes")
			require.Equal(t, p.Group(), part(p, r).Group())
			for b := r.b0; b < r.b1; b++ {
				for h := r.h0; h < r.h1; h++ {
					seen[[2]int{b, h}]++
				}
			}
		}
		require.Len(t, seen, p.Batch*p.KVHeads)
		for at, n := range seen {
			require.Equal(t, 1, n, "%v", at)
		}
	}
}

// TestJobBytesAreWhatIsPacked keeps the sizes that limits are checked against.
func TestJobBytesAreWhatIsPacked(t *testing.T) {
	call := newTestCall(t, callSpec{d: 7, dv: 5, bias: true, mask: true})
	p := call.Problem
	in := pack(call, region{0, p.Batch, 0, p.KVHeads}, new(scratch))
	s := jobBytes(p, p.Batch, p.KVHeads)
	require.Len(t, in.q, int(s.q))
	require.Len(t, in.k, int(s.k))
	require.Len(t, in.v, int(s.v))
	require.Len(t, in.sequences, int(s.sequences))
	require.LessOrEqual(t, len(in.bias.data), int(s.bias))
	require.LessOrEqual(t, len(in.mask.data), int(s.mask)+3)
	require.Equal(t, s.o*3, s.withPartials(3).partialOutput)
	require.Equal(t, max(s.q, s.o, s.bias), s.largest())
}

// bitsWith runs a call on a backend after a change to it, which is undone.
func bitsWith(t *testing.T, b *Backend, c *attention.Call, change func(), undo func()) []uint32 {
	t.Helper()
	change()
	defer undo()
	blank(c)
	require.NoError(t, runOn(context.Background(), b, c))
	return outputBits(c)
}

var kernelsUnderTest = []struct {
	name string
	opt  Options
}{
	{"rows", Options{Kernel: KernelRows}},
	{"tiled small", Options{Kernel: KernelTiled, Tile: smallTile}},
	{"decode small", Options{Kernel: KernelDecode, Tile: smallTile}},
	{"naive", Options{Kernel: KernelNaive}},
}

// TestSmallBuffersChangeNoBits cuts a call into jobs for a device whose buffers
// are tiny.
func TestSmallBuffersChangeNoBits(t *testing.T) {
	for _, k := range kernelsUnderTest {
		t.Run(k.name, func(t *testing.T) {
			b := sharedBackend(t, k.name, k.opt)
			c := newTestCall(t, callSpec{batch: 3, heads: 6, kvHeads: 3, bias: true, mask: true, options: attention.Options{Causal: attention.BottomRight}})
			whole := bitsWith(t, b, c, func() {}, func() {})
			requireRight(t, c)
			large := b.limits.MaxSSBOBytes
			splits := b.variant(c.Problem).splits(c.Problem.KeyLen)
			one := jobBytes(c.Problem, 1, 1).withPartials(splits).largest()
			for _, limit := range []int64{one, 2 * one, 4 * one} {
				require.Greater(t, len(jobs(c.Problem, splits, limit)), 1)
				got := bitsWith(t, b, c, func() { b.limits.MaxSSBOBytes = limit }, func() { b.limits.MaxSSBOBytes = large })
				require.Equal(t, whole, got, "limit %d", limit)
			}
			b.limits.MaxSSBOBytes = one - 1
			defer func() { b.limits.MaxSSBOBytes = large }()
			var refused *attention.UnsupportedError
			require.ErrorAs(t, b.Supports(c.Problem), &refused, "one batch entry and KV head must fit")
			require.ErrorContains(t, refused, "storage blocks hold")
		})
	}
}

// TestShortDispatchesChangeNoBits cuts a call into many dispatches.
func TestShortDispatchesChangeNoBits(t *testing.T) {
	for _, k := range kernelsUnderTest {
		t.Run(k.name, func(t *testing.T) {
			b := sharedBackend(t, k.name, k.opt)
			c := newTestCall(t, callSpec{batch: 2, lq: 77, lk: 70, d: 12, options: attention.Options{Causal: attention.TopLeft}})
			whole := bitsWith(t, b, c, func() {}, func() {})
			requireRight(t, c)
			v := b.variant(c.Problem)
			programs := func(f func(*program)) {
				onThread(t, b, func(t require.TestingT) {
					for _, v := range []Variant{v, mergeOf(v)} {
						if prog := b.programs.made[v]; prog != nil {
							f(prog)
						}
					}
				})
			}
			for _, flops := range []float64{1, 2e6, 1e7} { // per second, of which the budget is a part
				slow := func() { programs(func(p *program) { p.pace = pace{flops: flops} }) }
				learned := 0.0
				restore := func() {
					programs(func(p *program) {
						if p.variant == v {
							learned = p.pace.flops
						}
						p.pace = newPace(true)
					})
				}
				require.Equal(t, whole, bitsWith(t, b, c, slow, restore), "%g operations per second", flops)
				if flops == 1 {
					require.Greater(t, learned, flops, "there were several dispatches: the first teaches nothing")
				}
			}
		})
	}
}
