package kernel

// Softcap bounds scores, of which there are whole vectors, whatever their order:
//
//	scores[n] = softcap·tanh(scores[n]/softcap)
//
// A tanh is at most 1.5 ulp off by the portable twin, 2.5 by assembly.
func (s *Set) Softcap(scores []float32, softcap float32) {
	if s.whole(len(scores)) {
		s.softcap(scores, softcap)
	}
}

// AddBias adds biases to scores, of which there are whole vectors:
//
//	scores[n] += bias[n], or becomes −Inf where bias[n] is, even if it is NaN
func (s *Set) AddBias(scores, bias []float32) {
	if s.whole(len(scores)) {
		s.bias(scores, bias[:len(scores)])
	}
}

// Expand turns a boolean mask into biases, for any number of keys:
//
//	bias[n] = 0 if keep[n], else −Inf
func (s *Set) Expand(bias []float32, keep []bool) {
	bias = bias[:len(keep)]
	whole := len(keep) / s.Width * s.Width
	if whole > 0 {
		s.expand(bias[:whole], keep[:whole])
	}
	expandGo(bias[whole:], keep[whole:])
}

// whole reports whether n numbers are at least one vector; it panics if they are
// not whole vectors.
func (s *Set) whole(n int) bool {
	if n%s.Width != 0 {
		panic("kernel: scores must come in whole vectors")
	}
	return n > 0
}
