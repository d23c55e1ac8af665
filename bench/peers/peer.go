package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// runner computes one job again and again.
type runner interface {
	// run computes once and returns how long that took and the sum of the magnitudes
	// of the output, which is NaN if anything was not written.
	run(ctx context.Context) (time.Duration, float64, error)
	// output returns the latest output in the candidate's layout.
	output(ctx context.Context) ([]float32, error)
	// rest keeps its threads from running until wake, after which run and output may be
	// called again.
	rest() error
	wake() error
	// about names the library, its version and what it runs with.
	about() string
	close() error
}

// candidate is one way to compute a job with a library.
type candidate struct {
	how       string // such as the operator, or the sizes of blocks
	layout    layout // of the output
	tolerance float64
	note      string // what a reader of the number must know; may be empty
	start     func(ctx context.Context) (runner, error)
}

// peer is a library to be timed beside us.
type peer interface {
	name() string
	// candidates returns the ways in which the library can compute a job, or an error
	// saying why it cannot, or why it is not on this machine.
	candidates(ctx context.Context, j *job) ([]candidate, error)
}

// peerNames lists the peers in the order of the table.
var peerNames = []string{"onnxruntime", "openblas-blocked", "openblas-unfused", "onednn-blocked", "onednn-unfused", "gonum"}

// openPeers returns the named peers, whose programs and caches stand in dir.
func openPeers(names []string, dir string) []peer {
	natives := newNatives(dir)
	var list []peer
	for _, name := range peerNames {
		if !slices.Contains(names, name) {
			continue
		}
		switch name {
		case "onnxruntime":
			list = append(list, &onnxRuntime{dir: dir})
		case "gonum":
			list = append(list, gonum{})
		default:
			list = append(list, natives.peer(name))
		}
	}
	return list
}

// chosen is the best candidate of a peer, running and verified.
type chosen struct {
	candidate
	runner runner
	err    float64 // of its output, as worst returns it
	sum    float64 // of the magnitudes of the verified output
}

// attempt is what came of a candidate.
type attempt struct {
	How    string   `json:"how"`
	Best   *float64 `json:"ms"`     // of a few runs
	Reason string   `json:"reason"` // why there is none
}

// trialRuns and trialTime bound how long a candidate is looked at: until both the first
// run is done and one of the two is reached.
const (
	trialRuns = 4
	trialTime = time.Second
)

// choose tries all candidates and returns the fastest whose output is right, and what came
// of each. If there is none, the error says for each candidate why.
func choose(ctx context.Context, j *job, list []candidate) (*chosen, []attempt, error) {
	var best *chosen
	var fastest time.Duration
	var tried []attempt
	var problems []error
	for _, c := range list {
		one, took, err := try(ctx, j, c)
		if ctx.Err() != nil {
			return nil, tried, errors.Join(ctx.Err(), one.close(), best.close())
		}
		if err != nil {
			tried = append(tried, attempt{How: c.how, Reason: oneLine(err)})
			problems = append(problems, fmt.Errorf("%s: %w", c.how, err))
			continue
		}
		tried = append(tried, attempt{How: c.how, Best: finite(took.Seconds() * 1e3)})
		if best == nil || took < fastest {
			best, one, fastest = one, best, took
		}
		// Only the best stays, as each holds a copy of the inputs.
		if err := errors.Join(one.close(), best.runner.rest()); err != nil {
			return nil, tried, errors.Join(err, best.close())
		}
	}
	if best == nil {
		return nil, tried, errors.Join(problems...)
	}
	return best, tried, nil
}

// close ends the runner; of nil it does nothing.
func (c *chosen) close() error {
	if c == nil {
		return nil
	}
	return c.runner.close()
}

// try starts a candidate, verifies its output, and returns its fastest run after the first.
func try(ctx context.Context, j *job, c candidate) (*chosen, time.Duration, error) {
	r, err := c.start(ctx)
	if err != nil {
		return nil, 0, err
	}
	one := &chosen{candidate: c, runner: r}
	first, _, err := r.run(ctx)
	if err == nil {
		err = one.verify(ctx, j)
	}
	took := first
	for n, spent := 1, first; err == nil && n < trialRuns && spent < trialTime; n++ {
		var again time.Duration
		if again, err = one.runOnce(ctx); err == nil {
			took, spent = min(took, again), spent+again
		}
	}
	if err != nil {
		return nil, 0, errors.Join(err, r.close())
	}
	return one, took, nil
}

// verify compares the latest output with ours.
func (c *chosen) verify(ctx context.Context, j *job) error {
	raw, err := c.runner.output(ctx)
	if err != nil {
		return err
	}
	got, err := j.ordered(raw, c.layout)
	if err != nil {
		return err
	}
	c.sum = magnitudes(got)
	c.err, err = worst(got, j.want, j.problem.ValueDim, c.tolerance)
	return err
}

// runOnce runs and checks that the output still sums to what was verified.
func (c *chosen) runOnce(ctx context.Context) (time.Duration, error) {
	took, sum, err := c.runner.run(ctx)
	if err != nil {
		return 0, err
	}
	return took, sameSum(sum, c.sum)
}
