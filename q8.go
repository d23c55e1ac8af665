package attention

import (
	"encoding/binary"
	"math"
)

// The sizes of a Q8_0 block, which is the one of ggml's block_q8_0: the bits of a
// binary16 scale, low byte first, and 32 int8 values. Number n of a block stands
// for scale·value[n].
const (
	Q8_0Block      = 32 // elements
	Q8_0BlockBytes = 34
)

// q8Largest is the largest value that QuantizeQ8_0 gives an element.
const q8Largest = 127

// NewQ8_0 views blocks as a row-major tensor whose rows start at blocks: a row of
// D elements takes ⌈D/32⌉ blocks, of which the elements from D on have no effect.
// Only K and V may be of this type. Data may be longer than the sizes say.
//
// [B, L, H, D] and other layouts are strides as for every tensor. They count
// elements, and heads or tokens lie ⌈D/32⌉·32 of them apart, not D.
func NewQ8_0(data []byte, shape ...int) Tensor {
	t := contiguous(Q8_0, shape)
	t.u8 = data
	return t
}

// QuantizeQ8_0 packs a row of numbers into blocks, for each 32 of src:
//
//	d        = max |src|/127
//	scale    = d, rounded to binary16
//	value[n] = src[n]/d, rounded to the nearest integer, halves away from 0
//
// The last block is filled up with zeros. dst must hold Q8_0.Bytes(len(src))
// bytes. A number x is thereby stored with an error of at most d/2 + (|x| + d/2)·2⁻¹¹
// but for float32 roundings, or d/2 + 127·2⁻²⁵ where the scale is below 2⁻¹⁴. Beyond 127·65504 the scale is +Inf.
// A block with NaN or Inf becomes NaN throughout, so that neither is lost.
//
// Finite rows have the bytes that ggml's quantize_row_q8_0_ref gives them, where it
// defines any: below 127·2⁻¹²⁸ its 1/d overflows, here the block is 0.
func QuantizeQ8_0(dst []byte, src []float32) {
	dst = dst[:Q8_0.Bytes(len(src))]
	for len(src) > 0 {
		n := min(len(src), Q8_0Block)
		quantizeBlock(dst[:Q8_0BlockBytes], src[:n])
		dst, src = dst[Q8_0BlockBytes:], src[n:]
	}
}

func quantizeBlock(dst []byte, src []float32) {
	var largest float32
	for _, x := range src {
		largest = max(largest, float32(math.Abs(float64(x)))) // NaN if any is
	}
	d := largest / q8Largest
	if d*0 != 0 {
		d = float32(math.NaN())
	}
	clear(dst)
	binary.LittleEndian.PutUint16(dst, Float32ToFloat16(d))
	inverse := 1 / d
	if inverse*0 != 0 {
		return // d is NaN, or so small that the scale is 0
	}
	for n, x := range src {
		dst[2+n] = byte(int8(math.Round(float64(x * inverse))))
	}
}

// DequantizeQ8_0 widens the first len(dst) numbers of a row of blocks, exactly.
// src must hold whole blocks, Q8_0.Bytes(len(dst)) bytes.
func DequantizeQ8_0(dst []float32, src []byte) {
	src = src[:Q8_0.Bytes(len(dst))]
	for len(dst) > 0 {
		n := min(len(dst), Q8_0Block)
		block := src[:Q8_0BlockBytes]
		scale := Float16ToFloat32(binary.LittleEndian.Uint16(block))
		for d, value := range block[2 : 2+n] {
			dst[d] = scale * float32(int8(value)) // 11 by 8 bits: no rounding
		}
		dst, src = dst[n:], src[Q8_0BlockBytes:]
	}
}

// q8At returns the scale of element at of the storage, and its value.
func q8At(data []byte, at int) (scale float64, value int8) {
	block := data[at/Q8_0Block*Q8_0BlockBytes:][:Q8_0BlockBytes]
	return float64(Float16ToFloat32(binary.LittleEndian.Uint16(block))), int8(block[2+at%Q8_0Block])
}

// setQ8 stores v as the nearest multiple of the block's scale; 0 where there is none.
func setQ8(data []byte, at int, v float64) {
	scale, _ := q8At(data, at)
	value := math.Round(v / scale)
	if scale == 0 || value != value {
		value = 0
	}
	data[at/Q8_0Block*Q8_0BlockBytes+2+at%Q8_0Block] = byte(int8(max(-q8Largest, min(q8Largest, value))))
}

func blocksOf(n int) int { return n/Q8_0Block + (n%Q8_0Block+Q8_0Block-1)/Q8_0Block }

// rowLen returns how many elements of storage a contiguous row of n takes.
func (t DType) rowLen(n int) int {
	if t == Q8_0 {
		return blocksOf(n) * Q8_0Block
	}
	return n
}

// checkBlocks refuses a Q8_0 view whose rows do not start at blocks, or whose
// elements do not lie side by side. Axes of size 1 have stride 0.
func (t *Tensor) checkBlocks(name string) error {
	if t.dtype != Q8_0 {
		return nil
	}
	const multiple = "a multiple of 32, the elements of a q8_0 block"
	if t.offset%Q8_0Block != 0 {
		return &StrideError{Arg: name, Got: t.offset, Want: multiple}
	}
	for axis, stride := range t.strides[:AxisDim] {
		if stride%Q8_0Block != 0 {
			return &StrideError{Arg: name, Axis: axisNames[axis], Got: stride, Want: multiple}
		}
	}
	if stride := t.strides[AxisDim]; stride != 1 && t.shape[AxisDim] > 1 {
		return &StrideError{Arg: name, Axis: axisNames[AxisDim], Got: stride, Want: "1, since the elements of a q8_0 block lie side by side"}
	}
	return nil
}
