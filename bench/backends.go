package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/dispatch"
	"github.com/glattn/attention/gpu"
	"github.com/glattn/attention/internal/env"
)

// backendNames are what a list of backends may hold, besides "all".
var backendNames = []string{"gpu", "cpu", "reference", "auto"}

// OpenOptions says how backends are opened.
type OpenOptions struct {
	Threads int // of the cpu backend; 0 for GOMAXPROCS
	// Window, if not nil, gives a context where EGL has none: see package gpu/glfw.
	Window func() (gpu.ContextProvider, error)
}

// Backends is a list of opened backends.
type Backends struct {
	List    []attention.Backend
	Threads int     // that the cpu backend uses
	Missing []error // why backends that were not asked for by name are not there

	engine *dispatch.Engine
}

// OpenBackends opens the backends of a comma-separated list of gpu, cpu,
// reference, auto (a [dispatch.Engine] that chooses) and all (gpu, cpu and
// reference). One that is named and cannot be opened is an error; of all, those
// that cannot are left out and noted in Missing. Errors are an
// [attention.ErrInvalid] for an unknown name, else an [attention.ErrUnavailable].
func OpenBackends(ctx context.Context, list string, opt OpenOptions) (*Backends, error) {
	if err := env.Check(); err != nil {
		return nil, err
	}
	if opt.Threads < 0 || opt.Threads > maxThreads {
		return nil, &attention.RangeError{Arg: "threads", Got: opt.Threads, Min: 0, Max: maxThreads}
	}
	b := &Backends{Threads: opt.Threads}
	if b.Threads == 0 {
		b.Threads = runtime.GOMAXPROCS(0)
	}
	names, optional, err := namesOf(list)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		backend, err := b.open(ctx, name, opt)
		if errors.Is(err, attention.ErrUnavailable) && slices.Contains(optional, name) {
			b.Missing = append(b.Missing, err)
			continue
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("bench: backend %s: %w", name, err), b.Close())
		}
		b.List = append(b.List, backend)
	}
	return b, nil
}

const maxThreads = 4096

// namesOf splits a list; optional names are those that only "all" asked for.
func namesOf(list string) (names, optional []string, err error) {
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		switch {
		case item == "all":
			for _, name := range backendNames[:3] {
				if !slices.Contains(names, name) {
					names, optional = append(names, name), append(optional, name)
				}
			}
		case !slices.Contains(backendNames, item):
			return nil, nil, fmt.Errorf("bench: %w: unknown backend %q (known: %s, all)", attention.ErrInvalid, item, strings.Join(backendNames, ", "))
		case !slices.Contains(names, item):
			names = append(names, item)
		default: // named beside all
			optional = slices.DeleteFunc(optional, func(name string) bool { return name == item })
		}
	}
	return names, optional, nil
}

func (b *Backends) open(ctx context.Context, name string, opt OpenOptions) (attention.Backend, error) {
	switch name {
	case "cpu":
		return cpu.New(cpu.Options{Threads: opt.Threads}), nil
	case "reference":
		return cpu.NewReference(), nil
	case "gpu":
		backend, err := openGPU(ctx, opt)
		if err != nil {
			return nil, err
		}
		return backend, nil
	}
	var list []attention.Backend
	switch backend, err := openGPU(ctx, opt); {
	case err == nil:
		list = append(list, backend)
	case !errors.Is(err, attention.ErrUnavailable):
		return nil, err
	default:
		b.Missing = append(b.Missing, err)
	}
	engine, err := dispatch.Open(ctx, dispatch.WithBackends(append(list, cpu.New(cpu.Options{Threads: opt.Threads}))...))
	if err != nil {
		return nil, err
	}
	b.engine = engine
	return &automatic{engine: engine}, nil
}

// openGPU opens the device of ATTN_GPU or the best one, through EGL or, where EGL
// has none, through a window.
func openGPU(ctx context.Context, opt OpenOptions) (*gpu.Backend, error) {
	index, err := env.GPU()
	if err != nil {
		return nil, err
	}
	options := gpu.Options{Device: index, Debug: env.Debug().GL}
	backend, err := gpu.Open(ctx, options)
	if err == nil || opt.Window == nil || !errors.Is(err, attention.ErrUnavailable) {
		return backend, err
	}
	provider, failed := opt.Window()
	if failed != nil {
		return nil, fmt.Errorf("%w; window: %w", err, failed)
	}
	options.Context = provider
	return gpu.Open(ctx, options)
}

// Engine returns the engine behind "auto", if the list has it.
func (b *Backends) Engine() (*dispatch.Engine, bool) { return b.engine, b.engine != nil }

// Close closes all backends.
func (b *Backends) Close() error {
	var problems []error
	for _, backend := range b.List {
		problems = append(problems, backend.Close())
	}
	return errors.Join(problems...)
}

// automatic makes a backend of an engine that chooses.
type automatic struct{ engine *dispatch.Engine }

func (a *automatic) Name() string { return "auto" }

func (a *automatic) Supports(p attention.Problem) error {
	if x := a.engine.Explain(p); x.Chosen == "" {
		return &attention.UnsupportedError{Backend: a.Name(), Feature: "problem " + p.String(), Limit: x.Reason}
	}
	return nil
}

func (a *automatic) Plan(ctx context.Context, p attention.Problem) (attention.Plan, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("bench: plan: %w", err)
	}
	if err := a.Supports(p); err != nil {
		return nil, err
	}
	return &automaticPlan{engine: a.engine}, nil
}

func (a *automatic) Close() error { return a.engine.Close() }

// automaticPlan plans at the first call, as users of an engine do.
type automaticPlan struct {
	engine *dispatch.Engine
	mu     sync.Mutex
	last   dispatch.Report
}

func (p *automaticPlan) Run(ctx context.Context, call *attention.Call) error {
	report, err := p.engine.Attend(ctx, call.Problem.Options, call.In, call.Out)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = report
	return err
}

// ran returns the backend of the latest call.
func (p *automaticPlan) ran() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last.Backend
}

func (p *automaticPlan) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last.Plan
}

func (p *automaticPlan) Close() error { return nil }
