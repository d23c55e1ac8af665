package kernel

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// sets lists the implementations that this processor can run, best first.
func sets() []*Set {
	var list []*Set
	x := &cpu.X86
	if x.HasAVX512F && x.HasAVX512DQ && x.HasAVX2 && x.HasFMA {
		list = append(list, &avx512)
	}
	if x.HasAVX2 && x.HasFMA && x.HasF16C {
		list = append(list, &avx2)
	}
	return append(list, &portable)
}

var avx2 = assembly("avx2", 16, primitives{
	scoresAVX2, valuesAVX2, weighAVX2, weighRowAVX2, widenF16AVX2, widenBF16AVX2,
	[3]dots{{dotsF32x1AVX2, dotsF32x2AVX2, dotsF32x4AVX2}, {dotsF16x1AVX2, dotsF16x2AVX2, dotsF16x4AVX2}, {dotsBF16x1AVX2, dotsBF16x2AVX2, dotsBF16x4AVX2}},
	[3]mix{{mixF32x1AVX2, mixF32x2AVX2, mixF32x4AVX2}, {mixF16x1AVX2, mixF16x2AVX2, mixF16x4AVX2}, {mixBF16x1AVX2, mixBF16x2AVX2, mixBF16x4AVX2}},
})

var avx512 = assembly("avx512", 32, primitives{
	scoresAVX512, valuesAVX512, weighAVX512, weighRowAVX512, widenF16AVX512, widenBF16AVX512,
	[3]dots{{dotsF32x1AVX512, dotsF32x2AVX512, dotsF32x4AVX512}, {dotsF16x1AVX512, dotsF16x2AVX512, dotsF16x4AVX512}, {dotsBF16x1AVX512, dotsBF16x2AVX512, dotsBF16x4AVX512}},
	[3]mix{{mixF32x1AVX512, mixF32x2AVX512, mixF32x4AVX512}, {mixF16x1AVX512, mixF16x2AVX512, mixF16x4AVX512}, {mixBF16x1AVX512, mixBF16x2AVX512, mixBF16x4AVX512}},
})

// dots and mix are a kernel for 1, 2 and 4 rows.
type (
	dots [3]func(scores *float32, lds int, queries *float32, ldq int, keys *byte, ldk, vectors, count int, next *byte)
	mix  [3]func(out *float32, ldo int, factor, weights *float32, ldw int, values *byte, ldv, vectors, count int, next *byte)
)

// primitives is the assembly of one instruction set. Dots and mix come for
// float32, binary16 and bfloat16.
type primitives struct {
	scores    func(scores, queries, keys *float32, ld, dim, sixes, fours, ones int)
	values    func(out, factor, weights, values *float32, first, keys, rows, sixes, fours, ones int)
	weigh     func(scores *float32, keys, fine int, top, factor, total *float32) (holes, odd uint32)
	weighRow  func(scores *float32, vectors int, top, factor, total *float32) (holes, odd uint32)
	widen16   func(dst *float32, src *uint16, vectors int)
	widenBF16 func(dst *float32, src *uint16, vectors int)
	dots      [3]dots
	mix       [3]mix
}

// assembly wraps primitives, which take addresses, in functions that take
// slices. The methods of Set have checked all lengths.
func assembly(name string, lanes int, p primitives) Set {
	width := lanes / 2
	return Set{
		Name: name, Lanes: lanes, Width: width,
		scores: func(scores, queries, keys []float32, ld, dim int, g groups) {
			p.scores(&scores[0], &queries[0], &keys[0], ld, dim, g.sixes, g.fours, g.ones)
		},
		values: func(out, factor, weights, values []float32, first, keys, rows int, g groups) {
			p.values(&out[0], &factor[0], unsafe.SliceData(weights), unsafe.SliceData(values), first, keys, rows, g.sixes, g.fours, g.ones)
		},
		weigh: func(scores []float32, keys, fine int, top, factor, total []float32) (holes, odd uint32) {
			return p.weigh(unsafe.SliceData(scores), keys, fine, &top[0], &factor[0], &total[0])
		},
		weighRow: func(scores []float32, top, factor, total []float32) (holes, odd uint32) {
			return p.weighRow(unsafe.SliceData(scores), len(scores)/width, &top[0], &factor[0], &total[0])
		},
		pack: func(dst, src []float32, ld, rows int, g groups) {
			packAVX2(&dst[0], &src[0], ld, rows, g.sixes, g.fours, g.ones)
		},
		transpose: func(dst []float32, ldd int, src []float32, lds int, scale float32, blocks int) {
			transposeAVX2(&dst[0], ldd, &src[0], lds, scale, blocks, 8*ldd, 8)
		},
		widen: func(dst []float32, src []uint16, brain bool) {
			if brain {
				p.widenBF16(&dst[0], &src[0], len(src)/width)
				return
			}
			p.widen16(&dst[0], &src[0], len(src)/width)
		},
		dots: func(rows int, scores []float32, lds int, queries []float32, ldq int, keys Rows, dim, count int, next Rows) {
			from, at := keys.address()
			p.dots[from][rows/2](&scores[0], lds, &queries[0], ldq, at, keys.Stride, dim/width, count, next.orElse(at))
		},
		mix: func(rows int, out []float32, ldo int, factor, weights []float32, ldw int, values Rows, columns, count int, next Rows) {
			from, at := values.address()
			p.mix[from][rows/2](&out[0], ldo, &factor[0], &weights[0], ldw, at, values.Stride, columns/width, count, next.orElse(at))
		},
	}
}

// address returns the number of the storage type in primitives, and row 0.
func (r *Rows) address() (from int, at *byte) {
	switch {
	case r.Float32s != nil:
		return 0, (*byte)(unsafe.Pointer(unsafe.SliceData(r.Float32s)))
	case r.Brain:
		return 2, (*byte)(unsafe.Pointer(unsafe.SliceData(r.Uint16s)))
	}
	return 1, (*byte)(unsafe.Pointer(unsafe.SliceData(r.Uint16s)))
}

// orElse returns the address of row 0, or another if there are no rows.
func (r *Rows) orElse(other *byte) *byte {
	if _, at := r.address(); at != nil {
		return at
	}
	return other
}
