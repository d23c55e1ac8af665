package cpu

import (
	"math"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/kernel"
)

// partial is attention of some rows over some of their keys, not yet divided
// by the row sums:
//
//	top[r]          = max_j s_rj                     −Inf while nothing is allowed
//	total[r]        = Σ_j exp(s_rj − top[r])
//	out[r·stride+c] = Σ_j exp(s_rj − top[r])·v_jc
//
// Partials of the same rows over different keys are joined by merge. Kernels write
// whole vectors and whole panels, so there may be more rows and columns than are
// asked for; nobody reads those.
type partial struct {
	stride          int
	out, top, total []float32
}

// partialSize returns the numbers that rows rows need.
func partialSize(rows, stride int) int { return rows * (stride + 2) }

func makePartial(numbers []float32, rows, stride int) partial {
	at := rows * stride
	return partial{stride: stride, out: numbers[:at], top: numbers[at : at+rows], total: numbers[at+rows:][:rows]}
}

// reset makes p the partial of no keys at all.
func (p *partial) reset() {
	clear(p.out)
	clear(p.total)
	fill(p.top, negativeInf)
}

func fill(list []float32, with float32) {
	for n := range list {
		list[n] = with
	}
}

func (p *partial) row(r int) []float32 { return p.out[r*p.stride : (r+1)*p.stride] }

// merge joins into p the partial of the first rows rows over further keys, which is
// used up; scratch is for two numbers a row. Joining is commutative exactly and associative but for
// rounding; callers keep the order of the keys.
func (p *partial) merge(set *kernel.Set, other *partial, rows int, scratch []float32) {
	mine, theirs := scratch[:rows], scratch[rows:2*rows] // factors of the outputs
	for r := range rows {
		common := max(p.top[r], other.top[r]) // NaN if either is
		mine[r], theirs[r] = factorOf(p.top[r], common), factorOf(other.top[r], common)
		// Each product is rounded, never fused with the sum, which would tell the two sides apart.
		p.top[r], p.total[r] = common, float32(p.total[r]*mine[r])+float32(other.total[r]*theirs[r])
	}
	set.Scale(p.out, p.stride, mine, p.stride)
	set.Scale(other.out, p.stride, theirs, p.stride)
	for r := range theirs {
		if other.top[r] != negativeInf { // outputs of nothing are not read; NaN stays, however small its weight
			theirs[r] = 1
			set.Mix(p.row(r), p.stride, theirs[r:r+1], 1, 1, kernel.Rows{Float32s: other.row(r), Stride: p.stride}, p.stride, 1)
		}
	}
}

// factorOf returns what sums under the maximum top are multiplied by under common, which
// is no less; 0 where they are of nothing.
func factorOf(top, common float32) float32 {
	if top == negativeInf {
		return 0
	}
	return kernel.Exp(top - common)
}

// store divides by the row sums and writes the rows to the call's outputs:
//
//	o = out·(1/total)      lse = top + ln total
//
// A row with nothing allowed gives 0 and −Inf exactly.
func (p *partial) store(set *kernel.Set, call *attention.Call, b int, rows []row) {
	o, lse := &call.Out.O, &call.Out.LSE
	for n, r := range rows {
		top, total := p.top[n], p.total[n]
		if lse.Present() {
			lse.Float32s()[lse.Index(b, r.head, r.query, 0)] = logSumExp(top, total)
		}
		p.total[n] = 1 / total // the greatest weight is 1, so that the total is 1 or more
		if top == negativeInf {
			clear(p.row(n))
			p.total[n] = 1
		}
	}
	factor := p.total[:len(rows)]
	if consecutive(&call.Problem, o, rows) {
		set.Store(o.Float32s()[o.Index(b, rows[0].head, rows[0].query, 0):], o.Strides()[attention.AxisSequence], p.out, p.stride, factor, call.Problem.ValueDim)
		return
	}
	set.Scale(p.out, p.stride, factor, p.stride)
	for n, r := range rows {
		set.WriteElements(*o, o.Index(b, r.head, r.query, 0), o.Strides()[attention.AxisDim], p.row(n)[:call.Problem.ValueDim])
	}
}

// consecutive reports whether rows are queries of one head that lie one after another
// in a float32 output.
func consecutive(p *attention.Problem, o *attention.Tensor, rows []row) bool {
	last := len(rows) - 1
	return o.DType() == attention.Float32 && adjacent(*o) && o.Strides()[attention.AxisSequence] >= p.ValueDim &&
		rows[0].head == rows[last].head && rows[last].query-rows[0].query == last
}

func logSumExp(top, total float32) float32 {
	if math.IsInf(float64(top), 0) {
		return top // with +Inf the total is NaN, with −Inf it is 0
	}
	return float32(float64(top) + math.Log(float64(total)))
}
