package attention

import (
	"fmt"
	"math"
)

// Axis numbers of a [Tensor]. For a bias or mask the last axis counts keys.
const (
	AxisBatch = iota
	AxisHead
	AxisSequence
	AxisDim
)

var axisNames = [4]string{"batch", "head", "sequence", "dim"}

// Tensor is a view of a host slice, or of the [Memory] of a device, as four axes
// [batch, head, sequence, dim], each with a size and a stride in elements. Other memory layouts, packed
// projections and broadcasts are strides, never copies. The zero Tensor is
// absent.
//
// A Q8_0 tensor counts elements too: element n of the storage is number n mod 32
// of block n div 32. Its rows start at blocks, so offset and strides are multiples
// of 32 but for the stride of dim, which is 1.
//
// Constructors and view methods do not fail; a mistake is remembered and
// reported by [NewCall], before any work.
type Tensor struct {
	dtype   DType
	shape   [4]int
	strides [4]int
	offset  int
	f32     []float32
	u16     []uint16
	bools   []bool
	u8      []byte // Q8_0: whole blocks
	err     error

	memory   Memory // instead of a slice
	elements int    // of memory
}

// NewFloat32 views data as a contiguous row-major tensor. Fewer than four sizes
// are aligned right: (Lq, Lk) is [1, 1, Lq, Lk]. Data may be longer than the sizes
// say, as the buffer of a cache is; the rest is not looked at.
func NewFloat32(data []float32, shape ...int) Tensor {
	t := contiguous(Float32, shape)
	t.f32 = data
	return t
}

// NewFloat16 views binary16 bit patterns as a contiguous row-major tensor.
func NewFloat16(data []uint16, shape ...int) Tensor {
	t := contiguous(Float16, shape)
	t.u16 = data
	return t
}

// NewBFloat16 views bfloat16 bit patterns as a contiguous row-major tensor.
func NewBFloat16(data []uint16, shape ...int) Tensor {
	t := contiguous(BFloat16, shape)
	t.u16 = data
	return t
}

// NewBool views data as a contiguous row-major mask; true means attend.
func NewBool(data []bool, shape ...int) Tensor {
	t := contiguous(Bool, shape)
	t.bools = data
	return t
}

// Zeros allocates a contiguous tensor of the given type and sizes.
func Zeros(dtype DType, shape ...int) Tensor {
	t := contiguous(dtype, shape)
	if t.err != nil {
		return t
	}
	n := t.shape[AxisBatch] * t.shape[AxisHead] * t.shape[AxisSequence] * dtype.rowLen(t.shape[AxisDim])
	switch dtype {
	case Float32:
		t.f32 = make([]float32, n)
	case Float16, BFloat16:
		t.u16 = make([]uint16, n)
	case Bool:
		t.bools = make([]bool, n)
	case Q8_0:
		t.u8 = make([]byte, dtype.Bytes(n))
	}
	return t
}

func contiguous(dtype DType, shape []int) Tensor {
	t := Tensor{dtype: dtype, shape: [4]int{1, 1, 1, 1}}
	if len(shape) == 0 || len(shape) > 4 {
		t.err = fmt.Errorf("%w: %d axes given, want 1 to 4", ErrInvalid, len(shape))
		return t
	}
	copy(t.shape[4-len(shape):], shape)
	stride := 1
	for axis := 3; axis >= 0; axis-- {
		if t.shape[axis] < 0 {
			t.err = fmt.Errorf("%w: axis %s has size %d, want 0 or more", ErrInvalid, axisNames[axis], t.shape[axis])
			t.shape[axis] = 0
		}
		t.strides[axis] = stride
		n := max(t.shape[axis], 1)
		if axis == AxisDim {
			n = dtype.rowLen(n)
		}
		if n <= 0 || stride > math.MaxInt/n {
			t.err = fmt.Errorf("%w: sizes %v overflow the address range", ErrInvalid, shape)
		} else {
			stride *= n
		}
	}
	return t
}

// Present reports whether the tensor holds anything; the zero Tensor does not.
func (t Tensor) Present() bool { return t.dtype != NoType }

// DType returns the element type, NoType for an absent tensor.
func (t Tensor) DType() DType { return t.dtype }

