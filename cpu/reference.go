package cpu

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/glattn/attention"
)

// supported lists what both backends of this package compute. A new feature
// bit is refused until it is written here.
const supported = attention.FeatureScale | attention.FeatureSoftcap |
	attention.FeatureCausal | attention.FeatureWindow | attention.FeatureOffsets |
	attention.FeatureMask | attention.FeatureBias | attention.FeatureLengths |
	attention.FeatureLSE | attention.FeatureGroups | attention.FeatureValueDim |
	attention.FeatureFloat16 | attention.FeatureBFloat16 | attention.FeatureQ8_0

// Reference is the backend "reference": float64 attention by the formula, in
// time O(B·Hq·Lq·Lk·(D+Dv)) and memory O(Lk+D+Dv) per goroutine. What the fast
// backends are measured against. See [ReferenceRow] for what each row is.
type Reference struct{ closed atomic.Bool }

var _ attention.Backend = (*Reference)(nil)

// NewReference returns the float64 backend.
func NewReference() *Reference { return &Reference{} }

// Name returns "reference".
func (r *Reference) Name() string { return "reference" }

// Supports returns nil for every feature known when this was written, else an
// [attention.UnsupportedError].
func (r *Reference) Supports(p attention.Problem) error { return p.Missing(r.Name(), supported) }

// Plan returns a plan for p; it prepares nothing. It fails with what Supports
// returns, with the error of ctx, or with [attention.ErrClosed].
func (r *Reference) Plan(ctx context.Context, p attention.Problem) (attention.Plan, error) {
	if r.closed.Load() {
		return nil, fmt.Errorf("reference: plan: %w", attention.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reference: plan: %w", err)
	}
	if err := r.Supports(p); err != nil {
		return nil, err
	}
	return &referencePlan{backend: r}, nil
}

// Close makes later calls fail with [attention.ErrClosed].
func (r *Reference) Close() error {
	r.closed.Store(true)
	return nil
}

type referencePlan struct {
	backend *Reference
	closed  atomic.Bool
}

func (p *referencePlan) String() string { return "reference float64" }

func (p *referencePlan) Close() error {
	p.closed.Store(true)
	return nil
}

// Run computes the rows of call, several at a time; each row is computed by one
// goroutine alone, so their number does not change the result.
func (p *referencePlan) Run(ctx context.Context, call *attention.Call) error {
	if p.closed.Load() || p.backend.closed.Load() {
		return fmt.Errorf("reference: run: %w", attention.ErrClosed)
	}
	shape := call.Problem.Shape
	rows := int64(shape.Batch) * int64(shape.Heads) * int64(shape.QueryLen)
	var next atomic.Int64
	var workers sync.WaitGroup
	var panics rescue
	for range min(int64(runtime.GOMAXPROCS(0)), rows) {
		workers.Go(func() {
			defer panics.catch()
			var row Row
			for ctx.Err() == nil {
				n := int(next.Add(1) - 1)
				if int64(n) >= rows {
					return
				}
				i := n % shape.QueryLen
				h := n / shape.QueryLen % shape.Heads
				b := n / shape.QueryLen / shape.Heads
				ReferenceRow(call, b, h, i, &row)
				row.store(call, b, h, i)
			}
		})
	}
	workers.Wait()
	panics.rethrow()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("reference: run: %w", err)
	}
	return nil
}

// store writes the row's outputs, rounded to their types.
func (r *Row) store(call *attention.Call, b, h, i int) {
	for d, v := range r.O {
		call.Out.O.Set(b, h, i, d, v)
	}
	if call.Out.LSE.Present() {
		call.Out.LSE.Set(b, h, i, 0, r.LSE)
	}
}
