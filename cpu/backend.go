package cpu

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/env"
	"github.com/glattn/attention/internal/kernel"
	"github.com/glattn/attention/internal/mutate"
)

// Options are the choices of a [Backend]. None changes the bits of a result.
type Options struct {
	// Threads is the number of goroutines a call may use at once; 0 or less
	// stands for GOMAXPROCS at the time of New.
	Threads int

	mutation mutate.Kind
}

// Backend is the backend "cpu": tiled attention in float32 with a running
// softmax. It computes every feature, any D, Dv ≥ 1, any lengths and strides.
// A call is a function of its batch entries alone: thread count, batch and
// repetition do not change a bit.
type Backend struct {
	options Options
	set     *kernel.Set
	fault   error // why there is no set
	closed  atomic.Bool
	crew    crew
}

var _ attention.Backend = (*Backend)(nil)

// New returns the fast CPU backend. It holds no threads between calls: goroutines that
// helped one look for another for a tenth of a millisecond, then end. Where
// ATTN_CPU asks for instructions that there are not, Plan fails with an
// [attention.ErrUnavailable].
func New(opts Options) *Backend {
	if opts.Threads <= 0 {
		opts.Threads = runtime.GOMAXPROCS(0)
	}
	b := &Backend{options: opts}
	name, err := env.CPU()
	if err == nil {
		b.set, err = kernel.Named(name)
	}
	if err != nil {
		b.fault = fmt.Errorf("cpu: plan: %w: %w", attention.ErrUnavailable, err)
	}
	return b
}

// NewMutated returns a backend with a deliberate mistake, for tests that show a
// verification suite to catch it. Test only: the type of its argument is
// internal to the module.
func NewMutated(kind mutate.Kind) *Backend { return New(Options{mutation: kind}) }

// Name returns "cpu".
func (b *Backend) Name() string { return "cpu" }

// Supports returns nil for every feature known when this was written, else an
// [attention.UnsupportedError].
func (b *Backend) Supports(p attention.Problem) error { return p.Missing(b.Name(), supported) }

// Plan prepares p. Memory for calls is taken on their first run and kept for
// later ones. It fails with what Supports returns, with the error of ctx, or
// with [attention.ErrClosed].
func (b *Backend) Plan(ctx context.Context, p attention.Problem) (attention.Plan, error) {
	if b.closed.Load() {
		return nil, fmt.Errorf("cpu: plan: %w", attention.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("cpu: plan: %w", err)
	}
	if err := b.Supports(p); err != nil {
		return nil, err
	}
	if b.fault != nil {
		return nil, b.fault
	}
	return newPlan(b, p), nil
}

// Close makes later calls fail with [attention.ErrClosed]; calls under way finish.
func (b *Backend) Close() error {
	b.closed.Store(true)
	return nil
}
