package kernel

import "math"

// biasGo is Set.AddBias.
func biasGo(scores, bias []float32) {
	for n, b := range bias {
		if b == negativeInf {
			scores[n] = b
		} else {
			scores[n] += b
		}
	}
}

// expandGo is Set.Expand.
func expandGo(bias []float32, keep []bool) {
	for n, k := range keep {
		bias[n] = negativeInf
		if k {
			bias[n] = 0
		}
	}
}

// softcapGo is Set.Softcap.
func softcapGo(scores []float32, softcap float32) {
	for n, s := range scores {
		scores[n] = softcap * tanh(s/softcap)
	}
}

// Constants of tanh: (tanh y − y)/y³ as a polynomial of y², interpolated at the
// Chebyshev nodes of 0 to 0.625².
const (
	tanhNear  = 0.625
	tanhLimit = 9.1 // beyond it tanh rounds to ±1

	tanh3c  = -0.333333283662796
	tanh5c  = 0.1333276927471161
	tanh7c  = -0.05385090783238411
	tanh9c  = 0.020997179672122
	tanh11c = -0.006096714176237583
)

// tanh returns tanh y, at most 1.5 ulp off (TestSoftcapAccuracy).
func tanh(y float32) float32 {
	size := max(y, -y)
	switch {
	case size <= tanhNear:
		z := y * y
		return y + y*z*(tanh3c+z*(tanh5c+z*(tanh7c+z*(tanh9c+z*tanh11c))))
	case size > tanhLimit:
		return math.Float32frombits(math.Float32bits(1) | math.Float32bits(y)&(1<<31))
	}
	t := 1 - 2/(Exp(2*size)+1) // NaN comes here and stays
	if y < 0 {
		return -t
	}
	return t
}
