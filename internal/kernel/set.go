package kernel

import "fmt"

// Set is one implementation of the kernels. Sets are immutable; all methods may
// be called concurrently on different memory.
type Set struct {
	Name  string // go, avx2, avx512
	Lanes int    // rows of a panel
	Width int    // row kernels take dims and columns in multiples of it

	scores   func(scores, queries, keys []float32, ld, dim int, g groups)
	values   func(out, factor, weights, values []float32, first, keys, rows int, g groups)
	weigh    func(scores []float32, keys, fine int, top, factor, total []float32) (holes, odd uint32)
	weighRow func(scores []float32, top, factor, total []float32) (holes, odd uint32)
	pack     func(dst, src []float32, ld, rows int, g groups)
	// transpose is nil, or transposes blocks side by side in 8 rows, 8 columns each.
	transpose func(dst []float32, ldd int, src []float32, lds int, scale float32, blocks int)
	widen     func(dst []float32, src []uint16, brain bool)
	dots      func(rows int, scores []float32, lds int, queries []float32, ldq int, keys Rows, dim, count int, next Rows)
	mix       func(rows int, out []float32, ldo int, factor, weights []float32, ldw int, values Rows, width, count int, next Rows)
}

// groups is how a number of keys or columns falls into groups that are computed
// side by side.
type groups struct{ sixes, fours, ones int }

func groupsOf(n int) groups {
	for fours := range 3 { // n even and 4 or more always ends with 0 left
		if left := n - 4*fours; left >= 0 && left%6 <= 1 {
			return groups{left / 6, fours, left % 6}
		}
	}
	return groups{ones: n} // 2 and 3
}

// each calls visit for the groups in order, with the first index and the size.
func (g groups) each(visit func(first, size int)) {
	first := 0
	for _, part := range []struct{ count, size int }{{g.sixes, 6}, {g.fours, 4}, {g.ones, 1}} {
		for range part.count {
			visit(first, part.size)
			first += part.size
		}
	}
}

// Rows is rows of numbers: row j starts at element j·Stride of the one slice
// that is not nil. Uint16s holds binary16, or bfloat16 if Brain is set.
type Rows struct {
	Float32s []float32
	Uint16s  []uint16
	Brain    bool
	Stride   int
}

// From returns the rows without the first n.
func (r Rows) From(n int) Rows {
	if r.Float32s != nil {
		r.Float32s = r.Float32s[n*r.Stride:]
	} else {
		r.Uint16s = r.Uint16s[n*r.Stride:]
	}
	return r
}

// check panics unless rows rows of width numbers lie inside.
func (r Rows) check(rows, width int) {
	if have, need := max(len(r.Float32s), len(r.Uint16s)), span(rows, r.Stride, width); have < need {
		panic(fmt.Sprintf("kernel: index out of range: %d numbers, %d needed", have, need))
	}
}

// span is the numbers from the first of rows rows to the last.
func span(rows, stride, width int) int {
	if rows == 0 {
		return 0
	}
	return (rows-1)*stride + width
}

// Scores computes the products of a panel of queries with keys:
//
//	scores[j][lane] = Σ_d queries[d][lane]·keys[j][d]      j < n, d < dim
//
// with row j of keys at j·ld.
func (s *Set) Scores(scores, queries, keys []float32, ld, dim, n int) {
	if n == 0 || dim == 0 {
		return
	}
	_, _, _ = scores[n*s.Lanes-1], queries[dim*s.Lanes-1], keys[span(n, ld, dim)-1]
	s.scores(scores, queries, keys, ld, dim, groupsOf(n))
}

// Values adds weighted values to a panel of outputs:
//
//	out[c][lane] = out[c][lane]·factor[lane] + Σ_j weights[j][lane]·values[first+j][c]      j < keys, c < width
//
// with values as Pack left rows of them. No keys scale the outputs.
func (s *Set) Values(out, factor, weights, values []float32, first, keys, rows, width int) {
	if width == 0 {
		return
	}
	if first < 0 || first+keys > rows {
		panic("kernel: keys out of range of the packed rows")
	}
	_, _ = out[width*s.Lanes-1], factor[s.Lanes-1]
	if keys > 0 {
		_, _ = weights[keys*s.Lanes-1], values[rows*width-1]
	}
	s.values(out, factor, weights, values, first, keys, rows, groupsOf(width))
}

