package cpu

import (
	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/kernel"
)

// source is keys or values as row kernels read them: what is the same for all rows of
// a call is found out once.
type source struct {
	tensor *attention.Tensor
	width  int  // numbers of a row that are read: more than it has, where vectors are wider
	direct bool // rows can be read where they lie
	beyond int  // rows at the end that are not to be read width numbers wide where they lie
}

func sourceOf(t *attention.Tensor, width int) source {
	return source{t, width, readable(*t), rowsBeyond(*t, width)}
}

// rows returns rows of head h from low on, and where they end: most at most. They are
// read where they lie, or a few are widened. The width may go beyond a row, into the
// next; the last rows before high are widened then, so that nothing is read behind them.
// Where rows are cut thus decides on bits, so it follows from sizes alone and not from
// what there is behind the tensor.
func (s *source) rows(set *kernel.Set, scratch []float32, b, h, low, high, most int) (kernel.Rows, int) {
	end := min(high, low+most)
	if last := high - s.beyond; s.direct && low < last {
		return inPlace(s.tensor, b, h, low, high), min(end, last)
	}
	end = min(end, low+len(scratch)/s.width)
	return copied(set, scratch, *s.tensor, b, h, low, end, s.width), end
}

// readable reports whether row kernels can read the rows of t where they lie.
func readable(t attention.Tensor) bool {
	if t.DType() == attention.Q8_0 && t.Shape()[attention.AxisDim]%kernel.Block != 0 {
		return false // the rest of a block might be NaN
	}
	return adjacent(t) && t.Strides()[attention.AxisSequence] >= t.Shape()[attention.AxisDim]
}

// rowsBeyond returns how many rows at the end are not to be read width numbers wide: those
// that rows without a gap need, and at least as many as the kernels take together.
func rowsBeyond(t attention.Tensor, width int) int {
	dim := t.Shape()[attention.AxisDim]
	if dim >= width || t.DType() == attention.Q8_0 {
		return 0
	}
	return max(4, ceilDiv(width-dim, dim))
}
