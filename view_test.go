package attention

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// counted returns a tensor whose elements hold their storage index.
func counted(shape ...int) Tensor {
	t := Zeros(Float32, shape...)
	for n := range t.f32 {
		t.f32[n] = float32(n)
	}
	return t
}

func TestViews(t *testing.T) {
	base := counted(2, 3, 4, 5)
	require.Equal(t, [4]int{60, 20, 5, 1}, base.Strides())
	require.Equal(t, float64(60+2*20+3*5+4), base.At(1, 2, 3, 4))

	turned := base.Transpose(AxisHead, AxisSequence)
	require.Equal(t, [4]int{2, 4, 3, 5}, turned.Shape())
	require.Equal(t, base.At(1, 2, 3, 4), turned.At(1, 3, 2, 4))

	part := base.Slice(AxisSequence, 1, 3).Slice(AxisDim, 2, 4)
	require.Equal(t, [4]int{2, 3, 2, 2}, part.Shape())
	require.Equal(t, base.At(1, 2, 2, 3), part.At(1, 2, 1, 1))
	require.Equal(t, 7, part.Offset())
	require.Equal(t, 0, base.Slice(AxisDim, 5, 5).Offset(), "an empty slice stays inside the storage")

	wide := counted(1, 1, 4, 1).BroadcastTo([4]int{2, 3, 4, 5})
	require.Equal(t, [4]int{0, 0, 1, 0}, wide.Strides())
	require.Equal(t, 3.0, wide.At(1, 2, 3, 4))

	require.Equal(t, [4]int{1, 1, 3, 4}, counted(3, 4).Shape(), "sizes are aligned right")
	require.Equal(t, "f32[1 1 3 4] strides [12 12 4 1]", counted(3, 4).String())
	require.Equal(t, "absent", Tensor{}.String())
}

func TestPackedProjection(t *testing.T) {
	const b, l, h, d = 2, 3, 2, 4
	packed := counted(b, l, 3*h, d).Transpose(AxisHead, AxisSequence)
	for part := range 3 {
		sliced := packed.Slice(AxisHead, part*h, (part+1)*h)
		strided := packed.WithStrides([4]int{b, h, l, d}, [4]int{l * 3 * h * d, d, 3 * h * d, 1}, part*h*d)
		require.Equal(t, strided.String(), sliced.String())
		require.Equal(t, strided.Offset(), sliced.Offset())
		require.Equal(t, float64(((1*l+2)*3+part)*h*d+1*d+3), sliced.At(1, 1, 2, 3))
	}
	in := Inputs{Q: packed.Slice(AxisHead, 0, h), K: packed.Slice(AxisHead, h, 2*h), V: packed.Slice(AxisHead, 2*h, 3*h)}
	_, err := NewCall(Options{}, in, Outputs{O: Zeros(Float32, b, h, l, d)})
	require.NoError(t, err)
}

func TestSetRoundsAndAtWidens(t *testing.T) {
	for _, dtype := range []DType{Float32, Float16, BFloat16} {
		x := Zeros(dtype, 2, 3)
		x.Set(0, 0, 1, 2, -1.5)
		require.Equal(t, -1.5, x.At(0, 0, 1, 2))
		require.Zero(t, x.At(0, 0, 1, 1))
	}
	mask := Zeros(Bool, 2)
	mask.Set(0, 0, 0, 1, 3)
	require.Equal(t, []bool{false, true}, mask.Bools())
	require.Equal(t, 1.0, mask.At(0, 0, 0, 1))
	require.Zero(t, mask.At(0, 0, 0, 0))
	require.NotNil(t, Zeros(Float16, 1).Uint16s())
	require.Nil(t, Zeros(Float16, 1).Float32s())
	require.NotNil(t, NewBFloat16([]uint16{1}, 1).Uint16s())
	require.NotNil(t, NewFloat16([]uint16{1}, 1).Uint16s())
	require.NotNil(t, NewBool([]bool{true}, 1).Bools())
}

// TestAbsurdStridesOfSingleElements: nobody steps along an axis of size 1, so
// what stands there must not matter, as in numpy.
func TestAbsurdStridesOfSingleElements(t *testing.T) {
	absurd := [4]int{math.MaxInt, math.MinInt, 3, 1}
	in := Inputs{
		Q: counted(1, 1, 2, 3).WithStrides([4]int{1, 1, 2, 3}, absurd, 0),
		K: counted(1, 1, 1, 3).WithStrides([4]int{1, 1, 1, 3}, [4]int{-7, 1 << 50, math.MinInt, 1}, 0),
		V: counted(1, 1, 1, 1).WithStrides([4]int{1, 1, 1, 1}, [4]int{math.MinInt, math.MinInt, math.MinInt, math.MinInt}, 0),
	}
	out := Outputs{O: Zeros(Float32, 1, 1, 2, 1).WithStrides([4]int{1, 1, 2, 1}, [4]int{math.MaxInt, 0, 1, math.MinInt}, 0)}
	call, err := NewCall(Options{}, in, out)
	require.NoError(t, err)
	require.Equal(t, [4]int{0, 0, 3, 1}, call.In.Q.Strides())
	require.Equal(t, 5.0, call.In.Q.At(0, 0, 1, 2))
	require.Equal(t, [4]int{}, call.In.V.Strides())
	require.Equal(t, [4]int{0, 0, 1, 0}, call.Out.O.Strides())
}