// Weigh turns the scores [key][lane] of a panel into weights under the running
// maximum of each lane, in place:
//
//	top'[lane]   = max(top[lane], max_j scores[j][lane])
//	weights      = exp(scores[j][lane] − top'[lane])
//	total[lane]  = Σ_j weights[j][lane]
//	factor[lane] = exp(top[lane] − top'[lane])
//
// An exponential is at most 1.2 ulp off; below e⁻⁸⁷ it is 0. A score of −Inf is a
// masked key: its weight is −0, which no other score has, and holes is true. odd
// is true when a total is NaN, as one is for NaN and for +Inf scores; NaN scores
// do not raise top.
//
// The first fine keys are those which are likely not masked: a hint, for speed.
func (s *Set) Weigh(scores []float32, keys, fine int, top, factor, total []float32) (holes, odd bool) {
	_, _, _ = top[s.Lanes-1], factor[s.Lanes-1], total[s.Lanes-1]
	if keys > 0 {
		_ = scores[keys*s.Lanes-1]
	}
	fine = max(0, min(fine, keys))
	h, o := s.weigh(scores, keys, fine, top, factor, total)
	return h != 0, o != 0
}

// WeighRow is Weigh for one row: scores[j] for all j, of which there must be a
// multiple of Width; top, factor and total are single numbers.
func (s *Set) WeighRow(scores []float32, top, factor, total []float32) (holes, odd bool) {
	_, _, _ = top[0], factor[0], total[0]
	if len(scores)%s.Width != 0 {
		panic("kernel: scores must come in whole vectors")
	}
	h, o := s.weighRow(scores, top, factor, total)
	return h != 0, o != 0
}

// Widen converts binary16, or bfloat16 numbers if brain is set, exactly.
func (s *Set) Widen(dst []float32, src []uint16, brain bool) {
	dst = dst[:len(src)]
	whole := len(src) / s.Width * s.Width
	if whole > 0 {
		s.widen(dst[:whole], src[:whole], brain)
	}
	if whole < len(src) {
		widenGo(dst[whole:], src[whole:], brain)
	}
}

// Dots computes the products of rows of queries with keys:
//
//	scores[r·lds+j] = Σ_d queries[r·ldq+d]·keys[j][d]      r < rows, j < count, d < dim
//
// dim is a multiple of Width. What is read next, if anything, is asked of the memory
// meanwhile.
func (s *Set) Dots(scores []float32, lds int, queries []float32, ldq, rows int, keys Rows, dim, count int, next Rows) {
	if rows == 0 || count == 0 {
		return
	}
	_, _ = scores[span(rows, lds, count)-1], queries[span(rows, ldq, dim)-1]
	keys.check(count, dim)
	for r := 0; r < rows; {
		n := rowsAtOnce(rows - r)
		s.dots(n, scores[r*lds:], lds, queries[r*ldq:], ldq, keys, dim, count, next)
		r += n
		next = Rows{}
	}
}

// Mix adds weighted values to rows of outputs:
//
//	out[r·ldo+c] = out[r·ldo+c]·factor[r] + Σ_j weights[r·ldw+j]·values[j][c]      r < rows, j < count, c < width
//
// width is a multiple of Width; next is as in Dots.
func (s *Set) Mix(out []float32, ldo int, factor, weights []float32, ldw, rows int, values Rows, width, count int, next Rows) {
	if rows == 0 || count == 0 || width == 0 {
		return
	}
	_, _, _ = out[span(rows, ldo, width)-1], factor[rows-1], weights[span(rows, ldw, count)-1]
	values.check(count, width)
	for r := 0; r < rows; {
		n := rowsAtOnce(rows - r)
		s.mix(n, out[r*ldo:], ldo, factor[r:], weights[r*ldw:], ldw, values, width, count, next)
		r += n
		next = Rows{}
	}
}

func rowsAtOnce(left int) int {
	if left >= 4 {
		return 4
	}
	return min(left, 2)
}

// Pack copies rows of values, which start ld apart, for Values: groups of
// columns one after another, each with the numbers of a row together.
func (s *Set) Pack(dst, src []float32, ld, rows, width int) {
	if rows == 0 || width == 0 {
		return
	}
	_, _ = dst[rows*width-1], src[span(rows, ld, width)-1]
	s.pack(dst, src, ld, rows, groupsOf(width))
}

// Transpose exchanges rows and columns:
//
//	dst[c·ldd+r] = src[r·lds+c]·scale      r < rows, c < columns
func (s *Set) Transpose(dst []float32, ldd int, src []float32, lds, rows, columns int, scale float32) {
	if rows == 0 || columns == 0 {
		return
	}
	_, _ = dst[span(columns, ldd, rows)-1], src[span(rows, lds, columns)-1]
	wholeRows, wholeColumns := 0, 0
	if s.transpose != nil {
		wholeRows, wholeColumns = rows/8*8, columns/8*8
	}
	if wholeColumns > 0 {
		for r := 0; r < wholeRows; r += 8 {
			s.transpose(dst[r:], ldd, src[r*lds:], lds, scale, wholeColumns/8)
		}
	}
	for r := range rows {
		first := wholeColumns
		if r >= wholeRows {
			first = 0
		}
		line := src[r*lds:][:columns]
		for c := first; c < columns; c++ {
			dst[c*ldd+r] = line[c] * scale
		}
	}
}
