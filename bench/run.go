package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/glattn/attention"
)

// Config says what [Run] times and how long. Zero fields have defaults.
type Config struct {
	Backends []attention.Backend
	Threads  int // of the cpu backend, for its roof; 0 for GOMAXPROCS
	// Time is how long the repetitions of one measurement go on, 1 s unless given:
	// they end after Time, or after Reps (10) once a tenth of Time has passed, and
	// never before MinReps (3).
	Time          time.Duration
	Reps, MinReps int
	// SoftwareMinReps replaces MinReps on a software rasteriser. The caller tells
	// the user of it.
	SoftwareMinReps int
	// ReferenceFLOPs is the largest problem that the reference is timed on; 4e9
	// unless given. It is not warmed up, and one repetition may do.
	ReferenceFLOPs float64
	// VerifyWork is how many multiply-adds in float64 one verification may take
	// before it looks at a sample of rows only; 4e7 unless given.
	VerifyWork float64
	Seed       uint64
	Roofs      *Roofs         // remembers roofs between runs; nil measures anew
	Progress   func(Progress) // told before each measurement and after the last; may be nil

	// steady leaves read roofs as they were measured first, so that the shares of
	// different problems can be compared.
	steady bool
}

// Progress says how far a run is.
type Progress struct {
	Done, Total int    // measurements: workloads times backends
	What        string // the next one; empty at the end
}

func (c Config) withDefaults() Config {
	orInt := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	orInt(&c.Reps, 10)
	orInt(&c.MinReps, 3)
	orInt(&c.SoftwareMinReps, c.MinReps)
	orInt(&c.Threads, runtime.GOMAXPROCS(0))
	if c.Time <= 0 {
		c.Time = time.Second
	}
	if c.ReferenceFLOPs <= 0 {
		c.ReferenceFLOPs = 4e9
	}
	if c.VerifyWork <= 0 {
		c.VerifyWork = 4e7
	}
	if c.Roofs == nil {
		c.Roofs = new(Roofs)
	}
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
	return c
}

// Run times each spec on each backend, the repetitions of the backends in turn, so
// that all of them see the same machine. It returns one record for each pair, by
// spec, then by backend. What a backend refuses, fails or gets wrong is in its
// record. An error ends the run, and comes with the records so far: that of ctx,
// or an [attention.ErrOutOfMemory] for a spec that this machine cannot hold, which
// is found before anything is timed.
func Run(ctx context.Context, c Config, specs []Spec) ([]Record, error) {
	c = c.withDefaults()
	for _, s := range specs {
		if err := s.checkMemory(len(c.Backends), TotalMemory()); err != nil {
			return nil, err
		}
	}
	var records []Record
	total := len(specs) * len(c.Backends)
	for _, s := range specs {
		done := len(records)
		list, err := c.measure(ctx, s, func(at int, name string) {
			c.Progress(Progress{Done: done + at, Total: total, What: s.Title() + " on " + name})
		})
		records = append(records, list...)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			compare(records)
			return records, fmt.Errorf("bench: %w", err)
		}
	}
	compare(records)
	c.Progress(Progress{Done: total, Total: total})
	return records, nil
}

