package gpu

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/glattn/attention"
)

// plan is a chosen variant, compiled. It knows no lengths.
type plan struct {
	backend *Backend
	tile    *Tile     // nil for the backend's choice
	variant Variant   // of the problem that the plan was made for
	scratch sync.Pool // of *scratch
}

// variantOf returns the variant for a problem of the plan.
func (p *plan) variantOf(problem attention.Problem) Variant {
	if p.tile != nil {
		return p.backend.tiled(problem, *p.tile)
	}
	return p.backend.variant(problem)
}

// variants returns all that calls of a plan for problem can need: those with fewer keys too.
func (p *plan) variants(problem attention.Problem) []Variant {
	var list []Variant
	for _, keys := range []int{problem.KeyLen, middleKeys, shortKeys} { // one of each class
		some := problem
		some.KeyLen = min(some.KeyLen, keys)
		v := p.variantOf(some)
		if slices.Contains(list, v) {
			continue
		}
		list = append(list, v)
		if v.Partial {
			list = append(list, mergeOf(v))
		}
	}
	return list
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
	if err := p.backend.reaches(problem); err != nil {
		return err
	}
	on, err := p.backend.locate(call)
	if err != nil {
		return err
	}
	if problem.KeyLen == 0 {
		fillEmpty(call)
		return p.backend.fillEmptyOn(ctx, on.o, call)
	}
	v := p.variantOf(problem)
	if err := p.backend.runs(problem, v); err != nil {
		return err
	}
	host, _ := p.scratch.Get().(*scratch)
	if host == nil {
		host = new(scratch)
	}
	defer p.scratch.Put(host)
	cutting := p.backend.sizer(problem, v)
	cutting.on = on
	parts := cutting.cuts()
	if parts == nil {
		return p.backend.tooLarge(problem, v)
	}
	for _, w := range parts {
		if err := p.compute(ctx, call, v, w, on, host); err != nil {
			return err
		}
	}
	return nil
}

// compute computes a part of a call. It goes to the GL thread for each range of keys, so
// that calls of other goroutines can bring their work in between, while the device computes.
func (p *plan) compute(ctx context.Context, call *attention.Call, v Variant, w work, here residents, host *scratch) (err error) {
	whole := span{0, call.Problem.KeyLen}
	keys := &job{plan: p, problem: part(call.Problem, w.region, span{}, whole), here: here, heads: w.region} // has K and V
	defer func() { err = errors.Join(err, keys.abandon()) }()
	var on *keysOnDevice
	for m, queries := range w.queries {
		j := &job{plan: p, variant: v, call: call, problem: part(call.Problem, w.region, queries, whole)}
		j.here, j.heads, j.rows = here, w.region, queries
		var q []byte
		if here.q == nil {
			q = packQueries(call, w.region, queries, host)
		}
		var back *readback
		for n, k := range w.keys {
			in := packKeys(call, w.region, queries, k, on == nil && here.k == nil, on == nil && here.v == nil, v.Kernel == KernelRows, host)
			err := p.backend.thread.do(ctx, func() (err error) {
				if err = errors.Join(j.gone(), keys.gone()); err == nil && n == 0 {
					err = j.begin(q)
				}
				if err == nil && on == nil {
					on, err = keys.load(in, k)
				}
				if err == nil {
					err = j.attend(ctx, in, on, k)
				}
				if err == nil && (len(w.keys) > 1 || m == len(w.queries)-1) {
					on = nil // others take their place
					keys.release()
				}
				if err == nil && n == len(w.keys)-1 {
					if back, err = j.end(ctx); err == nil {
						j.release()
					}
				}
				return err
			})
			if err != nil {
				return errors.Join(err, p.drop(back), j.abandon())
			}
		}
		if err := p.store(ctx, call, v, w.region, queries, back, host); err != nil {
			return err
		}
	}
	return nil
}

// store waits for the results of a job and writes them to the outputs.
func (p *plan) store(ctx context.Context, call *attention.Call, v Variant, r region, queries span, back *readback, host *scratch) (err error) {
	b := p.backend
	var outputs, stats []byte
	looking := false
	defer func() {
		if looking {
			b.lookers.RUnlock()
		}
		err = errors.Join(err, p.drop(back))
	}()
	for done, polls := false, 0; !done; polls++ {
		if polls > 1 && b.opt.Run != nil {
			time.Sleep(pollSlice) // the thread is the program's
		}
		err := b.thread.do(ctx, func() (err error) {
			if done, err = b.ready(back); err == nil && done {
				if outputs, stats, err = b.collect(back, host); err == nil {
					b.lookers.RLock() // the results may be mapped memory, which ends with the context
					looking = true
				}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	rows := r.queryHeads(call.Problem.Group())
	if call.Out.O.Memory() == nil {
		unpackRows(call.Out.O.Slice(attention.AxisSequence, queries.low, queries.high), rows, outputs)
	}
	if call.Out.LSE.Present() {
		unpackLSE(call.Out.LSE.Slice(attention.AxisSequence, queries.low, queries.high), rows, stats, v.natural())
	}
	return nil
}

// drop gives back what results lie in, if there is anything. That the device went away
// meanwhile is no fault of a call.
func (p *plan) drop(back *readback) error {
	b := p.backend
	if back == nil || !back.held() || back.device != b.live.Load() {
		return nil
	}
	err := b.thread.do(context.Background(), func() error {
		b.putBack(back)
		return nil
	})
	if errors.Is(err, attention.ErrClosed) || errors.Is(err, attention.ErrDeviceLost) {
		return nil
	}
	return err
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
