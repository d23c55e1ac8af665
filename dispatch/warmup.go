package dispatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/glattn/attention"
)

// warmer is a backend that can compile ahead.
type warmer interface {
	Warmup(ctx context.Context, problems ...attention.Problem) error
}

// Warmup prepares for calls with the problems: backends that compile, as the gpu one,
// compile and test the kernels of those problems that [Engine.Explain] says they would
// be chosen for. Errors name what could not be prepared; such calls fall back, as they
// would have.
func (e *Engine) Warmup(ctx context.Context, problems ...attention.Problem) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.running.Done()
	var errs []error
	chosen := map[string][]attention.Problem{}
	for _, p := range problems {
		if err := p.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("dispatch: warm-up: %w", err))
			continue
		}
		x := e.Explain(p)
		if x.Chosen == "" {
			errs = append(errs, fmt.Errorf("dispatch: warm-up of %v: %w: %s", p, attention.ErrUnsupported, x.Reason))
			continue
		}
		chosen[x.Chosen] = append(chosen[x.Chosen], p.Capacity()) // as a call would plan it
	}
	for _, m := range e.members {
		w, ok := m.backend.(warmer)
		if !ok || chosen[m.name] == nil {
			continue
		}
		if err := guard(m.name, "warm up", func() error { return w.Warmup(ctx, chosen[m.name]...) }); err != nil {
			errs = append(errs, fmt.Errorf("dispatch: backend %q: %w", m.name, err))
		}
	}
	return errors.Join(errs...)
}
