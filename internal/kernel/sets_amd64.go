package kernel

import "golang.org/x/sys/cpu"

// sets lists the implementations that this processor can run, best first.
func sets() []*Set {
	var list []*Set
	x := &cpu.X86
	if x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX2 && x.HasFMA && x.HasF16C {
		list = append(list, &avx512)
	}
	if x.HasAVX2 && x.HasFMA && x.HasF16C {
		list = append(list, &avx2)
	}
	return append(list, &portable)
}

var avx2 = assembly("avx2", 16, 2, nil, primitives{
	scoresAVX2, valuesAVX2, weighAVX2, weighRowAVX2, transposeAVX2, scaleAVX2, storeAVX2, fenceAVX2, biasAVX2, expandAVX2, softcapAVX2,
	[4]widen{nil, widenF16AVX2, widenBF16AVX2, widenQ8AVX2}, narrowF16AVX2, narrowBF16AVX2,
	[3]largest{largestF32AVX2, largestF16AVX2, largestBF16AVX2},
	[4]dots{{dotsF32x1AVX2, dotsF32x2AVX2}, {dotsF16x1AVX2, dotsF16x2AVX2}, {dotsBF16x1AVX2, dotsBF16x2AVX2}, {dotsQ8x1AVX2, dotsQ8x2AVX2}},
	[4]mix{{mixF32x1AVX2, mixF32x2AVX2}, {mixF16x1AVX2, mixF16x2AVX2}, {mixBF16x1AVX2, mixBF16x2AVX2}, {mixQ8x1AVX2, mixQ8x2AVX2}},
})

var avx512 = assembly("avx512", 32, 4, &avx2, primitives{
	scoresAVX512, valuesAVX512, weighAVX512, weighRowAVX512, transposeAVX2, scaleAVX512, storeAVX512, fenceAVX512, biasAVX512, expandAVX512, softcapAVX512,
	[4]widen{nil, widenF16AVX512, widenBF16AVX512, widenQ8AVX512}, narrowF16AVX512, narrowBF16AVX512,
	[3]largest{largestF32AVX512, largestF16AVX512, largestBF16AVX512},
	[4]dots{{dotsF32x1AVX512, dotsF32x2AVX512, dotsF32x4AVX512}, {dotsF16x1AVX512, dotsF16x2AVX512, dotsF16x4AVX512}, {dotsBF16x1AVX512, dotsBF16x2AVX512, dotsBF16x4AVX512}, {dotsQ8x1AVX512, dotsQ8x2AVX512, dotsQ8x4AVX512}},
	[4]mix{{mixF32x1AVX512, mixF32x2AVX512, mixF32x4AVX512}, {mixF16x1AVX512, mixF16x2AVX512, mixF16x4AVX512}, {mixBF16x1AVX512, mixBF16x2AVX512, mixBF16x4AVX512}, {mixQ8x1AVX512, mixQ8x2AVX512, mixQ8x4AVX512}},
})
