package dispatch

import (
	"context"
	"fmt"

	"github.com/glattn/attention"
)

// serves reports whether a backend computes p, and whether it does so only with copies on
// the host of what lies in the memory of a device.
func (m *member) serves(p attention.Problem) (copies bool, err error) {
	err = m.supports(p)
	if err == nil || p.Resident == 0 {
		return false, err
	}
	p.Resident = 0
	if m.supports(p) == nil {
		return true, nil
	}
	return false, err
}

// hosted is a call with copies on the host of all that lies in the memory of a device. They
// are made once, when a backend first needs them.
type hosted struct {
	of   *attention.Call
	call *attention.Call
}

// fetch makes the copies.
func (h *hosted) fetch(ctx context.Context) (*attention.Call, error) {
	if h.call != nil {
		return h.call, nil
	}
	in, out := h.of.In, h.of.Out
	for _, t := range []*attention.Tensor{&in.Q, &in.K, &in.V, &in.Bias, &in.Mask} {
		if t.Memory() == nil {
			continue
		}
		shape := t.Shape()
		host := attention.Zeros(t.DType(), shape[:]...)
		if err := attention.CopyTensor(ctx, host, *t); err != nil {
			return nil, fmt.Errorf("dispatch: fetching what lies on a device: %w", err)
		}
		*t = host
	}
	for _, t := range []*attention.Tensor{&out.O, &out.LSE} {
		if t.Memory() != nil {
			shape := t.Shape()
			*t = attention.Zeros(t.DType(), shape[:]...)
		}
	}
	call, err := attention.NewCall(h.of.Problem.Options, in, out)
	if err != nil {
		return nil, fmt.Errorf("dispatch: %w", err)
	}
	h.call = call
	return call, nil
}

// store copies outputs that belong on a device to where they belong.
func (h *hosted) store(ctx context.Context) error {
	for _, t := range []struct{ to, from attention.Tensor }{{h.of.Out.O, h.call.Out.O}, {h.of.Out.LSE, h.call.Out.LSE}} {
		if t.to.Memory() == nil {
			continue
		}
		if err := attention.CopyTensor(ctx, t.to, t.from); err != nil {
			return fmt.Errorf("dispatch: storing what belongs on a device: %w", err)
		}
	}
	return nil
}
