package cpu

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/kernel"
	"github.com/glattn/attention/internal/mutate"
)

// plan is a problem made ready. It owns the memory that its calls work in.
type plan struct {
	backend  *Backend
	set      *kernel.Set
	problem  attention.Problem
	scale    scaling
	mutation mutate.Kind
	jobs     sync.Pool // of *job: one for each call under way
	closed   atomic.Bool
}

func newPlan(b *Backend, p attention.Problem) *plan {
	made := &plan{backend: b, set: b.set.For(max(p.Dim, p.ValueDim)), problem: p, mutation: b.options.mutation}
	made.scale = scalingOf(p, made.mutation)
	made.jobs.New = func() any { return newJob(made) }
	return made
}

// String names the instruction set, the kernels, and how calls are cut.
func (p *plan) String() string {
	c := cutOf(p.problem, p.set, p.backend.options.Threads)
	kernels := "panels"
	if c.narrow {
		kernels = "rows"
	}
	s := fmt.Sprintf("cpu %s %s rows=%d keys=%d", p.set.Name, kernels, c.rowBlock, c.tileKeys)
	if c.packed {
		s += fmt.Sprintf(" packed split=%d", splitKeys)
	}
	return s
}

// Close frees the plan's memory once the calls under way are done.
func (p *plan) Close() error {
	p.closed.Store(true)
	return nil
}

// Run computes call with at most Options.Threads goroutines. After cancellation
// it returns within one panel of a tile, or one tile of few rows: well under a millisecond for usual sizes.
func (p *plan) Run(ctx context.Context, call *attention.Call) error {
	if p.closed.Load() || p.backend.closed.Load() {
		return fmt.Errorf("cpu: run: %w", attention.ErrClosed)
	}
	j := p.jobs.Get().(*job)
	err := j.run(ctx, call)
	p.jobs.Put(j) // not after a panic, which leaves it half done
	if err != nil {
		return fmt.Errorf("cpu: run: %w", err)
	}
	return nil
}
