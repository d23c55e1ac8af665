package gpu

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// TestCutsCoverEverythingOnce cuts problems for storage blocks of any size.
func TestCutsCoverEverythingOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	refused, cutKeys, cutQueries := 0, 0, 0
	for range 600 {
		p := attention.Problem{Shape: attention.Shape{Batch: 1 + random.IntN(4), KVHeads: 1 + random.IntN(4), QueryLen: 1 + random.IntN(50),
			KeyLen: 1 + random.IntN(50), Dim: 1 + random.IntN(20), ValueDim: 1 + random.IntN(20)}}
		p.Heads = p.KVHeads * (1 + random.IntN(3))
		p.K, p.V, p.Masked = attention.Float16, attention.Float32, random.IntN(2) == 0
		v := Variant{Kernel: KernelTiled, Tile: Tile{ThreadsY: 1 + random.IntN(3), Rows: 2}}
		if random.IntN(3) > 0 {
			v.Partial, v.Tile.Split = true, 1+random.IntN(20)
		}
		splits := v.splits(p.KeyLen)
		s := sizer{problem: p, variant: v}
		one := jobBytes(p, 1, 1).withPartials(splits).largest()
		s.limit = max(1, int64(float64(one)*8*random.Float64()*random.Float64()*random.Float64()))
		parts := s.cuts()
		if parts == nil {
			refused++
			require.Less(t, s.limit, one, "what fits as a whole is not refused")
			continue
		}
		seen := map[[4]int]int{}
		for _, w := range parts {
			for _, q := range w.queries {
				require.Zero(t, q.low*p.Group()%v.Tile.rowsPerGroup(v.Kernel), "rows meet as without cuts")
				for _, k := range w.keys {
					require.Zero(t, k.low%max(1, v.Tile.Split), "partial results are those without cuts")
					sub := part(p, w.region, q, k)
					require.LessOrEqual(t, jobBytes(sub, sub.Batch, sub.KVHeads).withPartials(splits).largest(), s.limit)
					require.Equal(t, p.Group(), sub.Group())
					for b := w.b0; b < w.b1; b++ {
						for h := w.h0; h < w.h1; h++ {
							for i := q.low; i < q.high; i++ {
								for j := k.low; j < k.high; j++ {
									seen[[4]int{b, h, i, j}]++
								}
							}
						}
					}
				}
			}
			cutKeys += len(w.keys) - 1
			cutQueries += len(w.queries) - 1
		}
		require.Len(t, seen, p.Batch*p.KVHeads*p.QueryLen*p.KeyLen)
		for at, n := range seen {
			require.Equal(t, 1, n, "%v", at)
		}
	}
	require.Greater(t, refused, 50)
	require.Greater(t, cutKeys, 100)
	require.Greater(t, cutQueries, 100)
}

// TestJobBytesAreWhatIsPacked keeps the sizes that limits are checked against.
func TestJobBytesAreWhatIsPacked(t *testing.T) {
	call := newTestCall(t, callSpec{d: 7, dv: 5, bias: true, mask: true})
	p := call.Problem
	for _, keys := range []span{{0, p.KeyLen}, {5, 19}} {
		for _, queries := range []span{{0, p.QueryLen}, {2, 9}} {
			r, host := region{0, p.Batch, 0, p.KVHeads}, new(scratch)
			in := packKeys(call, r, queries, keys, true, true, true, host)
			sub := part(p, r, queries, keys)
			s := jobBytes(sub, p.Batch, p.KVHeads)
			require.Len(t, packQueries(call, r, queries, host), int(s.q))
			require.Len(t, in.k, int(s.k))
			require.Len(t, in.v, int(s.v))
			require.Len(t, in.sequences, int(s.sequences))
			require.LessOrEqual(t, len(in.bias.data), int(s.bias))
			require.LessOrEqual(t, len(in.mask.data), int(s.mask)+3)
			require.Equal(t, s.o*3, s.withPartials(3).partialOutput)
		}
	}
}
