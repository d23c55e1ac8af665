package verify

import (
	"math"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
)

// The constants of the float32 bound, in units of roundoff where they say "u".
const (
	roundoff = 0x1p-24 // u, half the distance from 1 to the next float32

	// scoreOps is added to D in γ: the scale's own rounding, its product with
	// log2 e, the rounding of that product, and its product with q or q·k.
	scoreOps = 4
	// blockOps, in u, is what a factor of a q8_0 block costs when a kernel multiplies
	// with it after it summed the block's integers, or before, into a weight.
	blockOps = 1
	// scoreRoundings, in u·|s|: converting a finished score to base 2, and storing it.
	scoreRoundings = 3
	// argumentRoundings, in u·|s−m|: the subtraction of the maximum, and storing it.
	argumentRoundings = 2
	// biasRoundings, in u·|bias|: log2 e times the bias.
	biasRoundings = 2
	// tanhError, in u·softcap: the absolute error of tanh by exponentials, which
	// cancels near 0, together with the division by softcap.
	tanhError = 8
	// capRoundings, in u·|s|: the relative part of the same.
	capRoundings = 4

	// GLSL allows exp and exp2 (3 + 2|x|) ULP; an ULP is at most 2u.
	expFixed, expSlope = 6, 4
	// rescaleOps, in u: the exponential of a rescale and its rounding.
	rescaleOps = expFixed + 1
	// divisionOps, in u: GLSL allows 2.5 ULP to a/b, plus one product by it.
	divisionOps = 6
	// smallestBlock is the fewest keys that a kernel rescales for at once.
	smallestBlock = 16
	// summationLambda is λ in the probabilistic bound for long sums, see sumError.
	summationLambda = 16

	// smallestNormal is what a device that flushes denormals turns into 0.
	smallestNormal = 0x1p-126

	// unitBackstop is the absolute limit on inputs of unit scale.
	unitBackstop = 2e-5
)

// gamma returns γ_n = n·u/(1−n·u), the relative error bound of n roundings.
func gamma(n float64) float64 {
	if n*roundoff >= 0.5 {
		return math.Inf(1)
	}
	return n * roundoff / (1 - n*roundoff)
}

// sumError bounds the relative error of a sum of n products in any order: γ_n,
// and for long sums λ·√n·u, which holds with a probability beyond 1 − 10⁻⁵⁰ for
// roundings without a drift (Higham and Mary, "A new approach to probabilistic
// rounding error analysis", 2019). λ is 16 where 8 would do, so that the drift
// of adding one constant over and over, n·u/4, stays inside up to n = 4096.
func sumError(n int) float64 {
	terms := float64(n + 1)
	return min(gamma(terms), math.Expm1(summationLambda*math.Sqrt(terms)*roundoff))
}

// rowBound is the float32 error bound of one row of attention, for a kernel of
// the kind that both backends have: any order of summation, fma or not, a
// running maximum with rescaling, partial results merged, scale folded with
// log2 e, exponentials and division as inaccurate as GLSL allows.
//
// Let s_j be the exact scores, p_j the weights, o = Σ p_j·v_j. The kernel has
// weights w_j = p_j·C·(1+ε_j) with a factor C common to the row, which cancels.
// Two things go into ε_j. The score's error
//
//	δ_j = γ_(D+4)·|scale|·Σ_d|q_d·k_jd| + u·(8·softcap + 4|s_j|) + 2u·|bias_j| + 3u·|s_j| + 2u·|s_j − m|
//
// (the softcap term only with a softcap; its slope is at most 1, so that the
// product's error passes through it undiminished at worst; γ_(D+5) for keys in q8_0),
// and the relative error of the exponentials
//
//	η_j = u·(6·(1+r) + 4·|s_j − m|·log2 e) + r·u
//
// where r counts the rescales that change something. The arguments of a weight's
// own exponential and of its rescales add up to s_j − m, so the slope counts once.
// Thus |ε_j| ≤ E_j = e^(δ_j)·(1+η_j) − 1. Numerator and denominator use the same
// w_j, as every kernel does that reads a score once, hence
//
//	Δo_d = Σ p_j·ε_j·(v_jd − o_d) / Σ p_j·(1+ε_j)
//	|Δo_d| ≤ Σ p_j·E_j·|v_jd − o_d| / Σ p_j·e^(−δ_j)·(1−η_j)
//
// To first order this is the rule (e^(2δ)−1)·Σ p_j|v_jd| with |v_jd − o_d| in place
// of |v_jd| + |o_d| and each key's own δ in place of the largest: sharper, and never
// meaningless, since a row that one key decides has v_j = o there. Then come the
// roundings of the two sums, of the rescales and of the division,
//
//	σ·(Σ p_j(1+E_j)|v_jd| + |o_d|·Σ p_j(1+E_j)) / Σ p_j·e^(−δ_j)(1−η_j),   σ = sumError(n) + (r+6)·u
//
// (r+7 for values in q8_0) and a floor of the smallest normal number times n·(1+max|v|), for devices that
// flush denormals and for weights that underflow.
//
// Where logits are so large that δ says nothing, the convex hull still does: a
// result is a mean of the allowed values, so it must lie between the smallest and
// the largest of them, to within σ. This is demanded of every finite row.
type rowBound struct {
	above, below []float64 // [Dv] how far the output may exceed, and fall short of, the exact one

	values    []float64
	deviation []float64 // Σ p_j·E_j·|v_jd − o_d|
	low, high []float64 // hull of the allowed values
	scores    []float64 // of the allowed keys, in key order
	stack     []float64
}

