package attention

import (
	"errors"
	"fmt"
)

// Sentinels to decide on with errors.Is. ErrInvalid and ErrClosed end a call; the
// others let an automatic choice fall back to another backend.
var (
	// ErrInvalid: the caller's arguments are wrong; outputs are untouched.
	ErrInvalid = errors.New("invalid argument")
	// ErrUnsupported: the backend does not compute this problem.
	ErrUnsupported = errors.New("unsupported")
	// ErrUnavailable: the backend cannot be opened on this machine, or its driver fails.
	ErrUnavailable = errors.New("unavailable")
	// ErrOutOfMemory: host or device memory for the call could not be had.
	ErrOutOfMemory = errors.New("out of memory")
	// ErrDeviceLost: the device was reset or removed during the call.
	ErrDeviceLost = errors.New("device lost")
	// ErrSelfTest: a kernel gave wrong numbers on this device and is quarantined.
	ErrSelfTest = errors.New("self-test failed")
	// ErrClosed: the engine, backend or plan was closed before the call.
	ErrClosed = errors.New("closed")
)

// ShapeError reports an axis whose size does not fit. It is an ErrInvalid.
type ShapeError struct {
	Arg  string // tensor or list: Q, K, V, O, LSE, bias, mask, lengths, offsets
	Axis string // batch, head, sequence, dim; empty for a list
	Got  int
	Want int
	Why  string // the other side of the comparison, such as "batch of Q"
}

// Error names the argument, the axis and both numbers.
func (e *ShapeError) Error() string {
	axis := e.Axis
	if axis == "" {
		axis = "length"
	}
	return fmt.Sprintf("attention: %s: %s is %d, want %d (%s)", e.Arg, axis, e.Got, e.Want, e.Why)
}

// Is makes errors.Is(err, ErrInvalid) true.
func (e *ShapeError) Is(target error) bool { return target == ErrInvalid }

// TypeError reports a tensor of the wrong element type, or a missing one. It is
// an ErrInvalid.
type TypeError struct {
	Arg  string
	Got  DType
	Want string
}

// Error names the argument, its type and the types allowed.
func (e *TypeError) Error() string {
	return fmt.Sprintf("attention: %s: dtype is %v, want %s", e.Arg, e.Got, e.Want)
}

// Is makes errors.Is(err, ErrInvalid) true.
func (e *TypeError) Is(target error) bool { return target == ErrInvalid }

// RangeError reports a number outside its limits. It is an ErrInvalid.
type RangeError struct {
	Arg      string // such as "lengths[3]" or "softcap"
	Got      any
	Min, Max any
}

// Error names the argument, the value and the limits.
func (e *RangeError) Error() string {
	return fmt.Sprintf("attention: %s is %v, want %v to %v", e.Arg, e.Got, e.Min, e.Max)
}

// Is makes errors.Is(err, ErrInvalid) true.
func (e *RangeError) Is(target error) bool { return target == ErrInvalid }

// StrideError reports a view that its element type does not allow: rows of a Q8_0
// tensor start at blocks and are contiguous. It is an ErrInvalid.
type StrideError struct {
	Arg  string // tensor: K or V
	Axis string // batch, head, sequence, dim; empty for the offset of the view
	Got  int    // stride or offset, in elements
	Want string // such as "a multiple of 32"
}

// Error names the argument, the axis, the stride and what it should be.
func (e *StrideError) Error() string {
	what := "offset"
	if e.Axis != "" {
		what = "stride of " + e.Axis
	}
	return fmt.Sprintf("attention: %s: %s is %d elements, want %s", e.Arg, what, e.Got, e.Want)
}

// Is makes errors.Is(err, ErrInvalid) true.
func (e *StrideError) Is(target error) bool { return target == ErrInvalid }

// StorageError reports a view that reaches outside its slice. It is an ErrInvalid.
type StorageError struct {
	Arg       string
	Low, High int // lowest and highest element index the view touches
	Len       int // elements in the slice; of Q8_0, those of whole blocks
}

// Error names the argument, the indices it touches and the length it has.
func (e *StorageError) Error() string {
	return fmt.Sprintf("attention: %s: view touches elements %d to %d of a slice of %d", e.Arg, e.Low, e.High, e.Len)
}

// Is makes errors.Is(err, ErrInvalid) true.
func (e *StorageError) Is(target error) bool { return target == ErrInvalid }

// OverlapError reports an output that shares memory with another tensor, or
// with itself. It is an ErrInvalid.
type OverlapError struct{ Output, Other string }

// Error names both tensors.
func (e *OverlapError) Error() string {
	return fmt.Sprintf("attention: output %s overlaps %s in memory", e.Output, e.Other)
}

// Is makes errors.Is(err, ErrInvalid) true.
func (e *OverlapError) Is(target error) bool { return target == ErrInvalid }

// UnsupportedError says which feature of a problem a backend does not compute,
// and its limit. It is an ErrUnsupported.
type UnsupportedError struct {
	Backend string
	Feature string // such as "dim 600" or "feature window"
	Limit   string // such as "at most 576"
}

// Error names the backend, the feature and the limit.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("%s: %s is unsupported: %s", e.Backend, e.Feature, e.Limit)
}

// Is makes errors.Is(err, ErrUnsupported) true.
func (e *UnsupportedError) Is(target error) bool { return target == ErrUnsupported }