// Shape returns the sizes of the axes [batch, head, sequence, dim].
func (t Tensor) Shape() [4]int { return t.shape }

// Strides returns the distance in elements between neighbours along each axis.
func (t Tensor) Strides() [4]int { return t.strides }

// Offset returns the index of element [0,0,0,0] in the storage.
func (t Tensor) Offset() int { return t.offset }

// Float32s returns the storage of a Float32 tensor, nil for other types.
func (t Tensor) Float32s() []float32 { return t.f32 }

// Uint16s returns the bit patterns of a Float16 or BFloat16 tensor, nil for other types.
func (t Tensor) Uint16s() []uint16 { return t.u16 }

// Bools returns the storage of a Bool tensor, nil for other types.
func (t Tensor) Bools() []bool { return t.bools }

// Uint8s returns the blocks of a Q8_0 tensor, nil for other types.
func (t Tensor) Uint8s() []byte { return t.u8 }

// Index returns the storage index of element [b, h, i, d].
func (t Tensor) Index(b, h, i, d int) int {
	return t.offset + b*t.strides[0] + h*t.strides[1] + i*t.strides[2] + d*t.strides[3]
}

// At returns element [b, h, i, d] widened exactly; a true mask element is 1. An element in
// the [Memory] of a device is not at hand: it is NaN, until [CopyTensor] brings it.
func (t Tensor) At(b, h, i, d int) float64 {
	if t.memory != nil {
		return math.NaN()
	}
	at := t.Index(b, h, i, d)
	switch t.dtype {
	case Float32:
		return float64(t.f32[at])
	case Float16:
		return float64(Float16ToFloat32(t.u16[at]))
	case BFloat16:
		return float64(BFloat16ToFloat32(t.u16[at]))
	case Bool:
		if t.bools[at] {
			return 1
		}
	case Q8_0:
		scale, number := q8At(t.u8, at)
		return scale * float64(number)
	}
	return 0
}

// Set stores v at [b, h, i, d], rounded to the element type; for a mask,
// anything but 0 is true. In a Q8_0 tensor the block's scale stays as it is, and v
// becomes the nearest of its −127 to 127 multiples; [Tensor.SetRow] chooses scales. In the
// [Memory] of a device nothing is stored.
func (t Tensor) Set(b, h, i, d int, v float64) {
	if t.memory != nil {
		return
	}
	at := t.Index(b, h, i, d)
	switch t.dtype {
	case Float32:
		t.f32[at] = float32(v)
	case Float16:
		t.u16[at] = Float32ToFloat16(roundToOdd(v))
	case BFloat16:
		t.u16[at] = Float32ToBFloat16(roundToOdd(v))
	case Bool:
		t.bools[at] = v != 0
	case Q8_0:
		setQ8(t.u8, at, v)
	}
}

// SetRow stores row at [b, h, i, 0:len(row)], rounded to the element type; numbers
// beyond the width of the tensor are left out. In a
// Q8_0 tensor each block gets its own scale, as by [QuantizeQ8_0], and what is left
// of the last block becomes 0. In the [Memory] of a device nothing is stored.
func (t Tensor) SetRow(b, h, i int, row []float32) {
	row = row[:min(len(row), t.shape[AxisDim])]
	if t.memory != nil {
		return
	}
	if t.dtype == Q8_0 {
		QuantizeQ8_0(t.u8[t.Index(b, h, i, 0)/Q8_0Block*Q8_0BlockBytes:], row)
		return
	}
	for d, v := range row {
		t.Set(b, h, i, d, float64(v))
	}
}

// String describes the view: type, sizes and strides.
func (t Tensor) String() string {
	if !t.Present() {
		return "absent"
	}
	return fmt.Sprintf("%v%v strides %v", t.dtype, t.shape, t.strides)
}

func (t Tensor) storageLen() int {
	if t.memory != nil {
		return t.elements
	}
	switch t.dtype {
	case Float32:
		return len(t.f32)
	case Float16, BFloat16:
		return len(t.u16)
	case Bool:
		return len(t.bools)
	case Q8_0:
		return len(t.u8) / Q8_0BlockBytes * Q8_0Block
	}
	return 0
}
