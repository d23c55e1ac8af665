package dispatch

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

func TestWorkFollowsTheMask(t *testing.T) {
	for name, opts := range map[string]attention.Options{
		"plain":        {},
		"causal":       {Causal: attention.TopLeft},
		"bottom right": {Causal: attention.BottomRight},
		"window":       {Window: attention.Window{Left: 100, Right: 20, Align: attention.TopLeft}},
		"both":         {Causal: attention.BottomRight, Window: attention.Window{Left: 64, Right: -1, Align: attention.BottomRight}},
	} {
		for _, lengths := range [][2]int{{1, 1}, {7, 50}, {64, 64}, {500, 900}, {1000, 300}, {0, 5}, {5, 0}} {
			in, out := operands(lengths[0], lengths[1])
			call, err := attention.NewCall(opts, in, out)
			require.NoError(t, err)
			exact := float64(call.Problem.FLOPs(call.Pairs()))
			work := workOf(call.Problem)
			require.InDelta(t, exact, work.FLOPs, 0.02*exact+1, "%s %v", name, lengths)
			require.InDelta(t, float64(call.Problem.Bytes()), work.Bytes, 0)
		}
	}
}

// TestQuantizedCachesMoveFewerBytes: the cost of a cache is that of its blocks.
func TestQuantizedCachesMoveFewerBytes(t *testing.T) {
	p := problemOf(t, 1, 1000)
	p.Dim, p.ValueDim = 128, 128
	half, quantized := p, p
	half.K, half.V = attention.Float16, attention.Float16
	quantized.K, quantized.V = attention.Q8_0, attention.Q8_0
	require.Equal(t, workOf(half).FLOPs, workOf(quantized).FLOPs)
	require.InDelta(t, 1000*2*(256-136), workOf(half).Bytes-workOf(quantized).Bytes, 0)
}

func TestWorkNeedsNoData(t *testing.T) {
	p := problemOf(t, 4, 100)
	full := workOf(p)
	p.Masked, p.Lengths = true, true
	require.Equal(t, full, workOf(p))
	p.Causal = attention.PerBatch
	p.Window = attention.Window{Left: -1, Right: -1, Align: attention.PerBatch}
	q := problemOf(t, 4, 100)
	q.Causal = attention.BottomRight
	require.Equal(t, workOf(q), workOf(p))
	p.Batch, p.Heads, p.KVHeads, p.QueryLen, p.KeyLen = 1<<30, 1<<30, 1<<30, 1<<30, 1<<30
	huge := workOf(p)
	require.Greater(t, huge.FLOPs, 1e30)
	require.False(t, math.IsInf(huge.FLOPs, 0))
	require.Equal(t, time.Duration(math.MaxInt64), newLearner().Estimate("reference", huge))
}

func TestStartRatesOrder(t *testing.T) {
	l := newLearner()
	tiny, large := workOf(problemOf(t, 1, 16)), Work{FLOPs: 1e12, Bytes: 1e8}
	require.Less(t, l.Estimate("cpu", tiny), l.Estimate("gpu", tiny), "a tiny call is not worth the transfer")
	require.Less(t, l.Estimate("gpu", large), l.Estimate("cpu", large))
	for _, work := range []Work{tiny, large} {
		require.Less(t, l.Estimate("cpu", work), l.Estimate("gpu-software", work))
		require.LessOrEqual(t, l.Estimate("cpu", work), l.Estimate("reference", work))
	}
}

func TestLearnerFindsTheRates(t *testing.T) {
	truth := rates{overhead: 50e-6, compute: 300e9, transfer: 1e9}
	l := newLearner()
	works := []Work{{FLOPs: 1e10, Bytes: 1e5}, {FLOPs: 1e6, Bytes: 1e8}, {FLOPs: 100, Bytes: 100}}
	took := func(w Work) time.Duration {
		a, b, c := truth.parts(w)
		return seconds(a + b + c)
	}
	for range 100 {
		for _, w := range works {
			l.Observe("new", w, took(w))
		}
	}
	for _, w := range works {
		require.InEpsilon(t, took(w).Seconds(), l.Estimate("new", w).Seconds(), 0.02)
	}
	require.Equal(t, newLearner().Estimate("cpu", works[0]), l.Estimate("cpu", works[0]), "classes learn apart")

	before := l.Estimate("new", works[0])
	l.Observe("new", works[0], 1000*took(works[0]))
	require.Less(t, l.Estimate("new", works[0]), 2*before, "one outlier moves little")
	l.Observe("new", works[0], 0)
	l.Observe("new", works[0], -1)
	require.Positive(t, l.Estimate("new", works[0]))
}
