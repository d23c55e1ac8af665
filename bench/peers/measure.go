package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/glattn/attention/bench"
)

// The libraries are timed in turns, between which they rest. Each turn begins with a pause
// for the system to notice that, and for our own goroutines' threads to go to sleep.
const (
	settle = 10 * time.Millisecond
	// Runs of a turn that come first are not timed: they wake threads and fetch data that
	// other libraries drove out of the caches, which takes several runs where it all but
	// fits. One run may be so long that this does not show.
	warmTime = 10 * time.Millisecond
	// A turn is timed for so long, which is several runs of a small problem.
	turnTime = 30 * time.Millisecond
	longRun  = 50 * time.Millisecond
)

// limits says when a library has been timed long enough.
type limits struct {
	reps int           // that are enough once a tenth of time has passed
	time time.Duration // that is enough with minReps
}

const minReps = 3

func (l limits) reached(reps int, elapsed time.Duration) bool {
	return reps >= minReps && elapsed >= l.time || reps >= l.reps && elapsed >= l.time/10
}

// entry is one library on one job.
type entry struct {
	name    string
	chosen  *chosen // nil if there is none
	tried   []attempt
	failure error // why there is none, or no time
	times   []time.Duration
	elapsed time.Duration
}

func (e *entry) open() bool { return e.chosen != nil && e.failure == nil }

// turn times a few runs.
func (e *entry) turn(ctx context.Context, pause time.Duration) (err error) {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
	}
	if err := e.chosen.runner.wake(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.chosen.runner.rest()) }()
	if len(e.times) == 0 || e.times[len(e.times)-1] < longRun {
		for spent := time.Duration(0); spent < warmTime; {
			took, err := e.chosen.runOnce(ctx)
			if err != nil {
				return err
			}
			spent += took
		}
	}
	for spent := time.Duration(0); spent < turnTime; {
		took, err := e.chosen.runOnce(ctx)
		if err != nil {
			return err
		}
		e.times, spent, e.elapsed = append(e.times, took), spent+took, e.elapsed+took
	}
	return nil
}

// alternate times all entries in turns until each has enough, and verifies the last
// output of each. Entries that fail keep their error; the error returned is that of ctx.
func alternate(ctx context.Context, j *job, l limits, pause time.Duration, entries []*entry) error {
	for running := true; running; {
		running = false
		for _, e := range entries {
			if !e.open() || l.reached(len(e.times), e.elapsed) {
				continue
			}
			running = true
			e.failure = e.turn(ctx, pause)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	for _, e := range entries {
		if !e.open() {
			continue
		}
		if e.failure = e.chosen.runner.wake(); e.failure == nil {
			e.failure = e.chosen.verify(ctx, j)
		}
	}
	return ctx.Err()
}

// session is what is common to all workloads of a run.
type session struct {
	options options
	peers   []peer
	roofs   bench.Roofs
	note    func(format string, args ...any) // tells of progress
}

// workload times one workload on us and all peers, and returns a record of each, ours first.
func (s *session) workload(ctx context.Context, spec bench.Spec) (records []record, err error) {
	j, err := newJob(spec, s.options.threads, s.options.dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.close()) }()
	roof, err := s.roof(ctx, spec)
	if err != nil {
		return nil, err
	}
	first, err := startOurs(ctx, j)
	if err != nil {
		return nil, err
	}
	entries := []*entry{{name: ourName, chosen: first}}
	defer func() {
		for _, e := range entries {
			err = errors.Join(err, e.chosen.close())
		}
	}()
	for _, p := range s.peers {
		s.note("%s: looking for the best of %s", spec.Title(), p.name())
		e := &entry{name: p.name()}
		entries = append(entries, e)
		list, err := p.candidates(ctx, j)
		if err == nil {
			e.chosen, e.tried, err = choose(ctx, j, list)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		e.failure = err
	}
	s.note("%s: timing", spec.Title())
	if err := alternate(ctx, j, limits{reps: s.options.reps, time: s.options.time}, settle, entries); err != nil {
		return nil, err
	}
	return recordsOf(j, roof, entries), nil
}

// roof returns the roof that takes longest for a workload: reading or multiply-adds.
func (s *session) roof(ctx context.Context, spec bench.Spec) (bench.Roof, error) {
	fma, err := s.roofs.CPUFMA(ctx, s.options.threads)
	if err != nil {
		return bench.Roof{}, err
	}
	read, err := s.roofs.CPURead(ctx, s.options.threads, spec.Problem.Bytes())
	if err != nil {
		return bench.Roof{}, err
	}
	flops, _ := spec.FLOPs()
	if float64(spec.Problem.Bytes())/read.Value > flops/fma.Value {
		return read, nil
	}
	return fma, nil
}

// oneLine joins the lines of an error, of which errors.Join makes several, and cuts what is
// too long for a table's foot.
func oneLine(err error) string {
	const most = 400
	text := strings.Join(slices.DeleteFunc(strings.Split(err.Error(), "\n"), func(line string) bool { return line == "" }), "; ")
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return text
}
