package verify

import "math"

// Within reports whether got lies within bound of want. It is written in the
// positive form, so that a NaN fails unless NaN is wanted:
//
//	want NaN   got must be NaN
//	want ±Inf  got must be the same infinity
//	otherwise  |got − want| ≤ bound, and got finite
//
// A negative or NaN bound admits nothing. 0 and −0 are equal.
func Within(got, want, bound float64) bool {
	switch {
	case !(bound >= 0):
		return false
	case math.IsNaN(want):
		return math.IsNaN(got)
	case math.IsInf(want, 0):
		return got == want
	}
	return math.Abs(got-want) <= min(bound, math.MaxFloat64)
}

// Quotient returns |got − want| / bound, the share of the bound that is used up:
// at most 1 exactly where Within holds, 0 for equal or equally special values,
// +Inf where no finite quotient makes sense.
func Quotient(got, want, bound float64) float64 {
	if !Within(got, want, bound) {
		if q := math.Abs(got-want) / bound; q > 1 {
			return q
		}
		return math.Inf(1)
	}
	diff := math.Abs(got - want)
	if !(diff > 0) { // equal, or NaN and infinities that match
		return 0
	}
	return diff / bound
}
