package cpu

import "math"

var (
	negativeInf  = float32(math.Inf(-1))
	positiveInf  = float32(math.Inf(1))
	masked       = float32(math.Copysign(0, -1)) // the weight of a masked key
	maskedBits   = math.Float32bits(masked)
	notANumber32 = float32(math.NaN())
)

// isMasked reports whether a weight made by weigh is that of a masked key.
func isMasked(weight float32) bool { return math.Float32bits(weight) == maskedBits }

// weigh turns the scores of a tile into weights under the running maximum of
// each of the first rows rows, in place:
//
//	top'[r]   = max(top[r], max_j scores[j][r])
//	weights   = exp(scores[j][r] − top'[r])
//	total[r]  = Σ_j weights[j][r]
//	factor[r] = exp(top[r] − top'[r])       what earlier outputs and sums must be scaled by
//
// A score of −Inf is a masked key: its weight is −0, which an allowed key never
// has, and holes is true. A NaN score makes top, total and factor NaN for good.
// A +Inf score makes top +Inf and the total NaN. While every score of a row was
// −Inf its top is −Inf and its total 0.
func weigh(scores []quad, rows int, top *quad) (factor, total quad, holes bool) {
	before := *top
	raise(scores, top)
	var base quad
	for r := range rows {
		if top[r] == positiveInf && hasNaN(scores, r) {
			top[r] = notANumber32
		}
		if top[r] != negativeInf { // else every difference is −Inf − 0
			base[r] = top[r]
		}
		factor[r] = exp32(before[r] - base[r])
	}
	for j := range scores {
		s := &scores[j]
		for r := range rows {
			x := s[r] - base[r]
			if x < expSubnormal {
				if s[r] == negativeInf {
					s[r], holes = masked, true
					continue
				}
				s[r] = exp32(x)
				total[r] += s[r]
				continue
			}
			biased := x*log2e + roundBias // exp32 by hand: too large to be inlined
			n := biased - roundBias
			y := (x - n*ln2High) - n*ln2Low
			poly := 1 + (y + y*y*(exp2c+y*(exp3c+y*(exp4c+y*(exp5c+y*exp6c)))))
			weight := poly * math.Float32frombits(math.Float32bits(biased)<<23+127<<23)
			s[r] = weight
			total[r] += weight
		}
	}
	for r := range rows {
		if total[r] != total[r] && top[r] != positiveInf {
			top[r], factor[r] = notANumber32, notANumber32
		}
	}
	return factor, total, holes
}

// raise lifts top to the greatest score of each row. NaN scores are passed over.
func raise(scores []quad, top *quad) {
	t0, t1, t2, t3 := top[0], top[1], top[2], top[3]
	for j := range scores {
		s := &scores[j]
		if s[0] > t0 {
			t0 = s[0]
		}
		if s[1] > t1 {
			t1 = s[1]
		}
		if s[2] > t2 {
			t2 = s[2]
		}
		if s[3] > t3 {
			t3 = s[3]
		}
	}
	*top = quad{t0, t1, t2, t3}
}

func hasNaN(scores []quad, r int) bool {
	for j := range scores {
		if scores[j][r] != scores[j][r] {
			return true
		}
	}
	return false
}
