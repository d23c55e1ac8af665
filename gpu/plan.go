package gpu

import (
	"context"
	"math"
	"sync"

	"github.com/glattn/attention"
)

// plan is a chosen variant, compiled. It knows no lengths.
type plan struct {
	backend *Backend
	variant Variant
	scratch sync.Pool // of *scratch
}

// String names the variant.
func (p *plan) String() string { return p.variant.String() }

// Close does nothing: programs belong to the backend.
func (p *plan) Close() error { return nil }

// Run computes call job by job. Cancellation takes effect between dispatches.
func (p *plan) Run(ctx context.Context, call *attention.Call) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.backend.thread.stopped() {
		return attention.ErrClosed
	}
	problem := call.Problem
	if problem.Batch == 0 || problem.QueryLen == 0 {
		return nil
	}
	if problem.KeyLen == 0 {
		fillEmpty(call)
		return nil
	}
	if err := p.backend.Supports(problem); err != nil {
		return err
	}
	host, _ := p.scratch.Get().(*scratch)
	if host == nil {
		host = new(scratch)
	}
	defer p.scratch.Put(host)
	splits := p.variant.splits(problem.KeyLen)
	for _, r := range jobs(problem, splits, p.backend.limits.MaxSSBOBytes) {
		j := &job{plan: p, variant: p.variant, problem: part(problem, r), in: pack(call, r, host), splits: splits, host: host}
		j.variant.Guarded = p.variant.Kernel == KernelRows && !finiteValues(j.in.v, j.problem)
		if err := p.backend.thread.do(ctx, func() error { return j.run(ctx) }); err != nil {
			return err
		}
		rows := r.queryHeads(problem.Group())
		unpackRows(call.Out.O, rows, host.o)
		if call.Out.LSE.Present() {
			unpackLSE(call.Out.LSE, rows, host.stats, p.variant.natural())
		}
	}
	return nil
}

// fillEmpty writes what rows without any key give: 0 and -Inf.
func fillEmpty(call *attention.Call) {
	p := call.Problem
	for b := range p.Batch {
		for h := range p.Heads {
			for i := range p.QueryLen {
				for d := range p.ValueDim {
					call.Out.O.Set(b, h, i, d, 0)
				}
				if call.Out.LSE.Present() {
					call.Out.LSE.Set(b, h, i, 0, math.Inf(-1))
				}
			}
		}
	}
}
