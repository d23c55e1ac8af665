package attention

import "fmt"

// Transpose returns the view with two axes exchanged. A [B, L, H, D] array is
// NewFloat32(data, B, L, H, D).Transpose(AxisHead, AxisSequence).
func (t Tensor) Transpose(a, b int) Tensor {
	if a < 0 || a > 3 || b < 0 || b > 3 {
		return t.fail(fmt.Errorf("%w: transpose of axes %d and %d, want 0 to 3", ErrInvalid, a, b))
	}
	t.shape[a], t.shape[b] = t.shape[b], t.shape[a]
	t.strides[a], t.strides[b] = t.strides[b], t.strides[a]
	return t
}

// Slice returns the view of indices [low, high) along one axis.
func (t Tensor) Slice(axis, low, high int) Tensor {
	if axis < 0 || axis > 3 {
		return t.fail(fmt.Errorf("%w: slice of axis %d, want 0 to 3", ErrInvalid, axis))
	}
	if low < 0 || high < low || high > t.shape[axis] {
		return t.fail(fmt.Errorf("%w: slice [%d:%d] of axis %s with size %d", ErrInvalid, low, high, axisNames[axis], t.shape[axis]))
	}
	if high > low { // an empty slice keeps its base, which then stays inside the storage
		t.offset += low * t.strides[axis]
	}
	t.shape[axis] = high - low
	return t
}

// WithStrides returns a view of the same storage with the given sizes, strides
// in elements, and index of the first element. It serves packed projections:
// the keys of a [B, L, 3, H, D] array have strides {L·3·H·D, D, 3·H·D, 1} and
// offset H·D. Strides and offset of a Q8_0 tensor are multiples of 32, but for the
// stride of dim, which is 1.
func (t Tensor) WithStrides(shape, strides [4]int, offset int) Tensor {
	t.shape, t.strides, t.offset = shape, strides, offset
	return t
}

// BroadcastTo returns the view stretched to shape; only axes of size 1 stretch.
func (t Tensor) BroadcastTo(shape [4]int) Tensor {
	for axis, want := range shape {
		switch t.shape[axis] {
		case want:
		case 1:
			t.strides[axis] = 0
			t.shape[axis] = want
		default:
			return t.fail(fmt.Errorf("%w: axis %s of size %d cannot broadcast to %d", ErrInvalid, axisNames[axis], t.shape[axis], want))
		}
	}
	return t
}

func (t Tensor) fail(err error) Tensor {
	if t.err == nil {
		t.err = err
	}
	return t
}

// span returns the lowest and highest storage index the view touches; ok is
// false when it is empty or the arithmetic overflows.
func (t Tensor) span() (low, high int, empty, ok bool) {
	low, high = t.offset, t.offset
	for axis, size := range t.shape {
		if size == 0 {
			return 0, 0, true, true
		}
		reach, fits := mulFits(size-1, t.strides[axis])
		if !fits {
			return 0, 0, false, false
		}
		if reach < 0 {
			low, fits = addFits(low, reach)
		} else {
			high, fits = addFits(high, reach)
		}
		if !fits {
			return 0, 0, false, false
		}
	}
	return low, high, false, true
}

func mulFits(a, b int) (int, bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	product := a * b
	return product, product/b == a
}

func addFits(a, b int) (int, bool) {
	sum := a + b
	return sum, (sum > a) == (b > 0) || b == 0
}
