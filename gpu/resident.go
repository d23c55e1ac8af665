package gpu

import (
	"context"
	"fmt"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/gl"
)

// located is an operand of a call that lies on the device.
type located struct {
	*Tensor
	slab
}

// residents are the operands of a call that lie on the device; nil for those that do not.
type residents struct{ q, k, v, o *located }

// locate finds the operands of a call that lie on this device. Those that may are the ones
// of reaches.
func (b *Backend) locate(call *attention.Call) (r residents, err error) {
	for _, o := range []struct {
		name   string
		tensor attention.Tensor
		place  **located
	}{{"Q", call.In.Q, &r.q}, {"K", call.In.K, &r.k}, {"V", call.In.V, &r.v}, {"O", call.Out.O, &r.o}} {
		if o.tensor.Memory() == nil {
			continue
		}
		t, ok := o.tensor.Memory().(*Tensor)
		if !ok || t.backend != b {
			return r, &attention.UnsupportedError{Backend: b.Name(), Feature: o.name + " in the memory of another device", Limit: "its own"}
		}
		at, err := t.slab(o.tensor)
		if err != nil {
			return r, fmt.Errorf("gpu: %s: %w", o.name, err)
		}
		*o.place = &located{t, at}
	}
	return r, r.lost(b.live.Load())
}

// reaches refuses problems with tensors on a device that kernels need elsewhere, or in
// another type.
func (b *Backend) reaches(p attention.Problem) error {
	good := attention.ResidentK | attention.ResidentV
	if p.Q == attention.Float32 {
		good |= attention.ResidentQ
	}
	if p.O == attention.Float32 {
		good |= attention.ResidentO
	}
	if bad := p.Resident &^ good; bad != 0 {
		return &attention.UnsupportedError{
			Backend: b.Name(), Feature: fmt.Sprintf("%v in the memory of a device", bad), Limit: "K and V, and Q and O of float32, may lie there",
		}
	}
	return nil
}

// lost returns an error if an operand lies in a context other than c, or was closed.
func (r residents) lost(c *gl.Context) error {
	for _, l := range []*located{r.q, r.k, r.v, r.o} {
		if l == nil {
			continue
		}
		if err := l.in(c); err != nil {
			return err
		}
	}
	return nil
}

// fillEmptyOn writes what rows without any key give to outputs on the device: 0.
func (b *Backend) fillEmptyOn(ctx context.Context, o *located, call *attention.Call) error {
	if o == nil {
		return nil
	}
	shape := call.Out.O.Shape()
	return b.thread.do(ctx, func() error {
		if err := o.lost(); err != nil {
			return err
		}
		return o.each(shape, o.vec4Bytes(), func(at int64) error {
			return translate(b.c.ClearBuffer(o.buffer, at, int64(shape[2])*o.rowBytes(), 0))
		})
	})
}

// span is the vec4s of n rows.
func (l *located) span(n int) int { return n * l.width() / 4 }

// bytes returns what a binding of so many heads and rows covers at most.
func (l *located) bytes(batch, heads, rows int) int64 {
	if l.dtype == attention.Q8_0 {
		return storedBytes(l.dtype, l.rows(), l.shape[attention.AxisDim]) // scales lie behind all rows
	}
	return l.vec4Bytes()*int64((batch-1)*l.entry+(heads-1)*l.pitch+l.span(rows)) + bindAlign
}

// bindAlign is what the offsets of bindings are multiples of on every device.
const bindAlign = 256

// bind returns the range with some rows of a region, and where in it they lie.
func (l *located) bind(binding uint32, r region, rows span) (bound, slab) {
	place := slab{base: l.base + r.b0*l.entry + r.h0*l.pitch + l.span(rows.low), entry: l.entry, pitch: l.pitch}
	size := l.bytes(r.b1-r.b0, r.h1-r.h0, rows.size())
	if l.dtype == attention.Q8_0 {
		place.scales = int(scalesAt(l.rows(), l.shape[attention.AxisDim]) / 4)
		return bound{binding: binding, buffer: l.buffer, size: size}, place
	}
	first := l.vec4Bytes() * int64(place.base)
	offset := first &^ (bindAlign - 1)
	place.base = int((first - offset) / l.vec4Bytes())
	return bound{binding: binding, buffer: l.buffer, offset: offset, size: size - bindAlign + first - offset}, place
}

// transfer queues the copies of some rows of a region between the tensor and a buffer that
// holds nothing else, of float32.
func (l *located) transfer(b *Backend, packed bound, r region, rows span, load bool) error {
	n := int64(rows.size()) * l.rowBytes()
	at := int64(0)
	place := slab{base: l.base + r.b0*l.entry + r.h0*l.pitch + l.span(rows.low), entry: l.entry, pitch: l.pitch}
	return place.each([4]int{r.b1 - r.b0, r.h1 - r.h0}, l.vec4Bytes(), func(row int64) (err error) {
		if load {
			err = b.c.Copy(packed.buffer, at, l.buffer, row, n)
		} else {
			err = b.c.Copy(l.buffer, row, packed.buffer, at, n)
		}
		at += n
		b.count.copied.Add(n)
		return translate(err)
	})
}
