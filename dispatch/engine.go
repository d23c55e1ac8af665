// Package dispatch picks a backend for each attention call, and says why.
//
// An [Engine] holds an ordered list of backends. Left to choose ("auto") it
// prefers, among those that support the problem and are healthy, the one that
// its cost model predicts to be the fastest; a software rasteriser always comes
// last. When a backend refuses or fails for one of these reasons, the same call
// runs again on the next one, from the caller's own inputs:
//
//	unsupported · unavailable · out of memory · device lost · self-test failed
//
// Nothing else falls back: a wrong shape, a cancelled context or any other error
// is returned at once, and so is every error of a backend asked for by name. A
// fall-back is never silent: the [Report] of the call, the [Counters] and the
// hook of [WithHook] tell of it. [Engine.Explain] gives the choice as data.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/glattn/attention"
)

// Engine computes attention on the best of its backends. It is safe for
// concurrent use. [Open] makes engines.
type Engine struct {
	members  []*member // in order of preference between equals
	absent   []Refusal // backends that could not be opened
	named    string    // the backend asked for by name, "" when the engine chooses
	clock    func() time.Time
	hook     func(Event)
	estimate Estimator
	plans    *planCache
	tally    tally

	gate     sync.Mutex
	closed   bool
	running  sync.WaitGroup
	closing  sync.Once
	closeErr error
}

// Attend computes softmax(scale·QKᵀ + …)·V into out; the root package documents
// the mathematics, [attention.Inputs] and [attention.Outputs] the shapes and
// dtypes.
//
// The arguments are validated before any backend sees them: an
// [attention.ErrInvalid] leaves the outputs untouched. Other errors are those of
// ctx, [attention.ErrClosed], a [PanicError], those of the backend asked for by
// name, or, when every backend refused, an [ExhaustedError]; outputs are then
// undefined. The report is filled in as far as the call got, on errors too.
func (e *Engine) Attend(ctx context.Context, opts attention.Options, in attention.Inputs, out attention.Outputs) (Report, error) {
	if err := ctx.Err(); err != nil {
		return Report{}, fmt.Errorf("dispatch: %w", err)
	}
	if err := e.enter(); err != nil {
		return Report{}, err
	}
	defer e.running.Done()
	start := e.clock()
	call, err := attention.NewCall(opts, in, out)
	if err != nil {
		e.tally.call(Report{}, err)
		return Report{}, fmt.Errorf("dispatch: %w", err)
	}
	var report Report
	err = e.attend(ctx, call, &report)
	report.Elapsed = e.clock().Sub(start)
	e.tally.call(report, err)
	report.Refusals = slices.Concat(e.absent, report.Refusals)
	return report, err
}

// Backend returns the backend with the given name.
func (e *Engine) Backend(name string) (attention.Backend, bool) {
	for _, m := range e.members {
		if m.name == name {
			return m.backend, true
		}
	}
	return nil, false
}

// Backends returns the engine's backends in their order.
func (e *Engine) Backends() []attention.Backend {
	list := make([]attention.Backend, len(e.members))
	for n, m := range e.members {
		list[n] = m.backend
	}
	return list
}

// Counters returns what the engine has done so far.
func (e *Engine) Counters() Counters {
	c := e.tally.snapshot()
	c.Plans, c.Evictions = e.plans.planned.Load(), e.plans.evicted.Load()
	return c
}

// Close waits for running calls, then closes all plans and backends, those of
// [WithBackends] too. Calls that come after it get [attention.ErrClosed].
// Closing again does nothing and returns the same error. A hook must not call
// it, because the call that the hook tells of is still running.
func (e *Engine) Close() error {
	e.gate.Lock()
	e.closed = true
	e.gate.Unlock()
	e.running.Wait()
	e.closing.Do(func() {
		problems := []error{e.plans.close()}
		for _, m := range e.members {
			if err := m.close(); err != nil {
				problems = append(problems, fmt.Errorf("dispatch: closing backend %q: %w", m.name, err))
			}
		}
		e.closeErr = errors.Join(problems...)
	})
	return e.closeErr
}

// enter counts a running call; the caller ends it by e.running.Done.
func (e *Engine) enter() error {
	e.gate.Lock()
	defer e.gate.Unlock()
	if e.closed {
		return fmt.Errorf("dispatch: engine: %w", attention.ErrClosed)
	}
	e.running.Add(1)
	return nil
}

func (e *Engine) emit(event Event) {
	if e.hook != nil {
		e.hook(event)
	}
}
