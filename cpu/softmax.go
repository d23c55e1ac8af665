package cpu

import "math"

var (
	negativeInf  = float32(math.Inf(-1))
	positiveInf  = float32(math.Inf(1))
	masked       = float32(math.Copysign(0, -1)) // the weight of a masked key
	maskedBits   = math.Float32bits(masked)
	notANumber32 = float32(math.NaN())
)

// isMasked reports whether a weight is that of a masked key, see kernel.Set.Weigh.
func isMasked(weight float32) bool { return math.Float32bits(weight) == maskedBits }

// state is the running softmax of some rows, a number for each, and what the
// last tile did to it.
type state struct {
	top, total        []float32 // as in partial
	factor, tileTotal []float32
}

// makeState returns the state of the rows of p; numbers is for the rest of it, 2·rows.
func makeState(p *partial, numbers []float32) state {
	rows := len(p.top)
	return state{p.top, p.total, numbers[:rows], numbers[rows : 2*rows]}
}

// of returns the part of rows [first, first+count).
func (s state) of(first, count int) state {
	end := first + count
	return state{s.top[first:end], s.total[first:end], s.factor[first:end], s.tileTotal[first:end]}
}

// mend finishes rows of which a kernel called the last tile odd, given whether a
// score of row r is NaN:
//
//	a NaN score makes top, total and factor NaN for good
//	a +Inf score makes top +Inf and the total NaN, unless a score is NaN
func (s state) mend(rows int, hasNaN func(r int) bool) {
	for r := range rows {
		if s.tileTotal[r] == s.tileTotal[r] {
			continue
		}
		if s.top[r] != positiveInf || hasNaN(r) {
			s.top[r], s.factor[r] = notANumber32, notANumber32
		}
	}
}

// advance adds the tile to the totals, given the factor of what they held.
func (s state) advance(factor []float32) {
	for r := range s.total {
		s.total[r] = s.total[r]*factor[r] + s.tileTotal[r]
	}
}

// anyNaN reports whether every step-th of the scores has a NaN among them.
func anyNaN(scores []float32, step int) bool {
	for j := 0; j < len(scores); j += step {
		if scores[j] != scores[j] {
			return true
		}
	}
	return false
}
