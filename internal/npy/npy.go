// Package npy reads and writes NumPy's .npy files (format 1.0, 2.0 and 3.0) and
// turns them into attention tensors.
//
// The header is parsed by codeberg.org/sbinet/npyio. Sizes are checked against
// the file before anything is allocated, and elements are decoded here, because
// that library takes a missing tail for zeros.
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/glattn/attention"
)

// Array is the content of one file, in C order whatever the file had.
type Array struct {
	// DType is NumPy's name of the element type without the byte order: f2, f4,
	// f8, b1, i1, i2, i4, i8, u1, u2, u4 or u8.
	DType string
	// Shape holds the sizes of the axes; empty for a scalar.
	Shape []int

	data any // slice of the Go type of elements[DType]
}

// Sentinels to decide on with errors.Is.
var (
	// ErrFormat: the bytes are not a well-formed .npy file of a known version.
	ErrFormat = errors.New("malformed npy file")
	// ErrSize: the header claims another number of elements than the file holds.
	ErrSize = errors.New("size does not match the header")
	// ErrType: the element type is unknown, or not the one asked for.
	ErrType = errors.New("wrong element type")
)

// Error says which file is at fault and why. It wraps one of the sentinels or
// an error of the file system.
type Error struct {
	File   string // path, or empty for a stream
	Reason string
	Err    error
}

// Error names the file, the kind of fault and the numbers.
func (e *Error) Error() string {
	s := "npy: "
	if e.File != "" {
		s += e.File + ": "
	}
	if e.Err != nil {
		s += e.Err.Error()
		if e.Reason != "" {
			s += ": "
		}
	}
	return s + e.Reason
}

// Unwrap returns the kind of fault.
func (e *Error) Unwrap() error { return e.Err }

func fault(kind error, format string, args ...any) error {
	return &Error{Err: kind, Reason: fmt.Sprintf(format, args...)}
}

// element describes one element type by what depends on the Go type of its slices.
type element struct {
	size   int
	make   func(n int) any
	length func(data any) (n int, ok bool) // ok is false for another slice type
	toC    func(data any, shape []int) any // reorders elements stored first axis fastest
}

func of[T any]() element {
	var zero T
	return element{
		size:   binary.Size(zero),
		make:   func(n int) any { return make([]T, n) },
		length: func(data any) (int, bool) { list, ok := data.([]T); return len(list), ok },
		toC:    func(data any, shape []int) any { return transposed(data.([]T), shape) },
	}
}

// elements holds the types that can be read. Half precision is kept as bits.
var elements = map[string]element{
	"f2": of[uint16](), "f4": of[float32](), "f8": of[float64](), "b1": of[bool](),
	"i1": of[int8](), "i2": of[int16](), "i4": of[int32](), "i8": of[int64](),
	"u1": of[uint8](), "u2": of[uint16](), "u4": of[uint32](), "u8": of[uint64](),
}

// New makes an array of the given element type and sizes over data, which must
// be the matching slice: []uint16 for f2 and u2, []float32 for f4, []bool for
// b1, []int64 for i8, and so on.
func New(dtype string, data any, shape ...int) (*Array, error) {
	el, ok := elements[dtype]
	if !ok {
		return nil, fault(ErrType, "unknown element type %q", dtype)
	}
	got, ok := el.length(data)
	if !ok {
		return nil, fault(ErrType, "%s is stored as %T, not %T", dtype, el.make(0), data)
	}
	n, err := count(shape, math.MaxInt/8)
	if err != nil {
		return nil, err
	}
	if got != n {
		return nil, fault(ErrSize, "%d elements for shape %v, want %d", got, shape, n)
	}
	return &Array{DType: dtype, Shape: shape, data: data}, nil
}

// FromTensor copies a tensor into an array of the given sizes, which must hold
// as many elements; without sizes the tensor's own four are used. bfloat16
// becomes u2.
func FromTensor(t attention.Tensor, shape ...int) (*Array, error) {
	axes := t.Shape()
	if len(shape) == 0 {
		shape = axes[:]
	}
	var data any
	var dtype string
	switch t.DType() {
	case attention.Float32:
		dtype, data = "f4", gather(t, t.Float32s())
	case attention.Float16:
		dtype, data = "f2", gather(t, t.Uint16s())
	case attention.BFloat16:
		dtype, data = "u2", gather(t, t.Uint16s())
	case attention.Bool:
		dtype, data = "b1", gather(t, t.Bools())
	default:
		return nil, fault(ErrType, "the tensor is absent")
	}
	return New(dtype, data, shape...)
}

// gather returns the elements of a view in row-major order.
func gather[T any](t attention.Tensor, storage []T) []T {
	s := t.Shape()
	list := make([]T, 0, s[0]*s[1]*s[2]*s[3])
	for b := range s[0] {
		for h := range s[1] {
			for i := range s[2] {
				for d := range s[3] {
					list = append(list, storage[t.Index(b, h, i, d)])
				}
			}
		}
	}
	return list
}

// Len returns the number of elements.
func (a *Array) Len() int {
	n, _ := elements[a.DType].length(a.data)
	return n
}

// count multiplies sizes, refusing negative ones and products beyond limit.
func count(shape []int, limit int) (int, error) {
	n, empty := 1, false
	for axis, size := range shape {
		if size < 0 {
			return 0, fault(ErrFormat, "axis %d has size %d", axis, size)
		}
		empty = empty || size == 0
	}
	if empty {
		return 0, nil
	}
	for _, size := range shape {
		if n > limit/size {
			return 0, fault(ErrSize, "shape %v claims more than %d elements", shape, limit)
		}
		n *= size
	}
	return n, nil
}
