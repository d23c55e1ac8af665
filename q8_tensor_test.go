package attention

import (
	"math"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestQ8Tensors(t *testing.T) {
	x := Zeros(Q8_0, 2, 3, 4, 40) // rows of two blocks
	require.Equal(t, [4]int{3 * 4 * 64, 4 * 64, 64, 1}, x.Strides())
	require.Len(t, x.Uint8s(), 2*3*4*2*34)
	require.Nil(t, x.Float32s())
	require.Nil(t, Zeros(Float16, 1).Uint8s())
	require.Empty(t, Zeros(Q8_0, 2, 0, 5).Uint8s())
	require.Equal(t, [4]int{32, 32, 32, 1}, NewQ8_0(nil, 1).Strides())

	row := make([]float32, 40)
	for n := range row {
		row[n] = float32(n - 20)
	}
	x.SetRow(1, 2, 3, row)
	require.Equal(t, quantized(row...), x.Uint8s()[(1*12+2*4+3)*2*34:])
	require.InDelta(t, 19, x.At(1, 2, 3, 39), 0.1)
	require.Zero(t, x.At(1, 2, 2, 39))

	turned := x.Transpose(AxisHead, AxisSequence).Slice(AxisSequence, 2, 3).Slice(AxisHead, 3, 4)
	require.Equal(t, x.At(1, 2, 3, 7), turned.At(1, 0, 0, 7))
	require.Equal(t, x.At(1, 2, 3, 39), x.Slice(AxisDim, 32, 40).At(1, 2, 3, 7))

	// One number alone is rounded to its block's scale, and moves no neighbour.
	x.SetRow(0, 0, 0, []float32{127, 3})
	for v, want := range map[float64]float64{2.6: 3, -2.6: -3, 1000: 127, math.Inf(-1): -127, math.NaN(): 0} {
		x.Set(0, 0, 0, 2, v)
		require.Equal(t, want, x.At(0, 0, 0, 2))
		require.Equal(t, 3.0, x.At(0, 0, 0, 1))
	}
	x.Set(0, 0, 1, 0, 5)
	require.Zero(t, x.At(0, 0, 1, 0), "without a scale there is only 0")

	half := Zeros(Float16, 2, 3)
	half.SetRow(0, 0, 1, []float32{1, 2.5})
	require.Equal(t, []float64{1, 2.5, 0}, []float64{half.At(0, 0, 1, 0), half.At(0, 0, 1, 1), half.At(0, 0, 1, 2)})
}

// q8Call makes a call whose K or V, by name, is x.
func q8Call(name string, x Tensor) (*Call, error) {
	in := Inputs{Q: Zeros(Float32, 2, 4, 3, 40), K: Zeros(Float16, 2, 2, 5, 40), V: Zeros(Float32, 2, 2, 5, 40)}
	switch name {
	case "K":
		in.K = x
	case "V":
		in.V = x
	}
	return NewCall(Options{}, in, Outputs{O: Zeros(Float32, 2, 4, 3, 40)})
}

func TestQ8Strides(t *testing.T) {
	shape := [4]int{2, 2, 5, 40}
	storage := Zeros(Q8_0, 4096)
	view := func(strides [4]int, offset int) Tensor { return storage.WithStrides(shape, strides, offset) }
	const multiple, one = "a multiple of 32", "1, "
	for name, c := range map[string]struct {
		x    Tensor
		want StrideError // nothing wrong if Want is empty
	}{
		"contiguous":         {Zeros(Q8_0, 2, 2, 5, 40), StrideError{}},
		"[B, L, H, D]":       {Zeros(Q8_0, 2, 5, 2, 40).Transpose(AxisHead, AxisSequence), StrideError{}},
		"gaps and an offset": {view([4]int{1024, 512, 96, 1}, 64), StrideError{}},
		"backwards":          {view([4]int{-640, 320, -64, 1}, 640+4*64), StrideError{}},
		"broadcast":          {Zeros(Q8_0, 5, 40).BroadcastTo(shape), StrideError{}},
		"one key repeated":   {view([4]int{64, 64, 0, 1}, 0), StrideError{}},
		"second block of rows": {Zeros(Q8_0, 2, 2, 5, 72).Slice(AxisDim, 32, 72),
			StrideError{}},

		"rows not padded":   {view([4]int{1024, 512, 40, 1}, 0), StrideError{Axis: "sequence", Got: 40, Want: multiple}},
		"heads not padded":  {view([4]int{1024, 200, 64, 1}, 0), StrideError{Axis: "head", Got: 200, Want: multiple}},
		"batch not padded":  {view([4]int{1025, 512, 64, 1}, 0), StrideError{Axis: "batch", Got: 1025, Want: multiple}},
		"backwards by half": {view([4]int{1024, 512, -48, 1}, 640), StrideError{Axis: "sequence", Got: -48, Want: multiple}},
		"offset":            {view([4]int{1024, 512, 64, 1}, 8), StrideError{Got: 8, Want: multiple}},
		"middle of blocks":  {Zeros(Q8_0, 2, 2, 5, 64).Slice(AxisDim, 8, 48), StrideError{Got: 8, Want: multiple}},
		"columns":           {Zeros(Q8_0, 2, 2, 40, 5).Transpose(AxisSequence, AxisDim), StrideError{Axis: "sequence", Got: 1, Want: multiple}},
		"every second":      {view([4]int{1024, 512, 96, 2}, 0), StrideError{Axis: "dim", Got: 2, Want: one}},
		"one number a row":  {Zeros(Q8_0, 2, 2, 5, 1).BroadcastTo(shape), StrideError{Axis: "dim", Got: 0, Want: one}},
	} {
		for _, arg := range []string{"K", "V"} {
			t.Run(name+"/"+arg, func(t *testing.T) {
				call, err := q8Call(arg, c.x)
				if c.want.Want == "" {
					require.NoError(t, err)
					require.Equal(t, FeatureQ8_0, call.Problem.Features()&FeatureQ8_0)
					return
				}
				var stride *StrideError
				require.ErrorAs(t, err, &stride)
				require.ErrorIs(t, err, ErrInvalid)
				require.True(t, strings.HasPrefix(stride.Want, c.want.Want), stride.Want)
				require.Equal(t, StrideError{Arg: arg, Axis: c.want.Axis, Got: c.want.Got}, StrideError{Arg: stride.Arg, Axis: stride.Axis, Got: stride.Got})
			})
		}
	}
	in := Inputs{Q: Zeros(Float32, 1, 1, 3, 1), K: storage.WithStrides([4]int{1, 1, 1, 1}, [4]int{7, -5, 3, 9}, 32), V: Zeros(Q8_0, 1, 1)}
	_, err := NewCall(Options{}, in, Outputs{O: Zeros(Float32, 1, 1, 3, 1)})
	require.NoError(t, err, "strides of axes of size 1 mean nothing")
}

func TestQ8Storage(t *testing.T) {
	shape := []int{2, 2, 5, 40}
	const whole = 2 * 2 * 5 * 2 * Q8_0BlockBytes
	_, err := q8Call("K", NewQ8_0(make([]byte, whole), shape...))
	require.NoError(t, err)
	_, err = q8Call("K", NewQ8_0(make([]byte, whole+5), shape...))
	require.NoError(t, err, "the rest is not looked at")
	_, err = q8Call("K", NewQ8_0(make([]byte, whole-1), shape...))
	var storage *StorageError
	require.ErrorAs(t, err, &storage, "a block is read whole, its padding too")
	require.Equal(t, StorageError{Arg: "K", Low: 0, High: 39*32 + 7, Len: 39 * 32}, *storage)
	_, err = q8Call("V", NewQ8_0(nil, shape...))
	require.ErrorAs(t, err, &storage)
	_, err = q8Call("V", NewQ8_0(nil, 2, 2, math.MaxInt))
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, "overflow")
}

