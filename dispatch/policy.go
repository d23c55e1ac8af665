package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/glattn/attention"
)

// candidate is a member with the time that a problem is predicted to take on it.
type candidate struct {
	*member
	predicted time.Duration
	copies    bool // it reaches nothing in the memory of a device, and gets copies
}

// rank orders the members that may be chosen for p: real devices before
// software rasterisers, those that need no copies of what lies on a device before those that
// do, then by predicted time, then by the order of the list.
// Support and health are asked later, so that a refusal of a better one shows.
func (e *Engine) rank(p attention.Problem) []candidate {
	work := workOf(p)
	var list []candidate
	for _, m := range e.members {
		if e.named == "" || m.name == e.named {
			c := candidate{member: m, predicted: e.estimate.Estimate(m.class(), work)}
			if p.Resident != 0 {
				if c.copies, _ = m.serves(p); c.copies {
					host := p
					host.Resident = 0
					c.predicted = e.estimate.Estimate(m.class(), workOf(host))
				}
			}
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int {
		if a.software != b.software {
			if a.software {
				return 1
			}
			return -1
		}
		if a.copies != b.copies {
			if a.copies {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.predicted, b.predicted)
	})
	return list
}

// attend runs call on the first candidate that takes it. Backends in back-off
// come last: a call had rather try them than fail.
func (e *Engine) attend(ctx context.Context, call *attention.Call, report *Report) error {
	var resting []candidate
	host := &hosted{of: call}
	for _, c := range e.rank(call.Problem) {
		var err error
		if c.copies, err = c.serves(call.Problem); err != nil {
			if stop := e.refuse(ctx, c, call.Problem, err, report); stop != nil {
				return stop
			}
			continue
		}
		if err := c.admit(e.clock(), call.Problem); err != nil && e.named == "" {
			report.add(e.refusal(c.member, call.Problem, Unhealthy, err))
			resting = append(resting, c)
			continue
		}
		if done, err := e.place(ctx, c, host, report); done {
			return err
		}
	}
	for _, c := range resting {
		if done, err := e.place(ctx, c, host, report); done {
			return err
		}
	}
	return &ExhaustedError{Problem: call.Problem, Refusals: slices.Concat(e.absent, report.Refusals)}
}

// place tries the call on a candidate, with copies of what it cannot reach. What goes wrong
// with those is no fault of the candidate.
func (e *Engine) place(ctx context.Context, c candidate, host *hosted, report *Report) (done bool, err error) {
	if !c.copies {
		return e.try(ctx, c, host.of, report)
	}
	call, err := host.fetch(ctx)
	if err != nil {
		return true, err
	}
	if done, err = e.try(ctx, c, call, report); done && err == nil {
		report.Copied = true
		err = host.store(ctx)
	}
	return done, err
}

// try runs call on one candidate; done is false when the next one should try.
func (e *Engine) try(ctx context.Context, c candidate, call *attention.Call, report *Report) (done bool, err error) {
	began := e.clock()
	name, err := e.run(ctx, c, call)
	if err == nil {
		report.chose(c.name, name)
		if c.succeed(began, call.Problem) {
			e.emit(Event{Kind: EventRecovered, Backend: c.name, Problem: call.Problem})
		}
		return true, nil
	}
	e.note(c.member, call.Problem, began, err)
	if stop := e.refuse(ctx, c, call.Problem, err, report); stop != nil {
		return true, stop
	}
	return false, nil
}

// run plans and runs call, and tells the cost model how long it took.
func (e *Engine) run(ctx context.Context, c candidate, call *attention.Call) (planName string, err error) {
	plan, err := e.acquire(ctx, c.member, call.Problem)
	if err != nil {
		return "", err
	}
	defer e.plans.release(plan)
	alone := c.active.Add(1) == 1
	defer c.active.Add(-1)
	start := e.clock()
	if err := c.run(ctx, plan.plan, call); err != nil {
		return "", err
	}
	took := e.clock().Sub(start)
	// A plan's first run pays for warming up and calls beside each other share
	// the device; neither says how fast the backend is.
	if plan.warm.Swap(true) && alone && c.active.Load() == 1 {
		e.estimate.Observe(c.class(), workOf(call.Problem), took)
	}
	return plan.name, nil
}

// acquire returns a plan for the capacity of p, or for p itself where only that
// is within the backend's limits or memory.
func (e *Engine) acquire(ctx context.Context, m *member, p attention.Problem) (*planEntry, error) {
	capacity := p.Capacity()
	if capacity != p && m.supports(capacity) != nil {
		capacity = p
	}
	plan, err := e.plans.acquire(ctx, m, capacity)
	if capacity != p && errors.Is(err, attention.ErrOutOfMemory) {
		return e.plans.acquire(ctx, m, p)
	}
	return plan, err
}

// note records what an error says about a backend's health. Its plans may hold
// what the device has lost, or the memory it lacks, so they go.
func (e *Engine) note(m *member, p attention.Problem, began time.Time, err error) {
	reason, known := reasonOf(err)
	if !known || !affectsHealth(reason, err) {
		return
	}
	if m.fail(began, e.clock(), p, reason, err) {
		e.emit(Event{Kind: EventUnhealthy, Backend: m.name, Problem: p, Reason: reason, Err: err})
	}
	e.plans.drop(m)
}

// refuse records why a candidate did not run the call. It returns the error that
// ends the call, or nil if the next candidate may try.
func (e *Engine) refuse(ctx context.Context, c candidate, p attention.Problem, err error, report *Report) error {
	if stop := ctx.Err(); stop != nil {
		if !errors.Is(err, stop) {
			err = errors.Join(stop, err)
		}
		return fmt.Errorf("dispatch: backend %q: %w", c.name, err)
	}
	reason, known := reasonOf(err)
	if e.named != "" {
		if known {
			report.add(Refusal{Backend: c.name, Reason: reason, Detail: err.Error(), Err: err})
		}
		return fmt.Errorf("dispatch: backend %q, asked for by name: %w", c.name, err)
	}
	if !known {
		return fmt.Errorf("dispatch: backend %q: %w", c.name, err)
	}
	report.add(e.refusal(c.member, p, reason, err))
	return nil
}

// refusal makes the record of a refusal that leads to a fall-back, and tells the hook.
func (e *Engine) refusal(m *member, p attention.Problem, reason Reason, err error) Refusal {
	e.emit(Event{Kind: EventRefused, Backend: m.name, Problem: p, Reason: reason, Err: err})
	return Refusal{Backend: m.name, Reason: reason, Detail: err.Error(), Err: err}
}

// ExhaustedError reports a call that no backend of the engine could run.
type ExhaustedError struct {
	Problem  attention.Problem
	Refusals []Refusal
}

// Error lists each backend with its reason.
func (e *ExhaustedError) Error() string {
	reasons := make([]string, len(e.Refusals))
	for n, r := range e.Refusals {
		reasons[n] = fmt.Sprintf("%s: %s", r.Backend, r.Detail)
	}
	return fmt.Sprintf("dispatch: no backend runs %v: %s", e.Problem, strings.Join(reasons, "; "))
}

// Unwrap returns the reasons, for errors.Is and errors.As.
func (e *ExhaustedError) Unwrap() []error {
	list := make([]error, len(e.Refusals))
	for n, r := range e.Refusals {
		list[n] = r.Err
	}
	return list
}
