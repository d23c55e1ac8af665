package gpu

import (
	"context"
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/gl"
)

// Tensor is memory of the device that holds a tensor, such as a cache of keys or values:
// calls that are given a view of it read it where it lies. It is safe for concurrent use,
// as far as calls that write to it do not meet calls that read the same rows. When the
// device is lost its content is too: calls and copies then fail with a LostMemoryError.
type Tensor struct {
	backend *Backend
	device  *gl.Context // that holds it: a loss takes the content
	dtype   attention.DType
	shape   [4]int
	buffer  gl.Buffer
	mixed   atomic.Bool // holds, or held, NaN or Inf
	closed  atomic.Bool
}

var _ attention.Memory = (*Tensor)(nil)

// NewTensor allocates a tensor of zeros [batch, heads, length, dim] of float32, float16,
// bfloat16, or q8_0 with dim in whole blocks. Rows take whole vec4s. The error is an
// attention.ErrOutOfMemory where the device has no room, an attention.ErrInvalid for sizes,
// an attention.ErrUnsupported for other types.
func (b *Backend) NewTensor(ctx context.Context, dtype attention.DType, batch, heads, length, dim int) (*Tensor, error) {
	if !dtype.IsFloat() && (dtype != attention.Q8_0 || dim%attention.Q8_0Block != 0) {
		return nil, &attention.UnsupportedError{
			Backend: b.Name(), Feature: fmt.Sprintf("a tensor of %v of width %d", dtype, dim), Limit: "f32, f16, bf16, and q8_0 in whole blocks lie on the device",
		}
	}
	t := &Tensor{backend: b, dtype: dtype, shape: [4]int{batch, heads, length, dim}}
	const most = 1 << 40 // bytes, far beyond any device, so that sizes do not overflow
	size := t.vec4Bytes()
	for axis, n := range [4]int{batch, heads, length, vec4s(dim)} {
		if n < 1 || int64(n) > most/size {
			return nil, fmt.Errorf("gpu: tensor: %w: axis %d of %v, want 1 or more and %d bytes at most", attention.ErrInvalid, axis, t.shape, int64(most))
		}
		size *= int64(n)
	}
	size = storedBytes(dtype, t.rows(), dim)
	err := b.thread.do(ctx, func() (err error) {
		t.device = b.c
		if t.buffer, err = createBuffer(b.c, size, "tensor", gl.UsageDevice, b.buffers, b.returns); err != nil {
			return fmt.Errorf("gpu: tensor %v %v: %w", dtype, t.shape, translate(err))
		}
		if err = translate(b.c.ClearBuffer(t.buffer, 0, size, 0)); err != nil {
			b.c.DeleteBuffer(t.buffer)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Close frees the memory. Calls with views of it then fail with an attention.ErrClosed.
func (t *Tensor) Close() error {
	if t.closed.Swap(true) {
		return nil
	}
	if t.device != t.backend.live.Load() {
		return nil // closing the backend, or a loss, freed it
	}
	err := t.backend.thread.do(context.Background(), func() error {
		if t.device == t.backend.c {
			t.backend.c.DeleteBuffer(t.buffer)
		}
		return nil
	})
	if t.backend.thread.stopped() {
		return nil // closing the backend freed it
	}
	return err
}

// lost returns an error if the tensor was closed, or the device lost since it was made. It
// is asked on the GL thread, before each use of the buffer.
func (t *Tensor) lost() error { return t.in(t.backend.c) }

// in is lost for a context that is the device now.
func (t *Tensor) in(c *gl.Context) error {
	if t.closed.Load() {
		return fmt.Errorf("gpu: tensor: %w", attention.ErrClosed)
	}
	if t.device != c {
		return &LostMemoryError{What: "a tensor"}
	}
	return nil
}

// Backend returns "gpu".
func (t *Tensor) Backend() string { return t.backend.Name() }

// width is the numbers from row to row.
func (t *Tensor) width() int { return 4 * vec4s(t.shape[attention.AxisDim]) }

// rowBytes is what the numbers of a row take, scaleBytes what its scales do, which lie
// behind the numbers of all rows.
func (t *Tensor) rowBytes() int64 {
	return t.vec4Bytes() * int64(vec4s(t.shape[attention.AxisDim]))
}

func (t *Tensor) scaleBytes() int64 {
	if t.dtype != attention.Q8_0 {
		return 0
	}
	return 2 * int64(blocks(t.shape[attention.AxisDim]))
}

func (t *Tensor) rows() int64 { return rowsOf(t.shape) }

// rowsOf returns the rows of a tensor of these sizes.
func rowsOf(shape [4]int) int64 { return int64(shape[0]) * int64(shape[1]) * int64(shape[2]) }

// View returns all of the tensor; slices of its axes but dim are tensors of calls too.
func (t *Tensor) View() attention.Tensor {
	p := t.width()
	strides := [4]int{t.shape[1] * t.shape[2] * p, t.shape[2] * p, p, 1}
	return attention.NewResident(t, t.dtype, t.shape[0]*strides[0], t.shape, strides, 0)
}

// slab says where the rows of each head begin: base + entry·batch + pitch·head, in vec4s;
// and for q8_0 how many words lie before the scales.
type slab struct{ base, entry, pitch, scales int }

// slab returns where the rows of a view lie, which must be rows of the tensor.
func (t *Tensor) slab(view attention.Tensor) (slab, error) {
	if t.closed.Load() {
		return slab{}, fmt.Errorf("gpu: tensor: %w", attention.ErrClosed)
	}
	shape, strides, p := view.Shape(), view.Strides(), t.width()
	whole := shape[3] == t.shape[3] && (strides[3] == 1 || shape[3] == 1) && (strides[2] == p || shape[2] <= 1)
	for _, n := range []int{view.Offset(), strides[0], strides[1]} {
		whole = whole && n >= 0 && n%p == 0 // kernels bind from the first head on, and load several vec4s at once
	}
	if !whole {
		return slab{}, &attention.UnsupportedError{
			Backend: t.Backend(), Feature: fmt.Sprintf("a view of device memory with sizes %v and strides %v", shape, strides),
			Limit: fmt.Sprintf("whole rows of %d numbers, %d apart, forwards", t.shape[3], p),
		}
	}
	return slab{base: view.Offset() / 4, entry: strides[0] / 4, pitch: strides[1] / 4}, nil
}

// each calls f with the place in the buffer, in bytes, of the rows of each head of a view.
func (s slab) each(shape [4]int, vec4 int64, f func(at int64) error) error {
	for b := range shape[0] {
		for h := range shape[1] {
			if err := f(vec4 * int64(s.base+b*s.entry+h*s.pitch)); err != nil {
				return err
			}
		}
	}
	return nil
}

// vec4Bytes is what four numbers take.
func (t *Tensor) vec4Bytes() int64 {
	if t.dtype == attention.Q8_0 {
		return 4
	}
	return int64(rowBytes(1, t.dtype == attention.Float32))
}

// runs calls f with each run of bytes that some rows of every head of a view take: where it
// lies in the buffer, and where in a copy that is packed as packStored does.
func (t *Tensor) runs(place slab, shape [4]int, f func(at, packed, n int64) error) error {
	rows, packed := int64(shape[2]), int64(0)
	scales := scalesAt(rowsOf(shape), t.shape[attention.AxisDim])
	behind := scalesAt(t.rows(), t.shape[attention.AxisDim])
	return place.each(shape, t.vec4Bytes(), func(at int64) error {
		if err := f(at, packed, rows*t.rowBytes()); err != nil {
			return err
		}
		packed += rows * t.rowBytes()
		n := rows * t.scaleBytes()
		if n == 0 {
			return nil
		}
		scales += n
		return f(behind+at/t.rowBytes()*t.scaleBytes(), scales-n, n)
	})
}

// Upload brings the rows of src to a view of the tensor. See attention.CopyTensor.
func (t *Tensor) Upload(ctx context.Context, dst, src attention.Tensor) error {
	place, err := t.slab(dst)
	if err != nil {
		return err
	}
	shape := dst.Shape()
	data := packStored(src, region{0, shape[0], 0, shape[1]}, new([]byte))
	if !finiteStored(data, t.dtype, rowsOf(shape), shape[3]) {
		t.mixed.Store(true)
	}
	return t.backend.thread.do(ctx, func() error {
		if err := t.lost(); err != nil {
			return err
		}
		return t.runs(place, shape, func(at, packed, n int64) error {
			if err := t.backend.write(t.buffer, at, data[packed:packed+n]); err != nil {
				return fmt.Errorf("gpu: upload of a tensor: %w", err)
			}
			return nil
		})
	})
}

// Download brings the rows of a view of the tensor to dst. See attention.CopyTensor.
func (t *Tensor) Download(ctx context.Context, dst, src attention.Tensor) error {
	place, err := t.slab(src)
	if err != nil {
		return err
	}
	shape := src.Shape()
	data := make([]byte, storedBytes(t.dtype, rowsOf(shape), shape[3]))
	err = t.backend.thread.do(ctx, func() error {
		if err := t.lost(); err != nil {
			return err
		}
		return t.runs(place, shape, func(at, packed, n int64) error {
			t.backend.count.downloaded.Add(n)
			return translate(t.backend.c.Read(t.buffer, at, data[packed:packed+n]))
		})
	})
	if err != nil {
		return fmt.Errorf("gpu: download of a tensor: %w", err)
	}
	switch t.dtype {
	case attention.Float32:
		unpackRows(dst, region{0, shape[0], 0, shape[1]}, data)
	case attention.Q8_0:
		unpackBlocks(dst, data)
	default:
		unpackBits(dst, data, t.width())
	}
	return nil
}

// unpackBits stores rows of 16-bit numbers, width apart, as they are.
func unpackBits(dst attention.Tensor, data []byte, width int) {
	bits := unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(data))), len(data)/2)
	shape, stride := dst.Shape(), dst.Strides()[attention.AxisDim]
	for b := range shape[0] {
		for h := range shape[1] {
			for i := range shape[2] {
				to := dst.Index(b, h, i, 0)
				for d := range shape[3] {
					dst.Uint16s()[to+d*stride] = bits[d]
				}
				bits = bits[width:]
			}
		}
	}
}
