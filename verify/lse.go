package verify

import "math"

// lseRelative is the limit of rule 4. It is not derived from the inputs: a
// log-sum-exp is used to merge partial results, so an absolute error is what
// counts, and 1e-5 is what float32 holds for scores of usual size.
const lseRelative = 1e-5

// LSEBound returns the largest error allowed to a log-sum-exp whose exact value
// is want: 1e-5·max(1, |want|), and 0 for an infinite or NaN want.
func LSEBound(want float64) float64 {
	if math.IsNaN(want) || math.IsInf(want, 0) {
		return 0
	}
	return lseRelative * math.Max(1, math.Abs(want))
}
