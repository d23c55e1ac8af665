package verify

import "github.com/glattn/attention"

// readRow reads the elements [b, h, i, :] of a tensor of numbers into dst, exactly.
func readRow(dst []float64, t attention.Tensor, b, h, i int) {
	at, stride := t.Index(b, h, i, 0), t.Strides()[attention.AxisDim]
	switch t.DType() {
	case attention.Float32:
		data := t.Float32s()
		for d := range dst {
			dst[d] = float64(data[at+d*stride])
		}
	case attention.Float16, attention.BFloat16:
		widen, data := attention.Float16ToFloat32, t.Uint16s()
		if t.DType() == attention.BFloat16 {
			widen = attention.BFloat16ToFloat32
		}
		for d := range dst {
			dst[d] = float64(widen(data[at+d*stride]))
		}
	case attention.Q8_0:
		for d := range dst {
			dst[d] = t.At(b, h, i, d)
		}
	}
}

// each visits the indices of all elements of a tensor with the given sizes.
func each(shape [4]int, visit func(b, h, i, d int)) {
	for b := range shape[0] {
		for h := range shape[1] {
			for i := range shape[2] {
				for d := range shape[3] {
					visit(b, h, i, d)
				}
			}
		}
	}
}

// zeroed returns n zeros, in buffer's memory if it suffices.
func zeroed(buffer []float64, n int) []float64 {
	if cap(buffer) < n {
		return make([]float64, n)
	}
	buffer = buffer[:n]
	clear(buffer)
	return buffer
}
