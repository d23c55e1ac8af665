package cpu

import (
	"math"

	"github.com/glattn/attention"
)

// widen reads len(dst) elements of t, from storage index at on and stride
// apart, as float32, exactly.
func widen(dst []float32, t attention.Tensor, at, stride int) {
	switch t.DType() {
	case attention.Float32:
		data := t.Float32s()
		if stride == 1 {
			copy(dst, data[at:])
			return
		}
		for n := range dst {
			dst[n] = data[at+n*stride]
		}
	case attention.Float16:
		data := t.Uint16s()
		if stride == 1 {
			for n, bits := range data[at:][:len(dst)] {
				dst[n] = fromFloat16(bits)
			}
			return
		}
		for n := range dst {
			dst[n] = fromFloat16(data[at+n*stride])
		}
	case attention.BFloat16:
		data := t.Uint16s()
		for n := range dst {
			dst[n] = attention.BFloat16ToFloat32(data[at+n*stride])
		}
	}
}

// fromFloat16 widens binary16: with the exponent and fraction moved in place,
// the bias of the exponent is off by 112, which one exact multiplication mends
// for normal and subnormal numbers alike.
func fromFloat16(bits uint16) float32 {
	const infinite = 0x7c00
	moved := uint32(bits&0x7fff) << 13
	if bits&infinite == infinite {
		moved |= 0x7f800000
	} else {
		moved = math.Float32bits(math.Float32frombits(moved) * 0x1p112)
	}
	return math.Float32frombits(moved | uint32(bits&0x8000)<<16)
}

// matrix is rows of float32 numbers, ld apart: row j is data[j·ld : j·ld+width].
type matrix struct {
	data []float32
	ld   int
}

// rowsOf returns rows [low, high) of head h of t, width numbers each. Rows that
// already lie one after another in float32 are used in place; others are
// widened into scratch, since a large power-of-two stride would make the rows
// of a tile fight for the same cache sets.
func rowsOf(scratch []float32, t attention.Tensor, b, h, low, high, width int) matrix {
	strides := t.Strides()
	if t.DType() == attention.Float32 && strides[attention.AxisSequence] == width && (strides[attention.AxisDim] == 1 || width == 1) {
		at := t.Index(b, h, low, 0)
		return matrix{t.Float32s()[at : at+(high-low)*width], width}
	}
	for j := low; j < high; j++ {
		widen(scratch[(j-low)*width:][:width], t, t.Index(b, h, j, 0), strides[attention.AxisDim])
	}
	return matrix{scratch, width}
}

// finite reports whether the first n rows hold neither Inf nor NaN.
func (m matrix) finite(n, width int) bool {
	for j := range n {
		var zero float32 // x·0 is 0, or NaN which stays
		for _, x := range m.data[j*m.ld:][:width] {
			zero += x * 0
		}
		if zero != 0 {
			return false
		}
	}
	return true
}

// narrow stores row i of head h of t, rounded to its type.
func narrow(t attention.Tensor, b, h, i int, src []float32) {
	at, stride := t.Index(b, h, i, 0), t.Strides()[attention.AxisDim]
	switch t.DType() {
	case attention.Float32:
		data := t.Float32s()
		if stride == 1 {
			copy(data[at:], src)
			return
		}
		for n, x := range src {
			data[at+n*stride] = x
		}
	case attention.Float16:
		data := t.Uint16s()
		for n, x := range src {
			data[at+n*stride] = attention.Float32ToFloat16(x)
		}
	case attention.BFloat16:
		data := t.Uint16s()
		for n, x := range src {
			data[at+n*stride] = attention.Float32ToBFloat16(x)
		}
	}
}
