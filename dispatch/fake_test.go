package dispatch

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/testclock"
)

// fake is a backend whose answers a test sets. It writes mark to every element
// of O, so that a test sees which backend ran.
type fake struct {
	name     string
	mark     float64
	software bool

	supports func(attention.Problem) error
	plan     func(context.Context, attention.Problem) error
	run      func(context.Context, *attention.Call) error

	plans, runs, openPlans, closed atomic.Int64
}

func newFake(name string, mark float64) *fake { return &fake{name: name, mark: mark} }

func (f *fake) Name() string   { return f.name }
func (f *fake) Software() bool { return f.software }

func (f *fake) Supports(p attention.Problem) error {
	if f.supports != nil {
		return f.supports(p)
	}
	return nil
}

func (f *fake) Plan(ctx context.Context, p attention.Problem) (attention.Plan, error) {
	f.plans.Add(1)
	if f.plan != nil {
		if err := f.plan(ctx, p); err != nil {
			return nil, err
		}
	}
	f.openPlans.Add(1)
	return &fakePlan{fake: f, problem: p}, nil
}

func (f *fake) Close() error {
	f.closed.Add(1)
	return nil
}

type fakePlan struct {
	fake    *fake
	problem attention.Problem
	closed  atomic.Bool
}

func (p *fakePlan) Run(ctx context.Context, call *attention.Call) error {
	p.fake.runs.Add(1)
	if p.closed.Load() || p.fake.closed.Load() > 0 {
		return fmt.Errorf("%s: %w", p.fake.name, attention.ErrClosed)
	}
	if !p.problem.Fits(call.Problem) {
		return fmt.Errorf("%s: plan for %v got %v", p.fake.name, p.problem, call.Problem)
	}
	if p.fake.run != nil {
		if err := p.fake.run(ctx, call); err != nil {
			return err
		}
	}
	shape := call.Out.O.Shape()
	for b := range shape[0] {
		for h := range shape[1] {
			for i := range shape[2] {
				for d := range shape[3] {
					call.Out.O.Set(b, h, i, d, p.fake.mark)
				}
			}
		}
	}
	return nil
}

func (p *fakePlan) String() string { return p.fake.name + " plan" }

func (p *fakePlan) Close() error {
	if p.closed.Swap(true) {
		return fmt.Errorf("%s: plan closed twice", p.fake.name)
	}
	p.fake.openPlans.Add(-1)
	return nil
}

// fixed is an estimator that always predicts the same for a class and keeps what
// it was told.
type fixed struct {
	mu       sync.Mutex
	times    map[string]time.Duration
	observed []string
}

func (f *fixed) Estimate(class string, _ Work) time.Duration { return f.times[class] }

func (f *fixed) Observe(class string, _ Work, _ time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.observed = append(f.observed, class)
}

func newClock() *testclock.Clock { return testclock.New(time.Unix(1000, 0)) }

// log is a hook that keeps the events.
type log struct {
	mu     sync.Mutex
	events []Event
}

func (l *log) hook(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

func (l *log) kinds(backend string) []EventKind {
	l.mu.Lock()
	defer l.mu.Unlock()
	var kinds []EventKind
	for _, e := range l.events {
		if e.Backend == backend && e.Kind != EventPlanned {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

// open returns an engine of fakes that prefers them in the order of the list.
func open(t *testing.T, list []*fake, opts ...Option) *Engine {
	t.Helper()
	order := &fixed{times: map[string]time.Duration{}}
	var backends []attention.Backend
	for n, f := range list {
		backends = append(backends, f)
		order.times[f.name] = time.Duration(n+1) * time.Millisecond
		order.times[f.name+softwareSuffix] = time.Nanosecond
	}
	e, err := Open(t.Context(), append([]Option{WithBackends(backends...), WithEstimator(order)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// operands returns the tensors of a small call.
func operands(queries, keys int) (attention.Inputs, attention.Outputs) {
	in := attention.Inputs{
		Q: attention.Zeros(attention.Float32, 1, 2, queries, 4),
		K: attention.Zeros(attention.Float32, 1, 1, keys, 4),
		V: attention.Zeros(attention.Float32, 1, 1, keys, 4),
	}
	return in, attention.Outputs{O: attention.Zeros(attention.Float32, 1, 2, queries, 4)}
}

func problemOf(t *testing.T, queries, keys int) attention.Problem {
	t.Helper()
	in, out := operands(queries, keys)
	call, err := attention.NewCall(attention.Options{}, in, out)
	require.NoError(t, err)
	return call.Problem
}

func attend(ctx context.Context, e *Engine, queries, keys int) (attention.Tensor, Report, error) {
	in, out := operands(queries, keys)
	report, err := e.Attend(ctx, attention.Options{}, in, out)
	return out.O, report, err
}
