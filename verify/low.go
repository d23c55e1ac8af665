package verify

import (
	"fmt"
	"math"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
)

// The factors of rule 3, FlashAttention-3's.
const (
	lowMaxFactor  = 2
	lowMeanFactor = 1.5
	lowShift      = 0.3 // (ref + 0.3) − 0.3 measures the storage type's rounding
)

// LowPair is rule 3, the pair of limits that FlashAttention-3 sets for float16
// and bfloat16, here also for q8_0: with naive_low the plain formula rounded to the storage type after
// each of its operations, over all elements of the outputs that were compared,
//
//	max|out−ref|  ≤ 2·max|naive_low−ref| + 2·max|(ref+0.3)−0.3−ref|
//	mean|out−ref| ≤ 1.5·mean|naive_low−ref| + the mean float32 bound
//
// The last term is ours: where naive_low happens to be exact, float32 arithmetic
// need not be. Elements at which naive_low or ref is not finite (float16 scores
// overflow beyond 65504) are left out.
type LowPair struct {
	Applied             bool // any of Q, K, V, O is stored in 16 bits or q8_0, and some element was finite
	Max, MaxLimit       float64
	Mean, MeanLimit     float64
	Type                attention.DType // the type that naive_low was rounded to
	LeftOut, Considered int             // elements
}

// Pass reports whether both limits hold, or none applies.
func (p LowPair) Pass() bool {
	return !p.Applied || Within(p.Max, 0, p.MaxLimit) && Within(p.Mean, 0, p.MeanLimit)
}

// String names the numbers.
func (p LowPair) String() string {
	if !p.Applied {
		return "no 16-bit pair"
	}
	return fmt.Sprintf("%v pair: max %.3g of %.3g, mean %.3g of %.3g", p.Type, p.Max, p.MaxLimit, p.Mean, p.MeanLimit)
}

// lowSums gathers what a LowPair needs.
type lowSums struct {
	maxOut, maxNaive, maxShift   float64
	sumOut, sumNaive, sumFloat32 float64
	considered, leftOut          int
}

func (s *lowSums) merge(o lowSums) {
	s.maxOut, s.maxNaive, s.maxShift = max(s.maxOut, o.maxOut), max(s.maxNaive, o.maxNaive), max(s.maxShift, o.maxShift)
	s.sumOut, s.sumNaive, s.sumFloat32 = s.sumOut+o.sumOut, s.sumNaive+o.sumNaive, s.sumFloat32+o.sumFloat32
	s.considered, s.leftOut = s.considered+o.considered, s.leftOut+o.leftOut
}

// add takes one element: the output, naive_low, the exact value and its float32 bound.
func (s *lowSums) add(out, naive, ref, bound float64, round func(float64) float64) {
	if !finite(naive) || !finite(ref) {
		s.leftOut++
		return
	}
	s.considered++
	shift := round(round(ref+lowShift) - lowShift)
	s.maxOut, s.sumOut = max(s.maxOut, math.Abs(out-ref)), s.sumOut+math.Abs(out-ref)
	s.maxNaive, s.sumNaive = max(s.maxNaive, math.Abs(naive-ref)), s.sumNaive+math.Abs(naive-ref)
	s.maxShift, s.sumFloat32 = max(s.maxShift, math.Abs(shift-ref)), s.sumFloat32+bound
}

func (s *lowSums) pair(t attention.DType) LowPair {
	if s.considered == 0 {
		return LowPair{LeftOut: s.leftOut}
	}
	n := float64(s.considered)
	return LowPair{
		Applied: true, Type: t, Considered: s.considered, LeftOut: s.leftOut,
		Max: s.maxOut, MaxLimit: lowMaxFactor * (s.maxNaive + s.maxShift),
		Mean: s.sumOut / n, MeanLimit: (lowMeanFactor*s.sumNaive + s.sumFloat32) / n,
	}
}

// storage describes the rounding of a type.
type storage struct {
	unit     float64 // half an ULP of 1
	least    float64 // half the smallest denormal
	overflow float64 // from here on, numbers round to infinity
	round    func(float64) float64
}

var storages = map[attention.DType]storage{
	attention.Float32: {0x1p-24, 0x1p-150, 0x1p128 * (1 - 0x1p-25), func(x float64) float64 { return float64(float32(x)) }},
	attention.Float16: {0x1p-11, 0x1p-25, 65520,
		func(x float64) float64 {
			return float64(attention.Float16ToFloat32(attention.Float32ToFloat16(float32(x))))
		}},
	attention.BFloat16: {0x1p-8, 0x1p-134, 0x1p128 * (1 - 0x1p-9),
		func(x float64) float64 {
			return float64(attention.BFloat16ToFloat32(attention.Float32ToBFloat16(float32(x))))
		}},
}

// lowType returns the type that naive_low rounds to: that of O if it has 16 bits,
// else the coarsest 16-bit input; NoType if everything is float32. Nothing that is
// computed has a block to be rounded in, so q8_0 counts as the float16 of its
// scales: the strictest type that can be meant.
func lowType(p attention.Problem) attention.DType {
	low := attention.NoType
	for _, t := range []attention.DType{p.Q, p.K, p.V} {
		if t == attention.Q8_0 {
			t = attention.Float16
		}
		if t == attention.BFloat16 || t == attention.Float16 && low == attention.NoType {
			low = t
		}
	}
	if p.O != attention.Float32 {
		low = p.O
	}
	return low
}

// naiveRow computes a row by the plain formula in a storage type.
type naiveRow struct {
	round             func(float64) float64
	o                 []float64 // [Dv]
	weights           []float64
	query, key, value []float64
}

// compute sets o for row (b, h, i): scores, weights and outputs are each rounded;
// the sums inside them are not, as matrix products accumulate in a wider type.
func (n *naiveRow) compute(call *attention.Call, b, h, i int, row *cpu.Row) {
	p := call.Problem
	g := h / p.Group()
	n.o, n.query, n.key = zeroed(n.o, p.ValueDim), zeroed(n.query, p.Dim), zeroed(n.key, p.Dim)
	n.weights, n.value = zeroed(n.weights, p.KeyLen), zeroed(n.value, p.ValueDim)
	readRow(n.query, call.In.Q, b, h, i)
	top := math.Inf(-1)
	for j, ok := range row.Allowed {
		if !ok {
			continue
		}
		readRow(n.key, call.In.K, b, g, j)
		var product float64
		for d, q := range n.query {
			product += q * n.key[d]
		}
		var bias float64
		if call.In.Bias.Present() {
			bias = call.In.Bias.At(b, h, i, j)
		}
		n.weights[j] = n.score(p, product, bias)
		top = max(top, n.weights[j])
	}
	var total float64
	for j, ok := range row.Allowed {
		if ok {
			n.weights[j] = n.round(math.Exp(n.round(n.weights[j] - top)))
			total += n.weights[j]
		}
	}
	total = n.round(total)
	for j, ok := range row.Allowed {
		if !ok {
			continue
		}
		weight := n.round(n.weights[j] / total)
		readRow(n.value, call.In.V, b, g, j)
		for d, v := range n.value {
			n.o[d] += weight * v
		}
	}
	for d := range n.o {
		n.o[d] = n.round(n.o[d])
	}
}

func (n *naiveRow) score(p attention.Problem, product, bias float64) float64 {
	s := n.round(n.round(product) * p.EffectiveScale())
	if p.Softcap > 0 {
		limit := float64(p.Softcap)
		s = n.round(limit * n.round(math.Tanh(n.round(s/limit))))
	}
	return n.round(s + bias)
}

func finite(x float64) bool { return math.Abs(x) <= math.MaxFloat64 }
