package kernel

import "math"

// Constants of Exp and weight. The polynomial interpolates (eʳ−1−r)/r² at the Chebyshev
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

// Exp returns eˣ for x ≤ 88, at most 1.1 ulp off over normal results and 1.5 over
// subnormal ones (TestExpAccuracy; 1.03 and 1.0 were found). NaN gives NaN, −Inf gives 0.
//
// x = n·ln2 + r; eˣ = 2ⁿ·eʳ (Cody and Waite's reduction).
func Exp(x float32) float32 {
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
