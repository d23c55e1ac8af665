package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/verify"
)

// ours is the cpu backend of this module, the measure of the others.
type ours struct {
	backend *cpu.Backend
	plan    attention.Plan
	call    *attention.Call
}

// ourName stands in the table.
const ourName = "glattn cpu"

// startOurs plans a job, runs it once, and holds some rows of the output against float64.
// The job's want is filled in.
func startOurs(ctx context.Context, j *job) (*chosen, error) {
	p := j.problem
	out := attention.Outputs{O: attention.Zeros(p.O, p.Batch, p.Heads, p.QueryLen, p.ValueDim)}
	call, err := attention.NewCall(p.Options, j.in, out)
	if err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	o := &ours{backend: cpu.New(cpu.Options{Threads: j.threads}), call: call}
	if o.plan, err = o.backend.Plan(ctx, call.Problem); err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	_, sum, err := o.run(ctx)
	if err == nil {
		_, err = verify.CheckRows(call, someRows(p))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("peers: %s: %w", ourName, err), o.close())
	}
	j.want = slices.Clone(out.O.Float32s())
	return &chosen{candidate: candidate{how: fmt.Sprint(o.plan), layout: byHead, tolerance: singleTolerance}, runner: o, sum: sum}, nil
}

// someRows returns [batch, head, query] of rows to verify, the first and the last among
// them. The rest of the output is looked at by the comparison with every other library.
func someRows(p attention.Problem) [][3]int {
	const most = 32
	total := p.Batch * p.Heads * p.QueryLen
	var rows [][3]int
	for n := range min(most, total) {
		row := 0
		if total > 1 {
			row = n * (total - 1) / max(1, min(most, total)-1)
		}
		rows = append(rows, [3]int{row / p.QueryLen / p.Heads, row / p.QueryLen % p.Heads, row % p.QueryLen})
	}
	return rows
}

func (o *ours) run(ctx context.Context) (time.Duration, float64, error) {
	out := o.call.Out.O.Float32s()
	blank(out)
	start := time.Now()
	err := o.plan.Run(ctx, o.call)
	took := time.Since(start)
	return took, magnitudes(out), err
}

// rest and wake do nothing: goroutines are gone when a run ends.
func (*ours) rest() error { return nil }
func (*ours) wake() error { return nil }

func (o *ours) output(context.Context) ([]float32, error) { return o.call.Out.O.Float32s(), nil }

func (o *ours) about() string { return fmt.Sprint(o.plan) }

func (o *ours) close() error { return errors.Join(o.plan.Close(), o.backend.Close()) }

// blank fills an output with NaN, so that what a run does not write shows.
func blank(out []float32) {
	nan := float32(math.NaN())
	for i := range out {
		out[i] = nan
	}
}
