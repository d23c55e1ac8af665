//go:build amd64 || arm64

package kernel

import "unsafe"

// widen and largest are a kernel each for a storage type; float32 needs no widening,
// blocks are told by their scales.
type (
	widen   func(dst *float32, src *byte, count int)
	largest func(rows *byte, ld, vectors, count int) uint32
)

// dots and mix are a kernel each for 1, 2 and 4 rows. Strides are in bytes.
type (
	dots [3]func(scores *float32, lds int, queries *float32, ldq int, keys *byte, ldk, apart, groups, tail, count int)
	mix  [3]func(out *float32, ldo int, weights *float32, ldw int, values *byte, ldv, apart, groups, count, rest int)
)

// primitives is the assembly of one instruction set. What reads rows comes
// for float32, binary16, bfloat16 and blocks.
type primitives struct {
	scores               func(scores, queries, keys *float32, ld, dim, sixes, fours, ones int)
	values               func(out *float32, ldo int, factor, weights, values *float32, ldv, keys, vectors int, counts *int32)
	weigh                func(scores *float32, keys, fine int, top, factor, total *float32) (holes, odd uint32)
	weighRow             func(scores *float32, vectors int, top, factor, total *float32) (holes, odd uint32)
	transpose            func(dst *float32, ldd int, src *float32, lds int, scale float32, blocks int)
	scale                func(rows *float32, ld int, factor *float32, vectors, count int)
	store                func(dst *float32, ldd int, src *float32, lds int, factor *float32, vectors, tail, count int)
	fence                func(scores *float32, first, keys int, low, high *int32)
	bias                 func(scores, bias *float32, vectors int)
	expand               func(bias *float32, keep *bool, vectors int)
	softcap              func(scores *float32, vectors int, softcap float32)
	widen                [4]widen
	narrow16, narrowBF16 func(dst *uint16, src *float32, vectors int)
	largest              [3]largest
	dots                 [4]dots
	mix                  [4]mix
}

// assembly wraps primitives, which take addresses, in functions that take
// slices. The methods of Set have checked all lengths.
func assembly(name string, lanes, rows int, narrower *Set, p primitives) Set {
	s := Set{Name: name, Lanes: lanes, Width: lanes / 2, Rows: rows, narrower: narrower}
	p.panels(&s)
	p.rows(&s)
	return s
}

// panels sets the panel kernels and what works on scores in any order.
func (p *primitives) panels(s *Set) {
	width := s.Width
	s.scores = func(scores, queries, keys []float32, ld, dim int, g groups) {
		p.scores(&scores[0], &queries[0], &keys[0], ld, dim, g.sixes, g.fours, g.ones)
	}
	s.values = func(out []float32, ldo int, factor, weights, values []float32, ldv, keys, columns int, counts []int32) {
		p.values(&out[0], ldo, &factor[0], unsafe.SliceData(weights), unsafe.SliceData(values), ldv, keys, columns/width, unsafe.SliceData(counts))
	}
	s.weigh = func(scores []float32, keys, fine int, top, factor, total []float32) (holes, odd uint32) {
		return p.weigh(unsafe.SliceData(scores), keys, fine, &top[0], &factor[0], &total[0])
	}
	s.weighRow = func(scores []float32, top, factor, total []float32) (holes, odd uint32) {
		return p.weighRow(unsafe.SliceData(scores), len(scores)/width, &top[0], &factor[0], &total[0])
	}
	s.transpose = func(dst []float32, ldd int, src []float32, lds int, scale float32, blocks int) {
		p.transpose(&dst[0], ldd, &src[0], lds, scale, blocks)
	}
	s.fence = func(scores []float32, first, keys int, low, high []int32) {
		p.fence(&scores[0], first, keys, &low[0], &high[0])
	}
	s.bias = func(scores, bias []float32) { p.bias(&scores[0], &bias[0], len(scores)/width) }
	s.expand = func(bias []float32, keep []bool) { p.expand(&bias[0], &keep[0], len(keep)/width) }
	s.softcap = func(scores []float32, softcap float32) { p.softcap(&scores[0], len(scores)/width, softcap) }
}

// rows sets the row kernels, conversions among them.
func (p *primitives) rows(s *Set) {
	width := s.Width
	s.widen = func(dst []float32, row Rows) {
		from, at := row.address()
		p.widen[from](&dst[0], at, len(dst)/row.group(width))
	}
	s.narrow = func(dst []uint16, src []float32, brain bool) {
		if brain {
			p.narrowBF16(&dst[0], &src[0], len(src)/width)
			return
		}
		p.narrow16(&dst[0], &src[0], len(src)/width)
	}
	s.largest = func(rows Rows, columns, count int) uint32 {
		from, at := rows.address()
		return p.largest[from](at, rows.byteStride(), columns/width, count)
	}
	s.scale = func(rows []float32, ld int, factor []float32, columns int) {
		p.scale(&rows[0], 4*ld, &factor[0], columns/width, len(factor))
	}
	s.store = func(dst []float32, ldd int, src []float32, lds int, factor []float32, columns int) {
		p.store(&dst[0], 4*ldd, &src[0], 4*lds, &factor[0], columns/width, columns%width, len(factor))
	}
	s.dots = func(rows int, scores []float32, lds int, queries []float32, ldq int, keys Rows, dim, count int) {
		if count < streams {
			dotsGo(rows, scores, lds, queries, ldq, keys, dim, count)
			return
		}
		from, at := keys.address()
		ld, each, groups, tail := keys.byteStride(), count/streams, dim/width, dim%width
		if keys.Blocks != nil {
			groups, tail = roundUp(dim, Block)/Block, 0 // no number of a block is NaN alone, and queries are 0 behind dim
		}
		p.dots[from][rows/2](&scores[0], 4*lds, &queries[0], 4*ldq, at, ld, each*ld, groups, tail, each)
		if count%streams > 0 { // the last keys, some of them once more
			first := count - streams
			last := keys.From(first)
			_, at := last.address()
			p.dots[from][rows/2](&scores[first], 4*lds, &queries[0], 4*ldq, at, ld, ld, groups, tail, 1)
		}
	}
	s.mix = func(rows int, out []float32, ldo int, weights []float32, ldw int, values Rows, columns, count int) {
		from, at := values.address()
		ld, each := values.byteStride(), count/streams
		p.mix[from][rows/2](&out[0], 4*ldo, &weights[0], 4*ldw, at, ld, each*ld, columns/values.group(width), each, count%streams)
	}
}

// streams is how many keys the row kernels read side by side, far apart.
const streams = 4

// address returns the number of the storage type in primitives, and row 0.
func (r *Rows) address() (from int, at *byte) {
	switch {
	case r.Float32s != nil:
		return 0, (*byte)(unsafe.Pointer(unsafe.SliceData(r.Float32s)))
	case r.Blocks != nil:
		return 3, unsafe.SliceData(r.Blocks)
	case r.Brain:
		return 2, (*byte)(unsafe.Pointer(unsafe.SliceData(r.Uint16s)))
	}
	return 1, (*byte)(unsafe.Pointer(unsafe.SliceData(r.Uint16s)))
}

func (r *Rows) byteStride() int {
	switch {
	case r.Float32s != nil:
		return 4 * r.Stride
	case r.Blocks != nil:
		return r.Stride / Block * BlockBytes
	}
	return 2 * r.Stride
}
