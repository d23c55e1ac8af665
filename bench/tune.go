package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/glattn/attention"
	"github.com/glattn/attention/gpu"
)

// Tunable is a backend whose tiles can be chosen: [gpu.Backend].
type Tunable interface {
	attention.Backend
	Tilings(p attention.Problem) []gpu.Tile // the one in use first
	PlanTile(ctx context.Context, p attention.Problem, tile gpu.Tile) (attention.Plan, error)
	Adopt(p attention.Problem, tile gpu.Tile) error
}

// Tuning is what became of one problem.
type Tuning struct {
	Workload string `json:"workload"`
	Shape    string `json:"shape"`

	Before   gpu.Tile `json:"before"` // the tile in use
	Best     gpu.Tile `json:"best"`
	BeforeMS float64  `json:"before_ms"` // medians, taken in turn
	BestMS   float64  `json:"best_ms"`
	Adopted  bool     `json:"adopted"` // it is better by more than the noise, and was kept

	Tried   int      `json:"tried"`
	Refused int      `json:"refused"` // by the driver, or for lack of memory
	Wrong   []string `json:"wrong"`   // tiles that failed their self-test or verification
}

// TuneOptions say how long [Tune] searches.
type TuneOptions struct {
	Time     time.Duration  // for each problem; 30 s unless given
	Work     float64        // multiply-adds that one verification may take; 4e7 unless given
	Seed     uint64         // of the data
	DryRun   bool           // adopt nothing
	Progress func(Progress) // may be nil
}

// A first run that takes slower times the best so far ends a candidate. Of the others the
// best finalists run in turn, finalRounds times and more while there is time; a tile is
// adopted if it gains at least leastGain.
const (
	slower      = 1.25
	finalists   = 4
	finalRounds = 7
	leastGain   = 0.03
)

// Tune looks for the best tile for each problem: it verifies every candidate before it times
// it, drops those that are slow at once, times the best of the others in turn with the tile
// in use, and adopts what is faster. An error ends it, and comes with what was found so far.
func Tune(ctx context.Context, backend Tunable, specs []Spec, o TuneOptions) ([]Tuning, error) {
	if o.Time <= 0 {
		o.Time = 30 * time.Second
	}
	if o.Work <= 0 {
		o.Work = 4e7
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	var list []Tuning
	for n, s := range specs {
		if err := s.checkMemory(1, TotalMemory()); err != nil {
			return list, err
		}
		call, err := attention.NewCall(s.Problem.Options, s.inputs(o.Seed), s.outputs())
		if err != nil {
			return list, fmt.Errorf("bench: %s: %w", s.Title(), err)
		}
		t := &tuner{backend: backend, call: call, options: o, best: time.Hour}
		t.found = Tuning{Workload: s.Title(), Shape: s.String(), Wrong: []string{}}
		err = t.search(ctx, func(done, total int, tile gpu.Tile) {
			o.Progress(Progress{Done: n*1000 + 1000*done/total, Total: 1000 * len(specs), What: fmt.Sprintf("%s with %v", s.Title(), tile)})
		})
		if err != nil {
			return list, fmt.Errorf("bench: tuning %s: %w", s.Title(), err)
		}
		list = append(list, t.found)
	}
	o.Progress(Progress{Done: 1000 * len(specs), Total: 1000 * len(specs)})
	return list, nil
}

// tuner searches for one problem.
type tuner struct {
	backend Tunable
	call    *attention.Call
	options TuneOptions
	best    time.Duration // of a first timed run
	found   Tuning
}

// contender is a tile that computes the right thing.
type contender struct {
	tile  gpu.Tile
	plan  attention.Plan
	times []float64 // seconds
}

func (t *tuner) search(ctx context.Context, progress func(done, total int, tile gpu.Tile)) (err error) {
	tiles := t.backend.Tilings(t.call.Problem)
	var list []*contender
	defer func() {
		for _, c := range list {
			err = errors.Join(err, c.plan.Close())
		}
	}()
	began := time.Now()
	for n, tile := range tiles {
		if n > 0 && time.Since(began) > t.options.Time*3/4 {
			break
		}
		progress(n, len(tiles), tile)
		t.found.Tried++
		c, err := t.qualify(ctx, tile)
		if err != nil {
			return err
		}
		if c != nil {
			list = append(list, c)
		}
		if n == 0 && c == nil {
			return fmt.Errorf("the tile in use, %v, does not run or is wrong", tile)
		}
	}
	slices.SortStableFunc(list[1:], func(a, b *contender) int { return cmp.Compare(a.times[0], b.times[0]) })
	last := list[:min(len(list), 1+finalists)]
	for round := 0; round < finalRounds || time.Since(began) < t.options.Time && round < 10*finalRounds; round++ {
		for _, c := range last {
			if err := t.time(ctx, c); err != nil {
				return err
			}
		}
	}
	return t.decide(last)
}

// qualify runs a tile once and verifies its output; nil for one that is refused, wrong or
// slow.
func (t *tuner) qualify(ctx context.Context, tile gpu.Tile) (c *contender, err error) {
	plan, err := t.backend.PlanTile(ctx, t.call.Problem, tile)
	if err == nil {
		defer func() {
			if c == nil {
				err = errors.Join(err, plan.Close())
			}
		}()
		blank(t.call.Out)
		err = plan.Run(ctx, t.call)
	}
	if stop := ctx.Err(); stop != nil {
		return nil, stop
	}
	if errors.Is(err, attention.ErrDeviceLost) || errors.Is(err, attention.ErrClosed) {
		return nil, err
	}
	if errors.Is(err, attention.ErrSelfTest) {
		t.found.Wrong = append(t.found.Wrong, fmt.Sprintf("%v: %v", tile, oneLine(err)))
		return nil, nil //nolint:nilerr // it is reported
	}
	if err != nil {
		t.found.Refused++
		return nil, nil //nolint:nilerr // a tile that a driver refuses, or that lacks memory, is no error of the search
	}
	if _, err := check(t.call, t.options.Work); err != nil {
		t.found.Wrong = append(t.found.Wrong, fmt.Sprintf("%v: %v", tile, oneLine(err)))
		return nil, nil //nolint:nilerr // it is reported
	}
	made := &contender{tile: tile, plan: plan}
	for range 2 { // a second chance for one that others held up
		if err := t.time(ctx, made); err != nil {
			return nil, err
		}
		made.times = []float64{slices.Min(made.times)}
		if made.times[0] <= slower*t.best.Seconds() {
			t.best = min(t.best, time.Duration(made.times[0]*float64(time.Second)))
			return made, nil
		}
	}
	return nil, nil
}

func (t *tuner) time(ctx context.Context, c *contender) error {
	start := time.Now()
	if err := c.plan.Run(ctx, t.call); err != nil {
		return err
	}
	c.times = append(c.times, time.Since(start).Seconds())
	return nil
}

// decide compares the medians of the last ones with that of the first, the tile in use.
func (t *tuner) decide(last []*contender) error {
	winner, least := last[0], middle(last[0].times[1:])
	t.found.Before, t.found.BeforeMS = winner.tile, 1e3*least
	for _, c := range last[1:] {
		if m := middle(c.times[1:]); m < least {
			winner, least = c, m
		}
	}
	t.found.Best, t.found.BestMS = winner.tile, 1e3*least
	if t.found.BestMS > (1-leastGain)*t.found.BeforeMS || t.options.DryRun {
		return nil
	}
	t.found.Adopted = true
	return t.backend.Adopt(t.call.Problem, winner.tile)
}
