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
		data, brain := t.Uint16s(), t.DType() == attention.BFloat16
		if stride == 1 {
			set.Widen(dst, data[at:at+len(dst)], brain)
			return
		}
		for n := range dst {
			set.Widen(dst[n:n+1], data[at+n*stride:][:1], brain)
		}
	}
}

// adjacent reports whether the numbers of a row lie side by side.
func adjacent(t attention.Tensor) bool {
	return t.Strides()[attention.AxisDim] == 1 || t.Shape()[attention.AxisDim] == 1
}

// inPlace returns rows [low, high) of head h of t, whose rows are adjacent.
func inPlace(t attention.Tensor, b, h, low, high int) kernel.Rows {
	stride := t.Strides()[attention.AxisSequence]
	at := t.Index(b, h, low, 0)
	end := at + (high-low-1)*stride + t.Shape()[attention.AxisDim]
	r := kernel.Rows{Stride: stride, Brain: t.DType() == attention.BFloat16}
	if t.DType() == attention.Float32 {
		r.Float32s = t.Float32s()[at:end]
	} else {
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

// closeRows returns rows of float32 numbers that lie one after another, without
// a copy if they do: a large power-of-two stride would make the rows of a tile
// fight for the same cache sets.
func closeRows(set *kernel.Set, scratch []float32, t attention.Tensor, b, h, low, high, width int) kernel.Rows {
	if t.DType() == attention.Float32 && adjacent(t) && t.Strides()[attention.AxisSequence] == width {
		return inPlace(t, b, h, low, high)
	}
	return copied(set, scratch, t, b, h, low, high, width)
}

// anyRows returns rows of float32 numbers any distance apart.
func anyRows(set *kernel.Set, scratch []float32, t attention.Tensor, b, h, low, high, width int) kernel.Rows {
	if t.DType() == attention.Float32 && adjacent(t) && t.Strides()[attention.AxisSequence] >= 0 {
		return inPlace(t, b, h, low, high)
	}
	return copied(set, scratch, t, b, h, low, high, width)
}

// wholeRows returns rows of any type that are whole vectors wide, in place if
// they are that in t.
func wholeRows(set *kernel.Set, scratch []float32, t attention.Tensor, b, h, low, high int) kernel.Rows {
	if wholeInPlace(set, t) {
		return inPlace(t, b, h, low, high)
	}
	return copied(set, scratch, t, b, h, low, high, roundUp(t.Shape()[attention.AxisDim], set.Width))
}

func wholeInPlace(set *kernel.Set, t attention.Tensor) bool {
	return adjacent(t) && t.Shape()[attention.AxisDim]%set.Width == 0 && t.Strides()[attention.AxisSequence] >= 0
}

// packValues packs the values of a tile.
func (w *worker) packValues(t *tile) {
	w.set.Pack(w.packed, t.values.Float32s, t.values.Stride, t.end-t.first, w.job.call.Problem.ValueDim)
}

// rowOf widens row j into dst.
func rowOf(dst []float32, r kernel.Rows, j int) {
	if r.Float32s != nil {
		copy(dst, r.Float32s[j*r.Stride:])
		return
	}
	for c, bits := range r.Uint16s[j*r.Stride:][:len(dst)] {
		if r.Brain {
			dst[c] = attention.BFloat16ToFloat32(bits)
		} else {
			dst[c] = attention.Float16ToFloat32(bits)
		}
	}
}

// finite reports whether the first n rows hold neither Inf nor NaN.
func finite(r kernel.Rows, n, width int) bool {
	exponent := uint16(0x7c00)
	if r.Brain {
		exponent = 0x7f80
	}
	for j := range n {
		if r.Float32s == nil {
			for _, bits := range r.Uint16s[j*r.Stride:][:width] {
				if bits&exponent == exponent {
					return false
				}
			}
			continue
		}
		var zero float32 // x·0 is 0, or NaN which stays
		for _, x := range r.Float32s[j*r.Stride:][:width] {
			zero += x * 0
		}
		if zero != 0 {
			return false
		}
	}
	return true
}

// narrow stores row i of head h of t, times scale, rounded to its type.
func narrow(t attention.Tensor, b, h, i int, src []float32, scale float32) {
	at, stride := t.Index(b, h, i, 0), t.Strides()[attention.AxisDim]
	switch t.DType() {
	case attention.Float32:
		data := t.Float32s()[at:]
		if stride == 1 {
			data = data[:len(src)]
			for n, x := range src {
				data[n] = x * scale
			}
			return
		}
		for n, x := range src {
			data[n*stride] = x * scale
		}
	case attention.Float16:
		data := t.Uint16s()
		for n, x := range src {
			data[at+n*stride] = attention.Float32ToFloat16(x * scale)
		}
	case attention.BFloat16:
		data := t.Uint16s()
		for n, x := range src {
			data[at+n*stride] = attention.Float32ToBFloat16(x * scale)
		}
	}
}
