package npy

import (
	"fmt"
	"math"

	"github.com/glattn/attention"
)

// Float32s returns the elements of an f4 array, or an ErrType.
func (a *Array) Float32s() ([]float32, error) { return typed[float32](a, "f4") }

// Float16s returns the bit patterns of an f2 array, or an ErrType.
func (a *Array) Float16s() ([]uint16, error) { return typed[uint16](a, "f2") }

// Uint16s returns the elements of a u2 array, or an ErrType. bfloat16, which
// NumPy lacks, is stored so.
func (a *Array) Uint16s() ([]uint16, error) { return typed[uint16](a, "u2") }

// Bools returns the elements of a b1 array, or an ErrType.
func (a *Array) Bools() ([]bool, error) { return typed[bool](a, "b1") }

func typed[T any](a *Array, dtype string) ([]T, error) {
	if data, ok := a.data.([]T); ok && a.DType == dtype {
		return data, nil
	}
	return nil, fault(ErrType, "elements are %s, want %s", a.DType, dtype)
}

// Ints returns the elements of an integer array of any width, or an ErrType; a
// u8 beyond the range of int is one too.
func (a *Array) Ints() ([]int, error) {
	if a.DType[0] != 'i' && a.DType[0] != 'u' {
		return nil, fault(ErrType, "elements are %s, want an integer type", a.DType)
	}
	list := make([]int, 0, a.Len())
	switch data := a.data.(type) {
	case []int8:
		return appendInts(list, data), nil
	case []int16:
		return appendInts(list, data), nil
	case []int32:
		return appendInts(list, data), nil
	case []int64:
		return appendInts(list, data), nil
	case []uint8:
		return appendInts(list, data), nil
	case []uint16:
		return appendInts(list, data), nil
	case []uint32:
		return appendInts(list, data), nil
	case []uint64:
		for i, v := range data {
			if v > math.MaxInt {
				return nil, fault(ErrType, "element %d is %d, beyond %d", i, v, math.MaxInt)
			}
		}
		return appendInts(list, data), nil
	}
	return nil, fault(ErrType, "elements are %s, want an integer type", a.DType)
}

func appendInts[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](list []int, data []T) []int {
	for _, v := range data {
		list = append(list, int(v))
	}
	return list
}

// Float64s returns the elements of an f2, f4 or f8 array, widened exactly, or
// an ErrType.
func (a *Array) Float64s() ([]float64, error) {
	list := make([]float64, 0, a.Len())
	switch a.DType {
	case "f2":
		for _, v := range a.data.([]uint16) {
			list = append(list, float64(attention.Float16ToFloat32(v)))
		}
	case "f4":
		for _, v := range a.data.([]float32) {
			list = append(list, float64(v))
		}
	case "f8":
		list = append(list, a.data.([]float64)...)
	default:
		return nil, fault(ErrType, "elements are %s, want f2, f4 or f8", a.DType)
	}
	return list, nil
}

// Tensor views the array as a tensor of at most four axes, aligned right; a
// scalar is one element. as is the wanted type: Float32 for f4 and f8, Float16
// for f2, BFloat16 for u2, Bool for b1. Float64 is narrowed, and note says so;
// a finite value that float32 cannot hold is an ErrType.
func (a *Array) Tensor(as attention.DType) (t attention.Tensor, note string, err error) {
	shape := a.Shape
	if len(shape) == 0 {
		shape = []int{1}
	}
	if len(shape) > 4 {
		return t, "", fault(ErrFormat, "%d axes, a tensor has at most 4", len(shape))
	}
	switch a.DType + " as " + as.String() {
	case "f4 as f32":
		return attention.NewFloat32(a.data.([]float32), shape...), "", nil
	case "f8 as f32":
		data, err := narrow(a.data.([]float64))
		return attention.NewFloat32(data, shape...), "float64 narrowed to float32", err
	case "f2 as f16":
		return attention.NewFloat16(a.data.([]uint16), shape...), "", nil
	case "u2 as bf16":
		return attention.NewBFloat16(a.data.([]uint16), shape...), "", nil
	case "b1 as bool":
		return attention.NewBool(a.data.([]bool), shape...), "", nil
	}
	return t, "", fault(ErrType, "elements are %s, which is no %v", a.DType, as)
}

func narrow(data []float64) ([]float32, error) {
	list := make([]float32, len(data))
	for i, v := range data {
		list[i] = float32(v)
		if math.IsInf(float64(list[i]), 0) && !math.IsInf(v, 0) { // Inf masks, so it must not arise here
			return nil, fault(ErrType, "element %d is %g, beyond float32", i, v)
		}
	}
	return list, nil
}

// String describes the array: type and sizes.
func (a *Array) String() string { return fmt.Sprintf("%s%v", a.DType, a.Shape) }
