package attention

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Memory is storage that is no slice of the host, such as a buffer of a GPU. The backend
// that made it computes on its tensors where they lie; a dispatch.Engine copies them to
// the host for others. Implementations are pointers, safe for concurrent use.
type Memory interface {
	// Backend returns the name of the backend that owns the memory.
	Backend() string
	// Download copies src, a view of this memory, to dst on the host. Types and sizes
	// are equal.
	Download(ctx context.Context, dst, src Tensor) error
	// Upload copies src on the host to dst, a view of this memory. Types and sizes are
	// equal.
	Upload(ctx context.Context, dst, src Tensor) error
}

// Residents is the set of a call's tensors that lie in the [Memory] of a device.
type Residents uint8

// The tensors that can.
const (
	ResidentQ Residents = 1 << iota
	ResidentK
	ResidentV
	ResidentBias
	ResidentMask
	ResidentO
	ResidentLSE
)

var residentNames = [...]string{"Q", "K", "V", "bias", "mask", "O", "LSE"}

// String lists the tensors, such as K,V.
func (r Residents) String() string {
	var names []string
	for n, name := range residentNames {
		if r>>n&1 != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// residents returns which tensors of the call lie in the memory of a device.
func (c *Call) residents() (r Residents) {
	for _, o := range c.operands() {
		if o.tensor.memory != nil {
			r |= 1 << slices.Index(residentNames[:], o.name)
		}
	}
	return r
}

// NewResident views elements elements of m. Sizes, strides and offset are those of
// [Tensor.WithStrides]. It is for those who write a Memory; users get such tensors from a
// backend, as gpu.Backend.NewTensor.
func NewResident(m Memory, dtype DType, elements int, shape, strides [4]int, offset int) Tensor {
	return Tensor{dtype: dtype, shape: shape, strides: strides, offset: offset, memory: m, elements: elements}
}

// Memory returns where the elements of the tensor lie, nil for slices of the host.
func (t Tensor) Memory() Memory { return t.memory }

// CopyTensor copies src to dst, which have the same type and sizes and lie on the host or
// in the memory of a device, each by itself; from device to device it goes through the host.
// Views that share storage must not overlap. A step of a decode loop brings a new key to a
// cache so:
//
//	CopyTensor(ctx, cache.Slice(AxisSequence, n, n+1), key)
//
// The error is an ErrInvalid, found before anything is copied, or that of the memory.
func CopyTensor(ctx context.Context, dst, src Tensor) error {
	for _, o := range []operand{{"destination", &dst}, {"source", &src}} {
		if !o.tensor.Present() {
			return &TypeError{Arg: o.name, Got: NoType, Want: "a tensor"}
		}
		if err := o.tensor.check(o.name); err != nil {
			return err
		}
	}
	if dst.dtype != src.dtype {
		return &TypeError{Arg: "source", Got: src.dtype, Want: dst.dtype.String()}
	}
	for axis, want := range dst.shape {
		if got := src.shape[axis]; got != want {
			return &ShapeError{Arg: "source", Axis: axisNames[axis], Got: got, Want: want, Why: "as the destination has"}
		}
	}
	if dst.folds() {
		return &OverlapError{Output: "destination", Other: "itself"}
	}
	if overlaps(dst, src) {
		return &OverlapError{Output: "destination", Other: "source"}
	}
	switch {
	case dst.empty():
		return nil
	case dst.memory == nil && src.memory == nil:
		copyHost(dst, src)
		return nil
	case dst.memory == nil:
		return inMemory(src.memory.Download(ctx, dst, src))
	case src.memory == nil:
		return inMemory(dst.memory.Upload(ctx, dst, src))
	}
	between := Zeros(src.dtype, src.shape[:]...)
	if err := src.memory.Download(ctx, between, src); err != nil {
		return inMemory(err)
	}
	return inMemory(dst.memory.Upload(ctx, dst, between))
}

func inMemory(err error) error {
	if err != nil {
		return fmt.Errorf("attention: copy: %w", err)
	}
	return nil
}

func (t Tensor) empty() bool {
	_, _, empty, _ := t.span()
	return empty
}

// copyHost copies between slices: blocks of Q8_0 as they are, scales included.
func copyHost(dst, src Tensor) {
	dst, src = dst.inBlocks(), src.inBlocks()
	for b := range dst.shape[0] {
		for h := range dst.shape[1] {
			for i := range dst.shape[2] {
				for d := range dst.shape[3] {
					to, from := dst.Index(b, h, i, d), src.Index(b, h, i, d)
					switch dst.dtype {
					case Float32:
						dst.f32[to] = src.f32[from]
					case Float16, BFloat16:
						dst.u16[to] = src.u16[from]
					case Bool:
						dst.bools[to] = src.bools[from]
					case Q8_0:
						copy(dst.u8[to*Q8_0BlockBytes:][:Q8_0BlockBytes], src.u8[from*Q8_0BlockBytes:])
					}
				}
			}
		}
	}
}
