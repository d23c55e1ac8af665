package kernel

// Set is one implementation of the kernels. Sets are immutable; all methods may
// be called concurrently on different memory.
type Set struct {
	Name  string // one of Names
	Lanes int    // rows of a panel
	Width int    // row kernels take columns in multiples of it
	Rows  int    // row kernels compute as many rows at once, and read K and V again for more

	narrower *Set // with shorter vectors, nil if there is none

	scores   func(scores, queries, keys []float32, ld, dim int, g groups)
	values   func(out []float32, ldo int, factor, weights, values []float32, ldv, keys, width int, counts []int32)
	weigh    func(scores []float32, keys, fine int, top, factor, total []float32) (holes, odd uint32)
	weighRow func(scores []float32, top, factor, total []float32) (holes, odd uint32)
	// transpose is nil, or transposes blocks side by side in 8 rows, 8 columns each.
	transpose func(dst []float32, ldd int, src []float32, lds int, scale float32, blocks int)
	scale     func(rows []float32, ld int, factor []float32, width int)
	store     func(dst []float32, ldd int, src []float32, lds int, factor []float32, width int)
	fence     func(scores []float32, first, keys int, low, high []int32)
	bias      func(scores, bias []float32)
	expand    func(bias []float32, keep []bool)
	softcap   func(scores []float32, softcap float32)
	widen     func(dst []float32, row Rows)
	narrow    func(dst []uint16, src []float32, brain bool)
	largest   func(rows Rows, width, count int) uint32
	dots      func(rows int, scores []float32, lds int, queries []float32, ldq int, keys Rows, dim, count int)
	mix       func(rows int, out []float32, ldo int, weights []float32, ldw int, values Rows, width, count int)
}

// For returns the set for dims and columns of at most width numbers: one with shorter
// vectors where half of each would be wasted.
func (s *Set) For(width int) *Set {
	if s.narrower != nil && width <= s.narrower.Width {
		return s.narrower
	}
	return s
}

// groups is how a number of keys falls into groups that are computed side by side.
type groups struct{ sixes, fours, ones int }

func groupsOf(n int) groups {
	for fours := range 3 { // n even and 4 or more always ends with 0 left
		if left := n - 4*fours; left >= 0 && left%6 <= 1 {
			return groups{left / 6, fours, left % 6}
		}
	}
	return groups{ones: n} // 2 and 3
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

// Values adds weighted values to the rows of a panel:
//
//	out[lane·ldo+c] = out[lane·ldo+c]·factor[lane] + Σ_j weights[j][lane]·values[j·ldv+c]      j < keys, c < width
//
// width is a multiple of Width. No keys scale the outputs. Counts is nil, or says for
// each four lanes that weights of keys from counts[lane/4] on, which is at most keys,
// are 0: those need not be read.
func (s *Set) Values(out []float32, ldo int, factor, weights, values []float32, ldv, keys, width int, counts []int32) {
	if width == 0 {
		return
	}
	if width%s.Width != 0 {
		panic("kernel: columns must come in whole vectors")
	}
	_, _ = out[span(s.Lanes, ldo, width)-1], factor[s.Lanes-1]
	if keys > 0 {
		_, _ = weights[keys*s.Lanes-1], values[span(keys, ldv, width)-1]
	}
	if counts != nil {
		_ = counts[s.Lanes/4-1]
		for _, n := range counts[:s.Lanes/4] {
			if n < 0 || int(n) > keys {
				panic("kernel: more keys than there are")
			}
		}
	}
	s.values(out, ldo, factor, weights, values, ldv, keys, width, counts)
}

// Weigh turns the scores [key][lane] of a panel into weights under the running
// maximum of each lane, in place:
//
//	top'[lane]   = max(top[lane], max_j scores[j][lane])
//	weights      = exp(scores[j][lane] − top'[lane])
//	total[lane]  = Σ_j weights[j][lane]
//	factor[lane] = exp(top[lane] − top'[lane])
//
// An exponential eˣ is at most 1.2 + |x|/4 ulp off (the assembly takes 2 to the power of
// x·log2 e, a product with a constant of 24 bits); below e⁻⁸⁷ it is 0. A score of −Inf is a
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
	s.whole(len(scores))
	h, o := s.weighRow(scores, top, factor, total)
	return h != 0, o != 0
}

