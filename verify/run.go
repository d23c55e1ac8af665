package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/glattn/attention"
)

// repeats is how often RunCase runs a case.
const repeats = 3

// RunCase builds a case and runs it on a backend. It returns nil if
//
//   - three runs give the same bits, and every element is written,
//   - the outputs pass [Check], or [CheckUnit] where the case is of unit scale,
//   - guards and inputs are as they were,
//   - the last batch entry computed alone gives the bits it has within the batch.
//
// An error that is an [attention.ErrUnsupported] means that the backend refused,
// in due form; any other is a failure, an [ErrMismatch] if something was wrong
// with the result.
func RunCase(ctx context.Context, backend attention.Backend, c Case) error {
	_, err := Measure(ctx, backend, c)
	return err
}

// Measure is [RunCase], and returns the report of the comparison too. The report
// is empty if the case did not get that far.
func Measure(ctx context.Context, backend attention.Backend, c Case) (Report, error) {
	data, err := Build(c)
	if err != nil {
		return Report{}, err
	}
	r := runner{backend: backend, data: data}
	if err := r.open(ctx); err != nil {
		return Report{}, fmt.Errorf("verify: %s: %w", c, err)
	}
	report, err := r.measure(ctx)
	if closed := r.plan.Close(); err == nil && closed != nil {
		err = fmt.Errorf("close the plan: %w", closed)
	}
	if err != nil {
		return report, fmt.Errorf("verify: %s: %w", c, err)
	}
	return report, nil
}

type runner struct {
	backend attention.Backend
	data    *Filled
	plan    attention.Plan
	roomy   bool // the plan is for a larger problem than the call's
}

// open plans the case; one in four as a decode loop would, for a capacity.
func (r *runner) open(ctx context.Context) error {
	p := r.data.Call.Problem
	if err := r.backend.Supports(p); err != nil {
		return r.refusal(ctx, err)
	}
	if roomy := p.Capacity(); r.data.Case.Seed%4 == 3 && r.backend.Supports(roomy) == nil {
		p, r.roomy = roomy, true
	}
	plan, err := r.backend.Plan(ctx, p)
	if err != nil {
		return fmt.Errorf("plan %v: %w", p, err)
	}
	r.plan = plan
	return nil
}

// refusal checks that a refusal says who refuses what and why, and that Plan
// keeps to it.
func (r *runner) refusal(ctx context.Context, err error) error {
	var unsupported *attention.UnsupportedError
	if !errors.As(err, &unsupported) {
		return fmt.Errorf("%w: Supports returned %T (%v), which is not an UnsupportedError", ErrMismatch, err, err) //nolint:errorlint // must not look unsupported
	}
	if unsupported.Backend != r.backend.Name() || unsupported.Feature == "" || unsupported.Limit == "" {
		return fmt.Errorf("%w: refusal %q does not name backend, feature and limit", ErrMismatch, unsupported.Error())
	}
	if _, planned := r.backend.Plan(ctx, r.data.Call.Problem); !errors.Is(planned, attention.ErrUnsupported) {
		return fmt.Errorf("%w: Supports refused with %q, Plan returned error %v", ErrMismatch, unsupported.Error(), planned) //nolint:errorlint // must not look unsupported
	}
	return err
}

func (r *runner) measure(ctx context.Context) (Report, error) {
	var first Snapshot
	var report Report
	for n := range repeats {
		r.data.Blank()
		if err := r.plan.Run(ctx, r.data.Call); err != nil {
			return report, fmt.Errorf("run on %v: %w", r.plan, err)
		}
		if n > 0 {
			if err := r.data.CheckSame(first); err != nil {
				return report, fmt.Errorf("run %d differs from the first: %w", n+1, err)
			}
			continue
		}
		first = r.data.Snapshot()
		if err := errors.Join(r.data.CheckWritten(), r.data.CheckBytes()); err != nil {
			return report, err
		}
		var err error
		if report, err = r.data.Check(); err != nil {
			return report, err
		}
	}
	if err := r.alone(ctx, first); err != nil {
		return report, err
	}
	return report, r.data.CheckBytes()
}

// Check compares the outputs with the oracle by the rules that fit the case.
func (d *Filled) Check() (Report, error) {
	if d.Case.UnitScale() {
		return CheckUnit(d.Call)
	}
	return Check(d.Call)
}

// alone runs the last batch entry by itself and compares its bits.
func (r *runner) alone(ctx context.Context, whole Snapshot) (err error) {
	batch := r.data.Case.Shape.Batch - 1
	if batch < 1 {
		return nil
	}
	call, err := r.data.entry(batch)
	if err != nil {
		return err
	}
	plan := r.plan
	if !r.roomy {
		if plan, err = r.backend.Plan(ctx, call.Problem); err != nil {
			return fmt.Errorf("plan %v: %w", call.Problem, err)
		}
		defer func() { err = errors.Join(err, plan.Close()) }()
	}
	r.data.Blank()
	if err := plan.Run(ctx, call); err != nil {
		return fmt.Errorf("batch entry %d alone: %w", batch, err)
	}
	if err := r.data.checkSameEntry(whole, batch); err != nil {
		return fmt.Errorf("batch entry %d alone: %w", batch, err)
	}
	return nil
}
