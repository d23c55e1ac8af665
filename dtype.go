package attention

import (
	"fmt"
	"math"

	"github.com/x448/float16"
)

// DType is the storage type of a tensor's elements. The zero value marks an
// absent tensor.
type DType uint8

// The storage types. Float16 is IEEE binary16, BFloat16 the upper half of a
// float32; both are stored as uint16 bit patterns. Q8_0 is for K and V alone:
// blocks of 32 int8 values with one binary16 scale, see [QuantizeQ8_0].
const (
	NoType DType = iota
	Float32
	Float16
	BFloat16
	Bool
	Q8_0
)

var dtypeNames = [...]string{NoType: "none", Float32: "f32", Float16: "f16", BFloat16: "bf16", Bool: "bool", Q8_0: "q8_0"}

// String returns the short name used in specs and records: f32, f16, bf16, bool, q8_0.
func (t DType) String() string {
	if int(t) < len(dtypeNames) {
		return dtypeNames[t]
	}
	return fmt.Sprintf("dtype(%d)", uint8(t))
}

// Size returns the bytes of one element; 0 for NoType, and for Q8_0, whose
// elements have no bytes of their own. See [DType.Bytes].
func (t DType) Size() int {
	switch t {
	case Float32:
		return 4
	case Float16, BFloat16:
		return 2
	case Bool:
		return 1
	}
	return 0
}

// Bytes returns the bytes that a row of n elements takes. A row of Q8_0 is whole
// blocks: 34 bytes for each 32 elements begun.
func (t DType) Bytes(n int) int {
	if t == Q8_0 {
		return blocksOf(n) * Q8_0BlockBytes
	}
	return n * t.Size()
}

// IsFloat reports whether t is a float type, in which every tensor of numbers may
// be stored. Q8_0 is not one: it serves K and V alone.
func (t DType) IsFloat() bool { return t == Float32 || t == Float16 || t == BFloat16 }

// ParseDType returns the type with the given short name (f32, f16, bf16, bool, q8_0).
func ParseDType(name string) (DType, error) {
	for t, n := range dtypeNames {
		if n == name && DType(t) != NoType {
			return DType(t), nil
		}
	}
	return NoType, fmt.Errorf("attention: %w: unknown dtype %q (known: f32, f16, bf16, bool, q8_0)", ErrInvalid, name)
}

// Float16ToFloat32 widens a binary16 bit pattern exactly.
func Float16ToFloat32(bits uint16) float32 { return float16.Frombits(bits).Float32() }

// Float32ToFloat16 rounds to the nearest binary16, ties to even.
func Float32ToFloat16(v float32) uint16 { return float16.Fromfloat32(v).Bits() }

// BFloat16ToFloat32 widens a bfloat16 bit pattern exactly.
func BFloat16ToFloat32(bits uint16) float32 { return math.Float32frombits(uint32(bits) << 16) }

// Float32ToBFloat16 rounds to the nearest bfloat16, ties to even. NaN stays NaN.
func Float32ToBFloat16(v float32) uint16 {
	bits := math.Float32bits(v)
	if v != v {
		return uint16(bits>>16) | 0x0040 // a quiet NaN: truncation alone could turn it into Inf
	}
	return uint16((bits + 0x7fff + (bits>>16)&1) >> 16)
}

// roundToOdd narrows v so that rounding the result once more to a 16-bit type
// equals rounding v itself: an inexact result is cut off and made odd, which
// keeps it off the ties (Boldo and Melquiond, "When double rounding is odd", 2005).
func roundToOdd(v float64) float32 {
	nearest := float32(v)
	if v != v || float64(nearest) == v {
		return nearest
	}
	bits := math.Float32bits(nearest)
	if math.Abs(float64(nearest)) > math.Abs(v) {
		bits--
	}
	return math.Float32frombits(bits | 1)
}