// Fence masks the scores [key][lane] of keys from first on outside [low, high):
//
//	scores[j][lane] = −Inf where first+j < low[lane] or first+j ≥ high[lane]      j < keys
func (s *Set) Fence(scores []float32, first, keys int, low, high []int32) {
	if keys <= 0 {
		return
	}
	_, _, _ = scores[keys*s.Lanes-1], low[s.Lanes-1], high[s.Lanes-1]
	s.fence(scores, first, keys, low, high)
}

// Dots computes the products of rows of queries with keys:
//
//	scores[r·lds+j] = Σ_d queries[r·ldq+d]·keys[j][d]      r < rows, j < count, d < dim
//
// Whole vectors, or blocks, are read also where dim is none: what there is of keys
// beyond it has no effect, queries must be 0.
func (s *Set) Dots(scores []float32, lds int, queries []float32, ldq, rows int, keys Rows, dim, count int) {
	if rows == 0 || count == 0 {
		return
	}
	padded := roundUp(dim, keys.group(s.Width))
	_, _ = scores[span(rows, lds, count)-1], queries[span(rows, ldq, padded)-1]
	keys.check(count, padded)
	for r := 0; r < rows; {
		n := s.rowsAtOnce(rows - r)
		s.dots(n, scores[r*lds:], lds, queries[r*ldq:], ldq, keys, dim, count)
		r += n
	}
}

func roundUp(n, by int) int { return (n + by - 1) / by * by }

// Mix adds weighted values to rows of outputs:
//
//	out[r·ldo+c] += Σ_j weights[r·ldw+j]·values[j][c]      r < rows, j < count, c < width
//
// width is a multiple of Width, and of Block for blocks.
func (s *Set) Mix(out []float32, ldo int, weights []float32, ldw, rows int, values Rows, width, count int) {
	if rows == 0 || width == 0 || count == 0 {
		return
	}
	if width%values.group(s.Width) != 0 {
		panic("kernel: columns must come in whole vectors")
	}
	_, _ = out[span(rows, ldo, width)-1], weights[span(rows, ldw, count)-1]
	values.check(count, width)
	for r := 0; r < rows; {
		n := s.rowsAtOnce(rows - r)
		s.mix(n, out[r*ldo:], ldo, weights[r*ldw:], ldw, values, width, count)
		r += n
	}
}

// rowsAtOnce returns 1, 2 or 4.
func (s *Set) rowsAtOnce(left int) int {
	n := s.Rows
	for n > left {
		n /= 2
	}
	return n
}

// Scale multiplies rows with a number each:
//
//	rows[r·ld+c] *= factor[r]      r < len(factor), c < width
//
// width is a multiple of Width.
func (s *Set) Scale(rows []float32, ld int, factor []float32, width int) {
	if len(factor) == 0 || !s.whole(width) {
		return
	}
	_ = rows[span(len(factor), ld, width)-1]
	s.scale(rows, ld, factor, width)
}

// Store copies rows, each times a number:
//
//	dst[r·ldd+c] = src[r·lds+c]·factor[r]      r < len(factor), c < width
//
// Whole vectors of src are read.
func (s *Set) Store(dst []float32, ldd int, src []float32, lds int, factor []float32, width int) {
	if len(factor) == 0 || width == 0 {
		return
	}
	_, _ = dst[span(len(factor), ldd, width)-1], src[span(len(factor), lds, roundUp(width, s.Width))-1]
	s.store(dst, ldd, src, lds, factor, width)
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
