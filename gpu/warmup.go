package gpu

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/glattn/attention"
)

// Warmup compiles and tests the kernels of the problems ahead of their first calls.
// A driver that compiles several shaders at a time is given all at once; calls of
// others run in between. What it made stays: a problem whose kernel is refused makes
// part of the error, which is an attention.ErrUnsupported then, and does not keep the
// rest from being ready. The key length of a problem is the greatest that calls will have.
//
// A kernel for values of V that are NaN or infinite is compiled when they first
// appear, on software rasterisers only.
func (b *Backend) Warmup(ctx context.Context, problems ...attention.Problem) error {
	var errs []error
	var list []Variant
	for _, p := range problems {
		if err := b.computes(p); err != nil {
			errs = append(errs, fmt.Errorf("gpu: warm-up of %v: %w", p, err))
			continue
		}
		list = append(list, (&plan{backend: b}).variants(p)...)
	}
	err := b.thread.do(ctx, func() error {
		for _, v := range list {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := b.programs.start(v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, v := range list {
		if err := b.await(ctx, v); err != nil {
			errs = append(errs, err)
			if !isRefusal(err) {
				break // it says nothing of the variant, and something of the next one
			}
		}
	}
	return errors.Join(errs...)
}

// compilePoll is how often the compiler is asked whether it is through.
const compilePoll = 2 * time.Millisecond

// await makes v ready without holding up other work while the driver compiles.
func (b *Backend) await(ctx context.Context, v Variant) error {
	for {
		ready := false
		err := b.thread.do(ctx, func() error {
			if ready = b.programs.ready(v); !ready {
				return nil
			}
			_, err := b.programs.get(v)
			return err
		})
		if ready || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(compilePoll):
		}
	}
}