// compute fills above and below for row (b, h, i), whose oracle is row. Columns
// whose exact output is not finite get 0: Within compares those as they are.
func (r *rowBound) compute(call *attention.Call, b, h, i int, row *cpu.Row) {
	r.reset(len(row.O))
	if row.Empty || math.IsNaN(row.LSE) || math.IsInf(row.LSE, 0) {
		return // o is exactly 0, or NaN
	}
	p := call.Problem
	r.scores = r.scores[:0]
	for j, ok := range row.Allowed {
		if ok {
			r.scores = append(r.scores, row.Scores[j])
		}
	}
	n := len(r.scores)
	rescales := r.rescales()
	top := math.Inf(-1)
	for _, s := range r.scores {
		top = max(top, s)
	}
	products, sums := p.Dim+scoreOps, rescales+divisionOps // roundings of a score, and of an output beside its sum's
	if p.K == attention.Q8_0 {
		products += blockOps
	}
	if p.V == attention.Q8_0 {
		sums += blockOps
	}
	perProduct := gamma(float64(products)) * math.Abs(p.EffectiveScale())
	var spread, least float64 // Σ p·E and Σ p·e^−δ·(1−η)
	for j, ok := range row.Allowed {
		if !ok {
			continue
		}
		s := row.Scores[j]
		delta := perProduct*row.AbsQK[j] + roundoff*(scoreRoundings*math.Abs(s)+argumentRoundings*(top-s))
		if p.Softcap > 0 {
			delta += roundoff * (tanhError*float64(p.Softcap) + capRoundings*math.Abs(s))
		}
		if call.In.Bias.Present() {
			delta += roundoff * biasRoundings * math.Abs(call.In.Bias.At(b, h, i, j))
		}
		eta := roundoff * (expFixed + rescaleOps*rescales + expSlope*math.Log2E*(top-s))
		excess := weightExcess(row.Weights[j], s-row.LSE, delta, eta)
		spread += excess
		least += row.Weights[j] * math.Exp(-delta) * max(0, 1-eta)
		r.gather(call.In.V, b, h/p.Group(), j, excess, row.O)
	}
	r.finish(row, n, sumError(n)+sums*roundoff, spread, least)
}

// weightExcess returns p·E = p·(e^δ·(1+η) − 1) for a weight p whose logarithm is
// given too: p may underflow where p·e^δ does not.
func weightExcess(p, logarithm, delta, eta float64) float64 {
	if delta < 1 {
		return p * (math.Expm1(delta)*(1+eta) + eta)
	}
	return math.Exp(logarithm+delta) * (1 + eta)
}

// gather adds key j to the hull and to the weighted deviations.
func (r *rowBound) gather(v attention.Tensor, b, g, j int, excess float64, o []float64) {
	readRow(r.values, v, b, g, j)
	for d, x := range r.values {
		r.deviation[d] += excess * math.Abs(x-o[d])
		r.low[d], r.high[d] = min(r.low[d], x), max(r.high[d], x)
	}
}

func (r *rowBound) finish(row *cpu.Row, n int, sigma, spread, least float64) {
	for d, o := range row.O {
		if math.IsNaN(o) || math.IsInf(o, 0) {
			continue
		}
		reach := max(math.Abs(r.low[d]), math.Abs(r.high[d]))
		floor := smallestNormal * float64(n+2) * (1 + reach)
		sums := sigma * (row.AbsPV[d] + r.deviation[d] + math.Abs(o)*(1+2*spread))
		bound := (r.deviation[d]+sums)/least + floor
		hull := 2*sigma*reach + floor
		if math.IsNaN(bound) { // 0/0: δ beyond all exponents
			bound = math.Inf(1)
		}
		r.above[d] = min(bound, r.high[d]+hull-o)
		r.below[d] = min(bound, o-r.low[d]+hull)
	}
}

// rescales returns how often the running maximum can change under a weight: the
// longest chain of ever greater scores, taken forwards or backwards, but at most
// once a block; and once for each level of a tree of merges.
func (r *rowBound) rescales() float64 {
	blocks := (len(r.scores) + smallestBlock - 1) / smallestBlock
	chain := max(r.chain(true), r.chain(false))
	return float64(min(chain, blocks)) + math.Ceil(math.Log2(float64(max(blocks, 1)))) + 1
}

// chain returns the most records that any start can see ahead of it. The stack
// holds the records seen from the current key, nearest on top.
func (r *rowBound) chain(forward bool) int {
	r.stack = r.stack[:0]
	longest := 0
	for n := range r.scores {
		s := r.scores[n]
		if forward {
			s = r.scores[len(r.scores)-1-n]
		}
		for len(r.stack) > 0 && r.stack[len(r.stack)-1] <= s {
			r.stack = r.stack[:len(r.stack)-1]
		}
		r.stack = append(r.stack, s)
		longest = max(longest, len(r.stack))
	}
	return longest
}

func (r *rowBound) reset(columns int) {
	for _, buffer := range []*[]float64{&r.above, &r.below, &r.values, &r.deviation, &r.low, &r.high} {
		*buffer = zeroed(*buffer, columns)
	}
	for d := range r.low {
		r.low[d], r.high[d] = math.Inf(1), math.Inf(-1)
	}
}