func TestQ8Overlap(t *testing.T) {
	x := Zeros(Q8_0, 1, 2, 3, 4)
	y := NewQ8_0(make([]byte, 12*Q8_0BlockBytes), 12*32)
	other := func(t Tensor, offset int) Tensor { // every second block
		return t.WithStrides([4]int{1, 2, 3, 4}, [4]int{0, 192, 64, 1}, offset)
	}
	for name, c := range map[string]struct {
		a, b Tensor
		want bool
	}{
		"itself":                  {x, x, true},
		"another":                 {x, Zeros(Q8_0, 1, 2, 3, 4), false},
		"the next block":          {x.Slice(AxisSequence, 0, 1), x.Slice(AxisSequence, 1, 2), false},
		"woven":                   {other(y, 0), other(y, 32), false},
		"woven, together":         {other(y, 0), other(y, 64), true},
		"woven, by runs":          {other(y, 0).Slice(AxisHead, 0, 1), y.WithStrides([4]int{1, 1, 2, 4}, [4]int{0, 0, 160, 1}, 32), false},
		"woven, by runs, meeting": {other(y, 0).Slice(AxisHead, 0, 1), y.WithStrides([4]int{1, 1, 2, 4}, [4]int{0, 0, 96, 1}, 32), true},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, overlaps(c.a, c.b))
			require.Equal(t, c.want, overlaps(c.b, c.a))
		})
	}
	// The same memory seen as two types: an output in what pads a row of four.
	tail := NewFloat32(unsafe.Slice((*float32)(unsafe.Pointer(&y.u8[28])), 1), 1)
	require.True(t, overlaps(tail, y.Slice(AxisDim, 0, 4)), "backends read whole blocks")
	require.False(t, overlaps(tail, y.Slice(AxisDim, 32, 36)))
}

