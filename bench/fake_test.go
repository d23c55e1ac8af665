package bench

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
)

// fake computes on the reference, and then spoils what the test wants spoilt.
type fake struct {
	name    string
	refuse  error
	planErr error
	runErr  error
	closing error
	spoil   func(run int64, call *attention.Call)
	runs    atomic.Int64
}

func (f *fake) Name() string                     { return f.name }
func (f *fake) Supports(attention.Problem) error { return f.refuse }
func (f *fake) Close() error                     { return nil }
func (f *fake) Plan(context.Context, attention.Problem) (attention.Plan, error) {
	return &fakePlan{f}, f.planErr
}

type fakePlan struct{ f *fake }

func (p *fakePlan) String() string { return "fake plan" }
func (p *fakePlan) Close() error   { return p.f.closing }
func (p *fakePlan) Run(ctx context.Context, call *attention.Call) error {
	if p.f.runErr != nil {
		return p.f.runErr
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var row cpu.Row
	shape := call.Problem.Shape
	for b := range shape.Batch {
		for h := range shape.Heads {
			for i := range shape.QueryLen {
				cpu.ReferenceRow(call, b, h, i, &row)
				for d, v := range row.O {
					call.Out.O.Set(b, h, i, d, v)
				}
				if call.Out.LSE.Present() {
					call.Out.LSE.Set(b, h, i, 0, row.LSE)
				}
			}
		}
	}
	run := p.f.runs.Add(1)
	if p.f.spoil != nil {
		p.f.spoil(run, call)
	}
	return nil
}

// tiny is a config that ends at once.
func tiny(backends ...attention.Backend) Config {
	return Config{Backends: backends, Time: time.Millisecond, Threads: 1}
}

const tinyShape = "b=2,hq=2,hkv=1,lq=20,lk=24,d=8,causal=bottom-right,lse=true"

func runOne(t *testing.T, c Config, text string) Record {
	t.Helper()
	records, err := Run(t.Context(), c, []Spec{parsed(t, text)})
	require.NoError(t, err)
	require.Len(t, records, 1)
	return records[0]
}
