package cpu

import "math"

// Constants of exp32. The polynomial interpolates (eʳ−1−r)/r² at the Chebyshev
// nodes of |r| ≤ ln2/2, a relative error of eʳ of 1.1e-8; rounding adds the rest.
const (
	log2e   = 1.44269504088896340736
	ln2High = 0.693359375 // few bits, so that n·ln2High is exact
	ln2Low  = -2.12194440054690583e-4

	exp2c = 0.5
	exp3c = 0.16666576266288757
	exp4c = 0.041666556149721146
	exp5c = 0.008363177999854088
	exp6c = 0.0013926181709393859

	roundBias = 0x1.8p23 // x + roundBias − roundBias is x rounded to an integer

	expSubnormal = -87  // below it the result may be subnormal
	expZero      = -104 // below it the result is 0
)

// exp32 returns eˣ for x ≤ 88, at most 1.1 ulp off over normal results and 1.5
// over subnormal ones (TestExpAccuracy; 1.03 and 1.0 were found). NaN gives NaN, −Inf gives 0.
//
// x = n·ln2 + r; eˣ = 2ⁿ·eʳ (Cody and Waite's reduction).
func exp32(x float32) float32 {
	exponent, rescale := uint32(127), float32(1)
	if x < expSubnormal {
		if x < expZero {
			return 0
		}
		exponent, rescale = 127+64, 0x1p-64 // 2ⁿ alone would leave the range of normal numbers
	}
	biased := x*log2e + roundBias
	n := biased - roundBias
	r := (x - n*ln2High) - n*ln2Low
	poly := 1 + (r + r*r*(exp2c+r*(exp3c+r*(exp4c+r*(exp5c+r*exp6c)))))
	return poly * math.Float32frombits(math.Float32bits(biased)<<23+exponent<<23) * rescale
}

// Constants of tanh32: (tanh y − y)/y³ as a polynomial of y², interpolated at
// the Chebyshev nodes of 0 to 0.625².
const (
	tanhNear  = 0.625
	tanhLimit = 9.1 // beyond it tanh rounds to ±1

	tanh3c  = -0.333333283662796
	tanh5c  = 0.1333276927471161
	tanh7c  = -0.05385090783238411
	tanh9c  = 0.020997179672122
	tanh11c = -0.006096714176237583
)

// tanh32 returns tanh y, at most 1.5 ulp off (TestTanhAccuracy; 1.32 was found).
func tanh32(y float32) float32 {
	size := max(y, -y)
	switch {
	case size <= tanhNear:
		z := y * y
		return y + y*z*(tanh3c+z*(tanh5c+z*(tanh7c+z*(tanh9c+z*tanh11c))))
	case size > tanhLimit:
		return math.Float32frombits(math.Float32bits(1) | math.Float32bits(y)&(1<<31))
	}
	t := 1 - 2/(exp32(2*size)+1) // NaN comes here and stays
	if y < 0 {
		return -t
	}
	return t
}