func TestQ8Bytes(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 34, 31: 34, 32: 34, 33: 68, 64: 68, 80: 102, 128: 136} {
		require.Equal(t, want, Q8_0.Bytes(n), "%d", n)
	}
	require.Equal(t, 12, Float32.Bytes(3))
	require.Equal(t, 6, BFloat16.Bytes(3))
	require.Equal(t, 3, Bool.Bytes(3))
	require.Zero(t, NoType.Bytes(3))
	p := Problem{Shape: Shape{2, 4, 2, 3, 5, 80, 32}, Operands: Operands{Q: Float32, K: Q8_0, V: Q8_0, O: Float16}}
	require.EqualValues(t, 2*4*3*(80*4+32*2)+2*2*5*(3*34+34), p.Bytes())
	p.K = Float16
	require.EqualValues(t, 2*4*3*(80*4+32*2)+2*2*5*(80*2+34), p.Bytes())
}

func TestQ8OnlyForCaches(t *testing.T) {
	for name, change := range map[string]func(*Inputs, *Outputs){
		"Q":    func(in *Inputs, _ *Outputs) { in.Q = Zeros(Q8_0, 2, 4, 3, 40) },
		"O":    func(_ *Inputs, out *Outputs) { out.O = Zeros(Q8_0, 2, 4, 3, 40) },
		"bias": func(in *Inputs, _ *Outputs) { in.Bias = Zeros(Q8_0, 3, 5) },
		"mask": func(in *Inputs, _ *Outputs) { in.Mask = Zeros(Q8_0, 3, 5) },
		"LSE":  func(_ *Inputs, out *Outputs) { out.LSE = Zeros(Q8_0, 2, 4, 3, 1) },
	} {
		in := Inputs{Q: Zeros(Float32, 2, 4, 3, 40), K: Zeros(Q8_0, 2, 2, 5, 40), V: Zeros(Q8_0, 2, 2, 5, 40)}
		out := Outputs{O: Zeros(Float32, 2, 4, 3, 40)}
		change(&in, &out)
		_, err := NewCall(Options{}, in, out)
		var wrong *TypeError
		require.ErrorAs(t, err, &wrong, name)
		require.Equal(t, TypeError{Arg: name, Got: Q8_0, Want: wrong.Want}, *wrong)
		require.NotContains(t, wrong.Want, "q8_0")
	}
}
