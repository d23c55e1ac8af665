package cpu

import (
	"math"

	"github.com/glattn/attention"
)

// partial is attention of some rows over some of their keys, not yet divided
// by the row sums:
//
//	top[r]        = max_j s_rj                     −Inf while nothing is allowed
//	total[r]      = Σ_j exp(s_rj − top[r])
//	out[r·width+c] = Σ_j exp(s_rj − top[r])·v_jc
//
// Partials of the same rows over different keys are joined by merge.
type partial struct {
	width int
	out   []float32
	top   []quad // by panels of rows, like total
	total []quad
}

// partialSize returns the float32 numbers and the quads that rows rows need.
// The outputs of an incomplete panel are padded to four rows, except for a
// panel of one row, which the tile products treat by itself.
func partialSize(rows, width int) (numbers, quads int) {
	padded := ceilDiv(rows, lanes) * lanes
	if rows%lanes == 1 {
		padded = rows
	}
	return padded * width, 2 * ceilDiv(rows, lanes)
}

func makePartial(numbers []float32, quads []quad, width int) partial {
	return partial{width: width, out: numbers, top: quads[:len(quads)/2], total: quads[len(quads)/2:]}
}

// reset makes p the partial of no keys at all.
func (p *partial) reset() {
	clear(p.out)
	clear(p.total)
	for n := range p.top {
		p.top[n] = quad{negativeInf, negativeInf, negativeInf, negativeInf}
	}
}

// outputs returns the rows of a panel.
func (p *partial) outputs(number int) []float32 {
	return p.out[number*lanes*p.width : min((number+1)*lanes*p.width, len(p.out))]
}

// merge joins into p the partial of the first rows rows over further keys.
// Joining is commutative exactly and associative but for rounding; callers keep
// the order of the keys.
func (p *partial) merge(other *partial, rows int) {
	for r := range rows {
		top, total := &p.top[r/lanes][r%lanes], &p.total[r/lanes][r%lanes]
		otherTop, otherTotal := other.top[r/lanes][r%lanes], other.total[r/lanes][r%lanes]
		if otherTop == negativeInf {
			continue
		}
		mine, theirs := p.out[r*p.width:(r+1)*p.width], other.out[r*p.width:(r+1)*p.width]
		if *top == negativeInf {
			copy(mine, theirs)
			*top, *total = otherTop, otherTotal
			continue
		}
		common := max(*top, otherTop) // NaN if either is
		a, b := exp32(*top-common), exp32(otherTop-common)
		for c, x := range theirs {
			mine[c] = mine[c]*a + x*b
		}
		*top, *total = common, *total*a+otherTotal*b
	}
}

// store divides by the row sums and writes the rows to the call's outputs:
//
//	o = out/total      lse = top + ln total
//
// A row with nothing allowed gives 0 and −Inf exactly.
func (p *partial) store(call *attention.Call, b int, rows []row) {
	for n, r := range rows {
		top, total := p.top[n/lanes][n%lanes], p.total[n/lanes][n%lanes]
		out := p.out[n*p.width : (n+1)*p.width]
		if top == negativeInf {
			clear(out)
		} else {
			for c := range out {
				out[c] /= total
			}
		}
		narrow(call.Out.O, b, r.head, r.query, out)
		if call.Out.LSE.Present() {
			lse := call.Out.LSE
			lse.Float32s()[lse.Index(b, r.head, r.query, 0)] = logSumExp(top, total)
		}
	}
}

func logSumExp(top, total float32) float32 {
	if math.IsInf(float64(top), 0) {
		return top // with +Inf the total is NaN, with −Inf it is 0
	}
	return float32(float64(top) + math.Log(float64(total)))
}
