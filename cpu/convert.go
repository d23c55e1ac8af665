package cpu

import (
	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/kernel"
)

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
		set.ReadElements(line[:width], t, t.Index(b, h, j, 0), step)
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
