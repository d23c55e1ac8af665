package kernel

import "golang.org/x/sys/cpu"

// sets lists the implementations that this processor can run, best first.
func sets() []*Set {
	if cpu.ARM64.HasASIMD {
		return []*Set{&neon, &portable}
	}
	return []*Set{&portable}
}

var neon = assembly("neon", 16, 4, nil, primitives{
	scoresNEON, valuesNEON, weighNEON, weighRowNEON, transposeNEON, scaleNEON, storeNEON, fenceNEON, biasNEON, expandNEON, softcapNEON,
	[4]widen{nil, widenF16NEON, widenBF16NEON, widenQ8NEON}, narrowF16NEON, narrowBF16NEON,
	[3]largest{largestF32NEON, largestF16NEON, largestBF16NEON},
	[4]dots{{dotsF32x1NEON, dotsF32x2NEON, dotsF32x4NEON}, {dotsF16x1NEON, dotsF16x2NEON, dotsF16x4NEON}, {dotsBF16x1NEON, dotsBF16x2NEON, dotsBF16x4NEON}, {dotsQ8x1NEON, dotsQ8x2NEON, dotsQ8x4NEON}},
	[4]mix{{mixF32x1NEON, mixF32x2NEON, mixF32x4NEON}, {mixF16x1NEON, mixF16x2NEON, mixF16x4NEON}, {mixBF16x1NEON, mixBF16x2NEON, mixBF16x4NEON}, {mixQ8x1NEON, mixQ8x2NEON, mixQ8x4NEON}},
})