// measure times one spec on all backends.
func (c Config) measure(ctx context.Context, s Spec, progress func(at int, name string)) ([]Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(c.Backends) > 0 {
		progress(0, c.Backends[0].Name())
	}
	in := s.inputs(c.Seed)
	var all []*series
	for _, backend := range c.Backends {
		one, err := c.series(s, backend, in)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	reads, err := c.measureRoofs(ctx, s)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	for n, one := range all {
		progress(n, one.backend.Name())
		one.begin(ctx)
	}
	for running := true; running; {
		running = false
		for _, one := range all {
			if !one.over {
				one.step(ctx)
				running = running || !one.over
			}
		}
		if err := reads.sample(ctx, c.Roofs); err != nil && ctx.Err() == nil {
			return nil, err
		}
	}
	var records []Record
	for n, one := range all {
		roofs, err := c.roofsOf(ctx, s, one, reads)
		if err != nil && ctx.Err() == nil {
			return records, err
		}
		records = append(records, one.finish(ctx, roofs))
		progress(n+1, one.backend.Name())
	}
	return records, nil
}

// series prepares one spec on one backend, over or not.
func (c Config) series(s Spec, backend attention.Backend, in attention.Inputs) (*series, error) {
	call, err := attention.NewCall(s.Problem.Options, in, s.outputs())
	if err != nil {
		return nil, fmt.Errorf("bench: %s: %w", s.Title(), err)
	}
	p := call.Problem
	flops, customary := s.FLOPs()
	if p.Masked {
		flops = float64(p.FLOPs(call.Pairs()))
	}
	one := &series{backend: backend, call: call, work: c.VerifyWork, seen: map[string]uint64{}, record: Record{
		Workload: s.Title(), Shape: s.String(), DType: fmt.Sprintf("%v/%v/%v/%v", p.Q, p.K, p.V, p.O),
		FLOPs: flops, FLOPsCustomary: customary, Bytes: p.Bytes(), Rows: p.Batch * p.Heads * p.QueryLen,
	}}
	describe(&one.record, backend, c.threadsOf(backend))
	one.limits = limits{warm: true, min: c.MinReps, reps: c.Reps, time: c.Time}
	if one.record.Software {
		one.limits.min = c.SoftwareMinReps
	}
	if backend.Name() == "reference" {
		one.limits.warm, one.limits.min = false, 1
		if flops > c.ReferenceFLOPs {
			one.end(StatusSkipped, fmt.Errorf("%.3g GFLOP, the reference is timed up to %.3g", flops/1e9, c.ReferenceFLOPs/1e9))
		}
	}
	return one, nil
}

// threadsOf returns how many threads a backend uses; 0 for those that are not
// ours, which so have no roof.
func (c Config) threadsOf(backend attention.Backend) int {
	switch backend.Name() {
	case "cpu", "auto":
		return c.Threads
	case "reference":
		return runtime.GOMAXPROCS(0)
	}
	return 0
}

// measureRoofs measures the roofs of all backends but auto, before anything is timed.
// It returns the read roofs that bind: they are to be measured beside the calls too.
func (c Config) measureRoofs(ctx context.Context, s Spec) (*beside, error) {
	reads := &beside{rates: map[cpuKey][]float64{}}
	var problems []error
	flops, _ := s.FLOPs()
	bytes := s.Problem.Bytes()
	for _, backend := range c.Backends {
		if _, ok := backend.(*automatic); ok {
			continue
		}
		threads := c.threadsOf(backend)
		roofs, err := c.Roofs.of(ctx, backend, threads, bytes, rates{})
		problems = append(problems, err)
		if threads > 0 && !c.steady && roofs.binding(flops, float64(bytes)).Kind == RoofRead {
			reads.rates[readKey(threads, bytes)] = nil
		}
	}
	return reads, errors.Join(problems...)
}

// roofsOf returns the roofs over what was timed, of auto those of what the engine
// chose.
func (c Config) roofsOf(ctx context.Context, s Spec, one *series, reads *beside) (ceilings, error) {
	backend := one.backend
	if a, ok := backend.(*automatic); ok {
		if one.plan == nil {
			return ceilings{}, nil
		}
		if backend, ok = a.engine.Backend(one.ran()); !ok {
			return ceilings{}, nil
		}
		describe(&one.record, backend, c.threadsOf(backend))
		one.record.Backend = "auto"
	}
	threads, bytes, reached := c.threadsOf(backend), s.Problem.Bytes(), one.rates()
	roofs, err := c.Roofs.of(ctx, backend, threads, bytes, reached)
	if threads > 0 {
		reads.lower(&roofs, readKey(threads, bytes), reached.gbs)
	}
	return roofs, err
}
