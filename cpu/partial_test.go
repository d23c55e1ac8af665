package cpu

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention/internal/kernel"
)

// vector is a width that is whole vectors of every set.
const vector = 16

// onePartial is one row over random keys, with top, total and outputs as the
// definition of partial says.
func onePartial(random *rand.Rand, scores, values []float64) partial {
	p := makePartial(make([]float32, partialSize(1, vector)), 1, vector)
	p.reset()
	if len(scores) == 0 {
		return p
	}
	top := math.Inf(-1)
	for _, s := range scores {
		top = max(top, s)
	}
	p.top[0] = float32(top)
	var total, out float64
	for j, s := range scores {
		w := math.Exp(s - float64(float32(top)))
		total += w
		out += w * values[j]
	}
	p.total[0], p.out[0], p.out[1] = float32(total), float32(out), float32(random.Float64())
	p.out[1] = p.total[0] // the output of values that are all 1
	return p
}

func join(parts ...partial) partial {
	p := makePartial(make([]float32, partialSize(1, vector)), 1, vector)
	p.reset()
	for _, part := range parts {
		part.out = slices.Clone(part.out) // it is used up
		p.merge(kernel.Auto(), &part, 1, make([]float32, 2))
	}
	return p
}

func TestMergeIsThePartialOfAllKeys(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		scores, values := make([]float64, random.IntN(30)), make([]float64, 30)
		for j := range scores {
			scores[j], values[j] = 10*random.NormFloat64(), random.NormFloat64()
		}
		cut := random.IntN(len(scores) + 1)
		a, b := onePartial(random, scores[:cut], values[:cut]), onePartial(random, scores[cut:], values[cut:])
		all, joined := onePartial(random, scores, values), join(a, b)
		require.Equal(t, all.top, joined.top)
		require.InDelta(t, all.total[0], joined.total[0], 1e-5)
		require.InDelta(t, all.out[0], joined.out[0], 1e-5)
		require.InDelta(t, joined.total[0], joined.out[1], 1e-5)
		require.Equal(t, joined, join(b, a), "order of two does not matter")
	}
}

func TestMergeOfNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	some := onePartial(random, []float64{1, 2}, []float64{3, 4})
	none := onePartial(random, nil, nil)
	none.out[0] = notANumber32 // outputs of nothing are not read
	require.Equal(t, some, join(none, some, none))
	require.Equal(t, negativeInf, join(none, none).top[0])
}

func TestMergeKeepsNaNAndInf(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	some := onePartial(random, []float64{1, 2}, []float64{3, 4})
	for _, top := range []float32{notANumber32, positiveInf} {
		bad := onePartial(random, []float64{1}, []float64{1})
		bad.top[0], bad.total[0] = top, notANumber32
		for _, p := range []partial{join(some, bad), join(bad, some), join(bad, bad)} {
			require.True(t, p.total[0] != p.total[0])
			require.True(t, p.top[0] == top || top != top && p.top[0] != p.top[0], "top is %v", p.top[0])
		}
	}
}

// TestMergeKeepsNaNOfSmallWeight joins an output that is NaN under a maximum so low that
// its factor is 0: 0·NaN is NaN, as in the formula.
func TestMergeKeepsNaNOfSmallWeight(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	high, low := onePartial(random, []float64{500}, []float64{1}), onePartial(random, []float64{1}, []float64{1})
	low.out[0] = notANumber32
	for _, p := range []partial{join(high, low), join(low, high)} {
		require.True(t, p.out[0] != p.out[0])
		require.Equal(t, []float32{500, 1}, []float32{p.top[0], p.total[0]})
	}
}
