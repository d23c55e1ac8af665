package verify

import "github.com/glattn/attention"

// place allocates a tensor of the given sizes in a buffer of its own.
func (b *builder) place(name string, dtype attention.DType, shape [4]int, layout Layout) attention.Tensor {
	strides, first, n := arrange(layout, shape)
	if dtype == attention.Q8_0 {
		strides, first, n = arrangeBlocks(layout, shape)
	}
	s := newSlab(name, dtype, n+2*guard)
	b.data.slabs = append(b.data.slabs, s)
	t := s.view(shape, strides, guard+first)
	if name == "O" || name == "LSE" {
		s.own(t)
	}
	return t
}

// arrange returns the strides of a layout, the index of element [0,0,0,0], and
// the number of elements of the buffer without guards.
func arrange(layout Layout, shape [4]int) (strides [4]int, first, n int) {
	batch, heads, rows, width := shape[0], shape[1], shape[2], shape[3]
	n = batch * heads * rows * width
	switch layout {
	case LayoutBSHD:
		return [4]int{rows * heads * width, width, heads * width, 1}, 0, n
	case LayoutSubview:
		row := width + 5
		head := (rows + 2) * row
		entry := (heads + 1) * head
		return [4]int{entry, head, row, 1}, 3, batch*entry + 3
	case LayoutInterleave:
		return [4]int{2 * heads * rows * width, 2 * rows * width, 2 * width, 1}, width, 2*n + width
	case LayoutColumns:
		return [4]int{heads * rows * width, rows * width, 1, rows}, 0, n
	case LayoutReversed:
		return [4]int{heads * rows * width, rows * width, -width, 1}, max(rows-1, 0) * width, n
	}
	strides = [4]int{heads * rows * width, rows * width, width, 1}
	if layout == LayoutAbsurd {
		for axis, size := range shape {
			if size == 1 {
				strides[axis] = []int{1 << 60, -1 << 61, 1<<62 + 3, -7}[axis]
			}
		}
	}
	return strides, 0, n
}

// arrangeBlocks is arrange for q8_0: rows of whole blocks, laid out as if each block
// were one element. Blocks cannot lie in columns; they get gaps instead.
func arrangeBlocks(layout Layout, shape [4]int) (strides [4]int, first, n int) {
	const block = attention.Q8_0Block
	if layout == LayoutColumns {
		layout = LayoutSubview
	}
	inBlocks := shape
	inBlocks[attention.AxisDim] = (shape[attention.AxisDim] + block - 1) / block
	strides, first, n = arrange(layout, inBlocks)
	for axis, size := range shape {
		if layout != LayoutAbsurd || size != 1 {
			strides[axis] *= block
		}
	}
	if shape[attention.AxisDim] != 1 {
		strides[attention.AxisDim] = 1
	}
	return strides, first * block, n * block
}

// shareKV gives K and V stride 0 over batch and head, or over the sequence.
func shareKV(t attention.Tensor, layout Layout) attention.Tensor {
	strides := t.Strides()
	if layout == LayoutRepeated {
		strides[attention.AxisSequence] = 0
	} else {
		strides[attention.AxisBatch], strides[attention.AxisHead] = 0, 0
	}
	return t.WithStrides(t.Shape(), strides, t.Offset())
}

// mixedLayouts is what LayoutMixed gives to each tensor.
var mixedLayouts = map[string]Layout{
	"Q": LayoutBSHD, "K": LayoutColumns, "V": LayoutReversed, "O": LayoutSubview, "LSE": LayoutBSHD, "bias": LayoutInterleave, "mask": LayoutReversed,
}

func (c Case) layoutOf(name string) Layout {
	switch c.Layout {
	case LayoutMixed:
		return mixedLayouts[name]
	case LayoutPacked, LayoutShared, LayoutRepeated:
		return LayoutBSHD // for what is not laid out by those rules
	}
	return c.Layout
}

// placePacked allocates Q, K and V as one [B, L, Hq+2Hkv, D] buffer.
func (b *builder) placePacked() (q, k, v attention.Tensor) {
	s := b.data.Case.Shape
	heads := s.Heads + 2*s.KVHeads
	packed := newSlab("QKV", orFloat32(b.data.Case.Types.Q), s.Batch*s.QueryLen*heads*s.Dim+2*guard)
	b.data.slabs = append(b.data.slabs, packed)
	strides := [4]int{s.QueryLen * heads * s.Dim, s.Dim, heads * s.Dim, 1}
	view := func(first, count int) attention.Tensor {
		return packed.view([4]int{s.Batch, count, s.QueryLen, s.Dim}, strides, guard+first*s.Dim)
	}
	return view(0, s.Heads), view(s.Heads, s.KVHeads), view(s.Heads+s.KVHeads, s.KVHeads)
}
