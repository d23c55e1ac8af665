package cpu

import (
	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/kernel"
)

// widen reads len(dst) elements of t, from storage index at on and stride
// apart, as float32, exactly.
func widen(set *kernel.Set, dst []float32, t attention.Tensor, at, stride int) {
	if len(dst) == 1 {
		stride = 1
	}
	switch t.DType() {
	case attention.Float32:
		data := t.Float32s()
		if stride == 1 {
			copy(dst, data[at:at+len(dst)])
			return
		}
		for n := range dst {
			dst[n] = data[at+n*stride]
		}
	case attention.Float16, attention.BFloat16:
		row := kernel.Rows{Uint16s: t.Uint16s()[at:], Brain: t.DType() == attention.BFloat16, Stride: stride}
		if stride == 1 {
			set.Widen(dst, row, 0)
			return
		}
		for n := range dst {
			row.Uint16s = t.Uint16s()[at+n*stride:]
			set.Widen(dst[n:n+1], row, 0)
		}
	case attention.Q8_0: // rows start at blocks, and their elements are adjacent
		set.Widen(dst, kernel.Rows{Blocks: t.Uint8s()[blockBytes(at):]}, 0)
	}
}

// blockBytes returns the bytes of whole blocks of n numbers.
func blockBytes(n int) int { return n / kernel.Block * kernel.BlockBytes }

// adjacent reports whether the numbers of a row lie side by side.
func adjacent(t attention.Tensor) bool {
	return t.Strides()[attention.AxisDim] == 1 || t.Shape()[attention.AxisDim] == 1
}

// inPlace returns rows [low, high) of head h of t, whose rows are adjacent.
func inPlace(t *attention.Tensor, b, h, low, high int) kernel.Rows {
	stride, width := t.Strides()[attention.AxisSequence], t.Shape()[attention.AxisDim]
	at := t.Index(b, h, low, 0)
	end := at + (high-low-1)*stride + width
	r := kernel.Rows{Stride: stride, Brain: t.DType() == attention.BFloat16}
	switch t.DType() {
	case attention.Float32:
		r.Float32s = t.Float32s()[at:end]
	case attention.Q8_0: // rows have whole blocks
		r.Blocks = t.Uint8s()[blockBytes(at):blockBytes(roundUp(end, kernel.Block))]
	default:
		r.Uint16s = t.Uint16s()[at:end]
	}
	return r
}

// copied widens rows [low, high) of head h of t into scratch, stride apart, with
// zeros in between.
func copied(set *kernel.Set, scratch []float32, t attention.Tensor, b, h, low, high, stride int) kernel.Rows {
	step, width := t.Strides()[attention.AxisDim], t.Shape()[attention.AxisDim]
	for j := low; j < high; j++ {
		line := scratch[(j-low)*stride:][:stride]
		widen(set, line[:width], t, t.Index(b, h, j, 0), step)
		clear(line[width:])
	}
	return kernel.Rows{Float32s: scratch, Stride: stride}
}

// closeRows returns float32 rows of width numbers that lie one after another,
// without a copy if they do: a large power-of-two stride would make the rows of a
// tile fight for the same cache sets.
func closeRows(set *kernel.Set, scratch []float32, t attention.Tensor, b, h, low, high, width int) kernel.Rows {
	if t.DType() == attention.Float32 && adjacent(t) && t.Strides()[attention.AxisSequence] == width && t.Shape()[attention.AxisDim] == width {
		return inPlace(&t, b, h, low, high)
	}
	return copied(set, scratch, t, b, h, low, high, width)
}

// narrow stores row i of head h of t, rounded to its type.
func narrow(set *kernel.Set, t attention.Tensor, b, h, i int, src []float32) {
	at, stride := t.Index(b, h, i, 0), t.Strides()[attention.AxisDim]
	if stride == 1 || len(src) == 1 {
		if t.DType() == attention.Float32 {
			copy(t.Float32s()[at:at+len(src)], src)
		} else {
			set.Narrow(t.Uint16s()[at:at+len(src)], src, t.DType() == attention.BFloat16)
		}
		return
	}
	if t.DType() == attention.Float32 {
		data := t.Float32s()
		for n, x := range src {
			data[at+n*stride] = x
		}
		return
	}
	data := t.Uint16s()
	for n := range src {
		set.Narrow(data[at+n*stride:][:1], src[n:n+1], t.DType() == attention.BFloat16)
	}
}
