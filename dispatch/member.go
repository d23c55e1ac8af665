package dispatch

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"github.com/glattn/attention"
)

// member is a backend of an engine, with what the engine knows of it. Its
// methods turn panics of the backend into errors.
type member struct {
	index    int
	name     string
	backend  attention.Backend
	software bool         // a software rasteriser
	health   health       // of the device
	memory   memory       // of large calls
	active   atomic.Int64 // calls running now
}

func newMember(index int, backend attention.Backend) (*member, error) {
	m := &member{index: index, backend: backend}
	err := guard("", "name", func() error {
		m.name = backend.Name()
		if s, ok := backend.(interface{ Software() bool }); ok {
			m.software = s.Software()
		}
		return nil
	})
	return m, err
}

// class is what the cost model keeps its rates by: a software rasteriser is
// thousands of times slower than the device that its name promises.
func (m *member) class() string {
	if m.software {
		return m.name + softwareSuffix
	}
	return m.name
}

func (m *member) supports(p attention.Problem) error {
	return guard(m.name, "supports", func() error { return m.backend.Supports(p) })
}

func (m *member) plan(ctx context.Context, p attention.Problem) (plan attention.Plan, err error) {
	err = guard(m.name, "plan", func() (err error) {
		plan, err = m.backend.Plan(ctx, p)
		return err
	})
	if err == nil && plan == nil {
		err = fmt.Errorf("dispatch: backend %q: plan returned neither a plan nor an error", m.name)
	}
	return plan, err
}

func (m *member) run(ctx context.Context, plan attention.Plan, call *attention.Call) error {
	return guard(m.name, "run", func() error { return plan.Run(ctx, call) })
}

func (m *member) describe(plan attention.Plan) (name string) {
	if err := guard(m.name, "string", func() error { name = plan.String(); return nil }); err != nil {
		return err.Error()
	}
	return name
}

func (m *member) closePlan(plan attention.Plan) error {
	return guard(m.name, "close plan", plan.Close)
}

func (m *member) close() error { return guard(m.name, "close", m.backend.Close) }

// PanicError reports a panic inside a backend. It never falls back, since the
// backend has a fault that must be seen.
type PanicError struct {
	Backend string
	Op      string // supports, plan, run, close
	Value   any    // what it panicked with
	Stack   []byte // where
}

// Error names the backend, the operation and the value, without the stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("dispatch: backend %q panicked in %s: %v", e.Backend, e.Op, e.Value)
}

func guard(backend, op string, f func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &PanicError{Backend: backend, Op: op, Value: value, Stack: debug.Stack()}
		}
	}()
	return f()
}
