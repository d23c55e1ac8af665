package dispatch

import (
	"time"

	"github.com/glattn/attention"
)

// Option is a choice made when an engine is opened.
type Option func(*config)

type config struct {
	backends  []attention.Backend
	listed    bool // WithBackends was given
	name      string
	threads   int
	hook      func(Event)
	clock     func() time.Time
	estimator Estimator
	planLimit int
}

// defaultPlanLimit holds the plans of a few models: a decode loop needs one for
// each doubling of its keys and one for its prompt.
const defaultPlanLimit = 64

// WithBackends gives the backends explicitly, in order of preference between
// those that are predicted to be equally fast. The engine closes them, unless
// Open fails. Names must differ. A backend with a method Software() bool that
// returns true counts as a software rasteriser. ATTN_BACKEND is not looked at.
func WithBackends(list ...attention.Backend) Option {
	return func(c *config) { c.backends, c.listed = list, true }
}

// WithBackend asks for one backend by name: each call runs there or returns an
// error. Without WithBackends the names are gpu, cpu and reference, and no other
// backend is opened. "auto" leaves the choice to the engine.
func WithBackend(name string) Option { return func(c *config) { c.name = name } }

// WithThreads sets how many threads the cpu backend that Open makes uses, 0 for
// GOMAXPROCS; backends of WithBackends are as they are.
func WithThreads(n int) Option { return func(c *config) { c.threads = n } }

// WithHook has hook told of fall-backs, health and plans, at once and possibly
// from several goroutines. It must be quick and must not close the engine.
func WithHook(hook func(Event)) Option { return func(c *config) { c.hook = hook } }

// WithClock replaces time.Now, for tests of back-off.
func WithClock(clock func() time.Time) Option { return func(c *config) { c.clock = clock } }

// WithEstimator replaces the cost model that learns from calls.
func WithEstimator(e Estimator) Option { return func(c *config) { c.estimator = e } }

// WithPlanLimit bounds the plans that are kept, 1 or more; 64 unless given.
func WithPlanLimit(n int) Option { return func(c *config) { c.planLimit = n } }
