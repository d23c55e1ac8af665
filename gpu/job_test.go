package gpu

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

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
				b.limits.MaxSSBOBytes = limit
				parts := b.sizer(c.Problem, b.variant(c.Problem)).cuts()
				b.limits.MaxSSBOBytes = large
				require.Greater(t, len(parts), 1)
				got := bitsWith(t, b, c, func() { b.limits.MaxSSBOBytes = limit }, func() { b.limits.MaxSSBOBytes = large })
				require.Equal(t, whole, got, "limit %d", limit)
			}
			b.limits.MaxSSBOBytes = 64
			defer func() { b.limits.MaxSSBOBytes = large }()
			var refused *attention.UnsupportedError
			require.ErrorAs(t, b.Supports(c.Problem), &refused, "a step of queries and keys must fit")
			require.ErrorContains(t, refused, "storage blocks hold")
		})
	}
}

// TestRangesOfQueriesAndKeysChangeNoBits cuts a call of which not even one head fits.
func TestRangesOfQueriesAndKeysChangeNoBits(t *testing.T) {
	for _, k := range kernelsUnderTest {
		t.Run(k.name, func(t *testing.T) {
			b := sharedBackend(t, "ranges "+k.name, Options{Kernel: k.opt.Kernel, Tile: func(v Variant) Tile {
				tile := smallTile(v)
				switch v.Kernel {
				case KernelTiled:
					tile.Split = 64
				case KernelNaive:
					tile = Tile{ThreadsX: 16, ThreadsY: 1, Chunk: 1, Split: 64}
				}
				return tile
			}})
			cutQueries, cutKeys := 0, 0
			for _, spec := range []callSpec{
				{batch: 2, heads: 2, kvHeads: 2, lq: 45, lk: 700, d: 12, options: attention.Options{Causal: attention.BottomRight}},
				{batch: 1, heads: 4, kvHeads: 2, lq: 30, lk: 601, d: 8, dv: 20, bias: true, mask: true},
				{batch: 1, heads: 2, kvHeads: 1, lq: 45, lk: 700, d: 12, options: attention.Options{
					Causal: attention.TopLeft, Window: attention.Window{Left: 90, Right: -1, Align: attention.TopLeft}, Softcap: 5}},
			} {
				c := newTestCall(t, spec)
				whole := bitsWith(t, b, c, func() {}, func() {})
				requireRight(t, c)
				large := b.limits.MaxSSBOBytes
				for limit := int64(1 << 12); limit < 1<<17; limit *= 2 {
					b.limits.MaxSSBOBytes = limit
					parts := b.sizer(c.Problem, b.variant(c.Problem)).cuts()
					b.limits.MaxSSBOBytes = large
					if parts == nil {
						continue
					}
					cutQueries, cutKeys = max(cutQueries, len(parts[0].queries)), max(cutKeys, len(parts[0].keys))
					got := bitsWith(t, b, c, func() { b.limits.MaxSSBOBytes = limit }, func() { b.limits.MaxSSBOBytes = large })
					require.Equal(t, whole, got, "limit %d: %v", limit, parts)
				}
			}
			require.Greater(t, cutQueries, 1)
			require.Greater(t, cutKeys, 1)
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

// TestStorageBlocksOf16MiB has keys, biases and partial results that no storage block of
// 16 MiB holds as a whole, with the tiles that are shipped.
func TestStorageBlocksOf16MiB(t *testing.T) {
	if testing.Short() {
		t.Skip("short: a minute under the race detector")
	}
	for name, spec := range map[string]callSpec{
		"keys":           {batch: 1, heads: 2, kvHeads: 2, lq: 3, lk: 70_000, d: 64},
		"keys and masks": {batch: 1, heads: 1, kvHeads: 1, lq: 70, lk: 66_000, d: 64, mask: true, bias: true, options: attention.Options{Causal: attention.BottomRight}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTestCall(t, spec)
			b := sharedBackend(t, "auto", Options{})
			large := b.limits.MaxSSBOBytes
			b.limits.MaxSSBOBytes = 16 << 20
			defer func() { b.limits.MaxSSBOBytes = large }()
			parts := b.sizer(c.Problem, b.variant(c.Problem)).cuts()
			require.Greater(t, len(parts[0].keys), 1)
			require.NoError(t, b.Supports(c.Problem))
			require.NoError(t, runOn(context.Background(), b, c))
			requireRight(t, c)
			got := outputBits(c)
			require.Equal(t, got, bitsWith(t, b, c, func() { b.limits.MaxSSBOBytes = large }, func() { b.limits.MaxSSBOBytes = 16 << 20 }))
		})
	}
}
