package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/internal/env"
)

// Open returns an engine. Unless [WithBackends] gives a list, it holds the gpu
// backend, if one can be opened, and the cpu backend; a GPU that cannot be opened
// is no error unless it was asked for by name, and its reason is kept for
// [Engine.Explain]. ATTN_BACKEND names the backend where [WithBackend] does not.
func Open(ctx context.Context, opts ...Option) (*Engine, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("dispatch: %w", err)
	}
	c := config{clock: time.Now, planLimit: defaultPlanLimit}
	for _, option := range opts {
		option(&c)
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	e := &Engine{clock: c.clock, hook: c.hook, estimate: c.estimator}
	if e.estimate == nil {
		e.estimate = newLearner()
	}
	if env.Debug().Trace {
		e.hook = traced(c.hook)
	}
	e.plans = newPlanCache(c.planLimit, e.emit)
	if c.name != env.Auto {
		e.named = c.name
	}
	list := c.backends
	if !c.listed {
		var err error
		if list, err = e.openDefault(ctx, c); err != nil {
			return nil, err
		}
	}
	if err := e.adopt(list); err != nil {
		if c.listed {
			return nil, err // the caller's backends stay the caller's
		}
		return nil, errors.Join(err, closeAll(list))
	}
	return e, nil
}

func (c *config) validate() error {
	if err := env.Check(); err != nil {
		return fmt.Errorf("dispatch: %w", err)
	}
	if c.listed && len(c.backends) == 0 {
		return fmt.Errorf("dispatch: %w: the list of backends is empty", attention.ErrInvalid)
	}
	if c.planLimit < 1 {
		return fmt.Errorf("dispatch: %w: plan limit is %d, want 1 or more", attention.ErrInvalid, c.planLimit)
	}
	if c.threads < 0 {
		return fmt.Errorf("dispatch: %w: threads is %d, want 0 or more", attention.ErrInvalid, c.threads)
	}
	if c.clock == nil {
		return fmt.Errorf("dispatch: %w: the clock is nil", attention.ErrInvalid)
	}
	if c.name != "" || c.listed {
		if c.name == "" {
			c.name = env.Auto
		}
		return nil
	}
	var err error
	c.name, err = env.Backend()
	return err
}

// opener makes one of the backends that come with the library.
type opener struct {
	name string
	auto bool // part of the automatic choice
	open func(context.Context, config) (attention.Backend, error)
}

var openers = []opener{
	{"gpu", true, func(ctx context.Context, _ config) (attention.Backend, error) { return openGPU(ctx) }},
	{"cpu", true, func(_ context.Context, c config) (attention.Backend, error) {
		return cpu.New(cpu.Options{Threads: c.threads}), nil
	}},
	{"reference", false, func(context.Context, config) (attention.Backend, error) { return cpu.NewReference(), nil }},
}

// openDefault opens the backend asked for, or all that are part of the automatic
// choice and can be opened.
func (e *Engine) openDefault(ctx context.Context, c config) ([]attention.Backend, error) {
	var known []string
	var list []attention.Backend
	for _, o := range openers {
		known = append(known, o.name)
		if e.named != o.name && (e.named != "" || !o.auto) {
			continue
		}
		var backend attention.Backend
		err := guard(o.name, "open", func() (err error) {
			backend, err = o.open(ctx, c)
			return err
		})
		switch {
		case err == nil:
			list = append(list, backend)
		case e.named != "":
			return nil, fmt.Errorf("dispatch: backend %q, asked for by name: %w", e.named, err)
		case ctx.Err() != nil || errors.Is(err, attention.ErrInvalid):
			return nil, errors.Join(fmt.Errorf("dispatch: backend %q: %w", o.name, err), closeAll(list))
		default:
			e.absent = append(e.absent, Refusal{Backend: o.name, Reason: Unavailable, Detail: err.Error(), Err: err})
			e.emit(Event{Kind: EventUnavailable, Backend: o.name, Reason: Unavailable, Err: err})
		}
	}
	if e.named != "" && !slices.Contains(known, e.named) {
		return nil, unknownBackend(e.named, known)
	}
	return list, nil
}

// adopt makes members of the backends.
func (e *Engine) adopt(list []attention.Backend) error {
	var names []string
	for n, backend := range list {
		if backend == nil {
			return fmt.Errorf("dispatch: %w: backend %d of the list is nil", attention.ErrInvalid, n)
		}
		m, err := newMember(n, backend)
		if err != nil {
			return err
		}
		if slices.Contains(names, m.name) {
			return fmt.Errorf("dispatch: %w: two backends are named %q", attention.ErrInvalid, m.name)
		}
		names = append(names, m.name)
		e.members = append(e.members, m)
	}
	if e.named != "" && !slices.Contains(names, e.named) {
		return unknownBackend(e.named, names)
	}
	return nil
}

func unknownBackend(name string, known []string) error {
	return fmt.Errorf("dispatch: %w: unknown backend %q (known: %s, %s)", attention.ErrInvalid, name, env.Auto, strings.Join(known, ", "))
}

func closeAll(list []attention.Backend) error {
	var problems []error
	for _, backend := range list {
		problems = append(problems, backend.Close())
	}
	return errors.Join(problems...)
}

// traced logs every event, for ATTN_DEBUG=trace, before the user's own hook.
func traced(hook func(Event)) func(Event) {
	return func(event Event) {
		slog.Info("attention/dispatch", "event", event.Kind, "backend", event.Backend,
			"problem", event.Problem.String(), "reason", event.Reason, "err", event.Err)
		if hook != nil {
			hook(event)
		}
	}
}
