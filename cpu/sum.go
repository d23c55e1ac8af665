package cpu

import "math"

// sum adds float64 numbers with the rounding error of each addition carried
// along (Neumaier's variant of Kahan's summation; the error term is found
// without branches, by Knuth's TwoSum). The result is as good as one computed
// in twice the precision and then rounded. The zero sum is empty.
type sum struct{ total, lost float64 }

func (s *sum) add(x float64) {
	t := s.total + x
	part := t - s.total
	s.lost += (s.total - (t - part)) + (x - part)
	s.total = t
}

// value returns the sum. Once the total is Inf or NaN the error term is
// meaningless (Inf − Inf) and the total alone is the right answer.
func (s *sum) value() float64 {
	if math.IsInf(s.total, 0) || math.IsNaN(s.total) {
		return s.total
	}
	return s.total + s.lost
}

// dot returns Σ a[d]·b[d], and Σ |a[d]·b[d]| over the finite products.
func dot(a, b []float64) (product, magnitude float64) {
	var s sum
	for d, x := range a {
		p := x * b[d]
		s.add(p)
		if size := math.Abs(p); size <= math.MaxFloat64 {
			magnitude += size
		}
	}
	return s.value(), magnitude
}
