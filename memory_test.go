package attention

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

var errMemory = errors.New("planted")

// fakeMemory keeps its elements on the host, out of sight of tensors.
type fakeMemory struct {
	data []float32
	fail error
}

func (m *fakeMemory) Backend() string { return "fake" }

func (m *fakeMemory) move(t Tensor, f func(at, b, h, i, d int)) error {
	if m.fail != nil {
		return m.fail
	}
	for b := range t.shape[0] {
		for h := range t.shape[1] {
			for i := range t.shape[2] {
				for d := range t.shape[3] {
					f(t.Index(b, h, i, d), b, h, i, d)
				}
			}
		}
	}
	return nil
}

func (m *fakeMemory) Download(_ context.Context, dst, src Tensor) error {
	return m.move(src, func(at, b, h, i, d int) { dst.Set(b, h, i, d, float64(m.data[at])) })
}

func (m *fakeMemory) Upload(_ context.Context, dst, src Tensor) error {
	return m.move(dst, func(at, b, h, i, d int) { m.data[at] = float32(src.At(b, h, i, d)) })
}

func newFake(shape [4]int) (*fakeMemory, Tensor) {
	strides := [4]int{shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1}
	m := &fakeMemory{data: make([]float32, shape[0]*strides[0])}
	return m, NewResident(m, Float32, len(m.data), shape, strides, 0)
}

func TestCopyTensor(t *testing.T) {
	shape := [4]int{2, 3, 5, 4}
	numbers := Zeros(Float32, shape[:]...)
	for n := range numbers.Float32s() {
		numbers.Float32s()[n] = float32(n)
	}
	_, resident := newFake(shape)
	_, second := newFake(shape)
	back := Zeros(Float32, 2, 5, 3, 4).Transpose(AxisHead, AxisSequence)
	ctx := t.Context()
	require.NoError(t, CopyTensor(ctx, resident, numbers))
	require.NoError(t, CopyTensor(ctx, second, resident))
	require.NoError(t, CopyTensor(ctx, back, second))
	require.NoError(t, CopyTensor(ctx, second.Slice(AxisSequence, 1, 2), numbers.Slice(AxisSequence, 4, 5)))
	row := Zeros(Float32, 2, 3, 1, 4)
	require.NoError(t, CopyTensor(ctx, row, second.Slice(AxisSequence, 1, 2)))
	require.True(t, math.IsNaN(resident.At(0, 0, 0, 0)), "not at hand")
	resident.Set(0, 0, 0, 0, 7)
	resident.SetRow(0, 0, 0, []float32{7})
	for b := range shape[0] {
		for h := range shape[1] {
			for d := range shape[3] {
				require.Equal(t, numbers.At(b, h, 4, d), row.At(b, h, 0, d))
				for i := range shape[2] {
					require.Equal(t, numbers.At(b, h, i, d), back.At(b, h, i, d))
				}
			}
		}
	}
	blocks, copied := Zeros(Q8_0, 1, 1, 2, 40), Zeros(Q8_0, 1, 1, 2, 40)
	blocks.SetRow(0, 0, 1, []float32{1, 2, 3})
	require.NoError(t, CopyTensor(ctx, copied, blocks))
	require.Equal(t, blocks.Uint8s(), copied.Uint8s())
	require.NoError(t, CopyTensor(ctx, numbers.Slice(AxisBatch, 0, 0), resident.Slice(AxisBatch, 1, 1)), "nothing to copy")
}

func TestCopyTensorErrors(t *testing.T) {
	m, resident := newFake([4]int{1, 1, 4, 4})
	host := Zeros(Float32, 4, 4)
	var shape *ShapeError
	var kind *TypeError
	var storage *StorageError
	var overlap *OverlapError
	ctx := t.Context()
	require.ErrorAs(t, CopyTensor(ctx, host, resident.Slice(AxisSequence, 0, 3)), &shape)
	require.Equal(t, ShapeError{Arg: "source", Axis: "sequence", Got: 3, Want: 4, Why: "as the destination has"}, *shape)
	require.ErrorAs(t, CopyTensor(ctx, Zeros(Float16, 4, 4), resident), &kind)
	require.ErrorAs(t, CopyTensor(ctx, Tensor{}, resident), &kind)
	require.ErrorAs(t, CopyTensor(ctx, host, resident.WithStrides([4]int{1, 1, 4, 4}, [4]int{0, 0, 4, 1}, 1)), &storage)
	require.ErrorAs(t, CopyTensor(ctx, host.Slice(AxisSequence, 0, 2), host.Slice(AxisSequence, 1, 3)), &overlap)
	require.ErrorAs(t, CopyTensor(ctx, resident.Slice(AxisSequence, 0, 2), resident.Slice(AxisSequence, 1, 3)), &overlap)
	require.ErrorAs(t, CopyTensor(ctx, resident.WithStrides([4]int{1, 1, 4, 4}, [4]int{0, 0, 0, 1}, 0), host), &overlap)
	_, other := newFake([4]int{1, 1, 4, 4})
	m.fail = errMemory
	for _, err := range []error{CopyTensor(ctx, host, resident), CopyTensor(ctx, resident, host), CopyTensor(ctx, other, resident), CopyTensor(ctx, resident, other)} {
		require.ErrorIs(t, err, errMemory)
	}
}

func TestResidentCalls(t *testing.T) {
	_, k := newFake([4]int{1, 1, 8, 4})
	_, v := newFake([4]int{1, 1, 8, 4})
	in := Inputs{Q: Zeros(Float32, 1, 4), K: k.Slice(AxisSequence, 0, 5), V: v.Slice(AxisSequence, 0, 5)}
	call, err := NewCall(Options{}, in, Outputs{O: Zeros(Float32, 1, 4)})
	require.NoError(t, err)
	require.Equal(t, ResidentK|ResidentV, call.Problem.Resident)
	require.Equal(t, FeatureResident, call.Problem.Features())
	require.Contains(t, call.Problem.String(), "resident=K,V")
	require.ErrorIs(t, call.Problem.Missing("none", AllFeatures), ErrUnsupported)
	_, err = NewCall(Options{}, in, Outputs{O: k.Slice(AxisSequence, 0, 1)})
	var overlap *OverlapError
	require.ErrorAs(t, err, &overlap)
	_, err = NewCall(Options{}, in, Outputs{O: k.Slice(AxisSequence, 5, 6)})
	require.NoError(t, err, "another part of the same memory")
}
