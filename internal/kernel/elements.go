package kernel

import "github.com/glattn/attention"

// ReadElements reads len(dst) elements of t, from storage index at on and stride
// apart, as float32, exactly. Those of Q8_0 are adjacent and start at a block.
func (s *Set) ReadElements(dst []float32, t attention.Tensor, at, stride int) {
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
		row := Rows{Uint16s: t.Uint16s(), Brain: t.DType() == attention.BFloat16, Stride: 1}
		if stride == 1 {
			s.Widen(dst, row, at)
			return
		}
		for n := range dst {
			s.Widen(dst[n:n+1], row, at+n*stride)
		}
	case attention.Q8_0:
		s.Widen(dst, Rows{Blocks: t.Uint8s()[at/Block*BlockBytes:]}, 0)
	}
}

// WriteElements stores src, rounded to the type of t, which is a float type, from
// storage index at on and stride apart.
func (s *Set) WriteElements(t attention.Tensor, at, stride int, src []float32) {
	if len(src) == 1 {
		stride = 1
	}
	if t.DType() == attention.Float32 {
		data := t.Float32s()
		if stride == 1 {
			copy(data[at:at+len(src)], src)
			return
		}
		for n, x := range src {
			data[at+n*stride] = x
		}
		return
	}
	data, brain := t.Uint16s(), t.DType() == attention.BFloat16
	if stride == 1 {
		s.Narrow(data[at:at+len(src)], src, brain)
		return
	}
	for n := range src {
		s.Narrow(data[at+n*stride:][:1], src[n:n+1], brain)
	}
}