func TestBroadcastInputs(t *testing.T) {
	one := counted(1, 1, 1, 3)
	in := Inputs{
		Q: one.BroadcastTo([4]int{2, 4, 5, 3}),
		K: counted(1, 1, 6, 3).BroadcastTo([4]int{2, 2, 6, 3}),
		V: one.BroadcastTo([4]int{2, 2, 6, 3}),
	}
	call, err := NewCall(Options{}, in, Outputs{O: Zeros(Float32, 2, 4, 5, 3)})
	require.NoError(t, err)
	require.Equal(t, 4.0, call.In.K.At(1, 1, 1, 1))
}

func TestStorageBounds(t *testing.T) {
	for name, c := range map[string]struct {
		view      Tensor
		low, high int
	}{
		"short slice":     {NewFloat32(make([]float32, 11), 1, 1, 4, 3), 0, 11},
		"no storage":      {NewFloat32(nil, 1, 1, 4, 3), 0, 11},
		"negative offset": {counted(12).WithStrides([4]int{1, 1, 4, 3}, [4]int{0, 0, 3, 1}, -1), -1, 10},
		"offset":          {counted(12).WithStrides([4]int{1, 1, 4, 3}, [4]int{0, 0, 3, 1}, 1), 1, 12},
		"backwards":       {counted(12).WithStrides([4]int{1, 1, 4, 3}, [4]int{0, 0, -3, 1}, 8), -1, 10},
		"far":             {counted(12).WithStrides([4]int{1, 1, 4, 3}, [4]int{0, 0, 1 << 33, 1}, 0), 0, 3<<33 + 2},
		"far and back":    {counted(12).WithStrides([4]int{1, 1, 4, 3}, [4]int{0, 0, -(1 << 33), 1 << 40}, 5), 5 - 3<<33, 5 + 2<<40},
	} {
		t.Run(name, func(t *testing.T) {
			in := Inputs{Q: c.view, K: counted(1, 1, 2, 3), V: counted(1, 1, 2, 1)}
			_, err := NewCall(Options{}, in, Outputs{O: Zeros(Float32, 1, 1, 4, 1)})
			var storage *StorageError
			require.ErrorAs(t, err, &storage)
			require.Equal(t, StorageError{Arg: "Q", Low: c.low, High: c.high, Len: c.view.storageLen()}, *storage)
			require.ErrorIs(t, err, ErrInvalid)
		})
	}
	backwards := counted(12).WithStrides([4]int{1, 1, 4, 3}, [4]int{0, 0, -3, 1}, 9)
	in := Inputs{Q: backwards, K: counted(1, 1, 2, 3), V: counted(1, 1, 2, 1)}
	call, err := NewCall(Options{}, in, Outputs{O: Zeros(Float32, 1, 1, 4, 1)})
	require.NoError(t, err)
	require.Equal(t, 2.0, call.In.Q.At(0, 0, 3, 2))
}

func TestAddressOverflow(t *testing.T) {
	for name, view := range map[string]Tensor{
		"product":       counted(12).WithStrides([4]int{1, 1, 4, 3}, [4]int{0, 0, math.MaxInt / 2, 1}, 0),
		"back":          counted(12).WithStrides([4]int{1, 1, 4, 3}, [4]int{0, 0, math.MinInt, 1}, 0),
		"sum":           counted(12).WithStrides([4]int{1, 1, 4, 3}, [4]int{0, 0, math.MaxInt / 3, math.MaxInt / 2}, 0),
		"sum back":      counted(12).WithStrides([4]int{1, 1, 4, 3}, [4]int{0, 0, math.MinInt / 3, math.MinInt / 2}, 0),
		"offset":        counted(12).WithStrides([4]int{1, 1, 4, 3}, [4]int{0, 0, 3, 1}, math.MaxInt),
		"wraps to fine": counted(12).WithStrides([4]int{1, 1, 5, 3}, [4]int{0, 0, 1 << 62, 1}, 0), // 4·2⁶² is 0 in 64 bits
	} {
		t.Run(name, func(t *testing.T) {
			in := Inputs{Q: view, K: counted(1, 1, 2, 3), V: counted(1, 1, 2, 1)}
			_, err := NewCall(Options{}, in, Outputs{O: Zeros(Float32, 1, 1, 4, 1)})
			require.ErrorIs(t, err, ErrInvalid)
			require.ErrorContains(t, err, "attention: Q: ")
			require.ErrorContains(t, err, "overflow")
		})
	}
}

// TestIndexBeyond32Bits checks the arithmetic of views that no test has memory for.
func TestIndexBeyond32Bits(t *testing.T) {
	const b, h, l, d = 3, 64, 1 << 20, 128 // 2³⁴·1.5 elements
	view := NewFloat16(nil, b, h, l, d)
	require.NoError(t, view.err)
	last := b*h*l*d - 1
	require.Greater(t, last, 1<<34)
	require.Equal(t, last, view.Index(b-1, h-1, l-1, d-1))
	low, high, empty, ok := view.span()
	require.True(t, ok)
	require.False(t, empty)
	require.Equal(t, [2]int{0, last}, [2]int{low, high})

	turned := view.Transpose(AxisHead, AxisSequence).Slice(AxisHead, l-1, l)
	require.Equal(t, (l-1)*d, turned.Offset())
	require.Equal(t, last, turned.Index(b-1, 0, h-1, d-1))

	back := view.WithStrides([4]int{1, 1, 2, 1 << 16}, [4]int{0, 0, 1 << 40, -(1 << 20)}, 1<<36)
	low, high, _, ok = back.span()
	require.True(t, ok)
	require.Equal(t, [2]int{1<<36 - (1<<16-1)<<20, 1<<36 + 1<<40}, [2]int{low, high})
	require.False(t, view.folds(), "no element by element comparison of regular views")
}
