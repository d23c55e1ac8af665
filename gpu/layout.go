package gpu

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/kernel"
)

// rowBytes returns the bytes of one row of width n in device layout: whole vec4s,
// of 4-byte or 2-byte elements.
func rowBytes(n int, wide bool) int {
	if wide {
		return 16 * vec4s(n)
	}
	return 8 * vec4s(n)
}

// region is a range of batch entries and heads of a tensor.
type region struct{ b0, b1, h0, h1 int }

func (r region) slabs() int { return (r.b1 - r.b0) * (r.h1 - r.h0) }

// packRows returns the rows of a region in device layout, [b][h][sequence] rows of
// whole vec4s, zero beyond the width. With widen, elements become float32;
// otherwise 16-bit types keep their bits. Where the tensor already has that layout
// the result is a view of the caller's memory, else it is written to scratch.
func packRows(t attention.Tensor, r region, widen bool, scratch *[]byte) []byte {
	shape := t.Shape()
	wide := widen || t.DType() == attention.Float32
	if view := rowView(t, r, wide); view != nil {
		return view
	}
	pitch := rowBytes(shape[3], wide)
	out := grow(scratch, r.slabs()*shape[2]*pitch)
	at := 0
	for b := r.b0; b < r.b1; b++ {
		for h := r.h0; h < r.h1; h++ {
			for i := range shape[2] {
				row := out[at : at+pitch]
				used := packRow(t, t.Index(b, h, i, 0), shape[3], wide, row)
				clear(row[used:])
				at += pitch
			}
		}
	}
	return out
}

// packRow writes one row and returns the bytes written.
func packRow(t attention.Tensor, at, n int, wide bool, row []byte) int {
	stride := t.Strides()[attention.AxisDim]
	if wide {
		kernel.Auto().ReadElements(bytesFloats(row[:4*n]), t, at, stride)
		return 4 * n
	}
	src := t.Uint16s()
	for d := range n {
		binary.LittleEndian.PutUint16(row[2*d:], src[at+d*stride])
	}
	return 2 * n
}

// rowView returns the caller's memory if the region is already packed there.
func rowView(t attention.Tensor, r region, wide bool) []byte {
	shape, strides := t.Shape(), t.Strides()
	if shape[3]%4 != 0 || wide != (t.DType() == attention.Float32) {
		return nil
	}
	want := 1
	for axis := 3; axis >= 0; axis-- {
		size := shape[axis]
		switch axis {
		case attention.AxisHead:
			size = r.h1 - r.h0
		case attention.AxisBatch:
			size = r.b1 - r.b0
		}
		if size > 1 && strides[axis] != want {
			return nil
		}
		want *= size
	}
	if want == 0 {
		return nil
	}
	from := t.Index(r.b0, r.h0, 0, 0)
	if wide {
		return floatBytes(t.Float32s()[from : from+want])
	}
	src := t.Uint16s()[from : from+want]
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(src))), 2*len(src))
}

// floatBytes views numbers as the bytes that OpenGL copies. Big-endian hosts have
// no OpenGL 4.3 driver to hand them to.
func floatBytes(f []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(f))), 4*len(f))
}

// bytesFloats views bytes, which begin at a multiple of 4, as numbers.
func bytesFloats(b []byte) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

// scores is a bias or mask in device layout: only the elements that differ, and
// the strides that find them, 0 along broadcast axes.
type scores struct {
	data                    []byte
	batch, head, query, key int
}

// packScores packs a bias (4-byte floats) or a mask (one byte each) for a region.
func packScores(t attention.Tensor, r region, scratch *[]byte) scores {
	shape, strides := t.Shape(), t.Strides()
	from := [4]int{r.b0, r.h0, 0, 0}
	size := [4]int{r.b1 - r.b0, r.h1 - r.h0, shape[2], shape[3]}
	var step [4]int
	total := 1
	for axis := 3; axis >= 0; axis-- {
		if strides[axis] == 0 {
			size[axis] = min(size[axis], 1)
			continue
		}
		step[axis] = total
		total *= size[axis]
	}
	element := 4
	if t.DType() == attention.Bool {
		element = 1
	}
	out := grow(scratch, (total*element+3)/4*4)
	clear(out[len(out)-min(4, len(out)):])
	at := 0
	for b := range size[0] {
		for h := range size[1] {
			for i := range size[2] {
				base := t.Index(from[0]+b, from[1]+h, i, 0)
				at += packScoreRow(t, base, strides[3], size[3], out[at:])
			}
		}
	}
	return scores{data: out, batch: step[0], head: step[1], query: step[2], key: step[3]}
}

func packScoreRow(t attention.Tensor, base, stride, n int, out []byte) int {
	if t.DType() != attention.Bool {
		kernel.Auto().ReadElements(bytesFloats(out[:4*n]), t, base, stride)
		return 4 * n
	}
	src := t.Bools()
	for j := range n {
		out[j] = 0
		if src[base+j*stride] {
			out[j] = 1
		}
	}
	return n
}

// unpackRows stores rows of whole vec4s into a region of the output tensor.
func unpackRows(t attention.Tensor, r region, src []byte) {
	shape := t.Shape()
	pitch := rowBytes(shape[3], true) / 4
	rows := bytesFloats(src)
	for b := r.b0; b < r.b1; b++ {
		for h := r.h0; h < r.h1; h++ {
			for i := range shape[2] {
				kernel.Auto().WriteElements(t, t.Index(b, h, i, 0), t.Strides()[attention.AxisDim], rows[:shape[3]])
				rows = rows[pitch:]
			}
		}
	}
}

// unpackLSE turns (row_max, row_sum) pairs into log-sum-exps. natural says whether
// the maxima are in natural units or in log2 units.
func unpackLSE(t attention.Tensor, r region, src []byte, natural bool) {
	unit := math.Ln2
	if natural {
		unit = 1
	}
	at := 0
	for b := r.b0; b < r.b1; b++ {
		for h := r.h0; h < r.h1; h++ {
			for i := range t.Shape()[2] {
				top := float64(math.Float32frombits(binary.LittleEndian.Uint32(src[at:])))
				sum := float64(math.Float32frombits(binary.LittleEndian.Uint32(src[at+4:])))
				lse := top*unit + math.Log(sum)
				if sum == 0 {
					lse = math.Inf(-1)
				} else if math.IsInf(top, 1) {
					lse = top // the sum is NaN there, the logarithm of an infinite sum is not
				}
				t.Set(b, h, i, 0, lse)
				at += 8
			}
		}
	}
}

// allFinite reports whether packed values hold neither NaN nor Inf.
func allFinite(packed []byte, t attention.DType) bool {
	mask := uint64(0x7f800000_7f800000) // the exponents of two float32
	switch t {
	case attention.Float16:
		mask = 0x7c00_7c00_7c00_7c00
	case attention.BFloat16:
		mask = 0x7f80_7f80_7f80_7f80
	}
	carry := mask &^ (mask << 1) // the lowest bit of each exponent
	signs := (mask << 1) &^ mask // the place above each exponent
	for ; len(packed) >= 8; packed = packed[8:] {
		// Adding 1 to an exponent of all ones carries into the sign's place.
		if ((binary.LittleEndian.Uint64(packed)&mask)+carry)&signs != 0 {
			return false
		}
	}
	return true
}

func grow(scratch *[]byte, n int) []byte {
	if cap(*scratch) < n {
		*scratch = make([]byte, n)
	}
	*scratch = (*scratch)[:n]
	return *scratch
}
