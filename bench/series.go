package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	"github.com/glattn/attention"
	"github.com/glattn/attention/gpu"
	"github.com/glattn/attention/verify"
)

// limits says when a series of repetitions is long enough.
type limits struct {
	warm bool // run once before timing
	min  int  // repetitions at least
	reps int  // repetitions that are enough, once a tenth of time has passed
	time time.Duration
}

func (l limits) reached(reps int, elapsed time.Duration) bool {
	return reps >= l.min && (elapsed >= l.time || reps >= l.reps && elapsed >= l.time/10)
}

// series is one workload on one backend, repetition by repetition.
type series struct {
	backend attention.Backend
	limits  limits
	work    float64 // multiply-adds that one verification may take
	call    *attention.Call
	plan    attention.Plan
	record  Record

	times   []float64 // seconds
	elapsed time.Duration
	seen    map[string]uint64 // digest of the verified output, by the backend that ran
	report  verify.Report
	over    bool
}

func (s *series) end(status Status, err error) {
	s.over, s.record.Status = true, status
	if err != nil {
		s.record.Reason = oneLine(err)
	}
}

// fail ends the series by an error of the backend.
func (s *series) fail(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
		s.end(StatusInterrupted, ctx.Err())
	case errors.Is(err, attention.ErrUnsupported):
		s.end(StatusUnsupported, err)
	case errors.Is(err, verify.ErrMismatch):
		s.end(StatusWrong, err)
	default:
		s.end(StatusError, err)
	}
}

// begin plans the call and warms up: the first run compiles, allocates and pages in.
func (s *series) begin(ctx context.Context) {
	if s.over {
		return
	}
	err := s.backend.Supports(s.call.Problem)
	if err == nil {
		s.plan, err = s.backend.Plan(ctx, s.call.Problem)
	}
	if err == nil && s.limits.warm {
		err = s.plan.Run(ctx, s.call)
	}
	if err != nil {
		s.fail(ctx, err)
	}
}

// step times one repetition and verifies its output. An output with the bits of
// one that was verified needs no second look; other bits are a mistake, since the
// same call on the same backend must give the same.
func (s *series) step(ctx context.Context) {
	if ctx.Err() != nil {
		s.end(StatusInterrupted, ctx.Err())
		return
	}
	blank(s.call.Out)
	start := time.Now()
	err := s.plan.Run(ctx, s.call)
	took := time.Since(start)
	if err == nil {
		err = s.verify()
	}
	if err != nil {
		s.fail(ctx, err)
		return
	}
	s.times = append(s.times, took.Seconds())
	s.elapsed += took
	if s.limits.reached(len(s.times), s.elapsed) {
		s.end(StatusOK, nil)
	}
}

func (s *series) verify() error {
	ran, got := s.ran(), digest(s.call.Out)
	if known, ok := s.seen[ran]; ok {
		if known != got {
			return fmt.Errorf("%w: repetition %d on %s differs in bits from the first", verify.ErrMismatch, len(s.times)+1, ran)
		}
		return nil
	}
	report, err := check(s.call, s.work)
	if !(report.Quotient <= s.report.Quotient) || s.report.Rows == 0 {
		s.report = report
	}
	if err != nil {
		return err
	}
	s.seen[ran] = got
	return nil
}

// ran names the backend of the latest run.
func (s *series) ran() string {
	if p, ok := s.plan.(*automaticPlan); ok && p.ran() != "" {
		return p.ran()
	}
	return s.backend.Name()
}

// finish closes the plan and completes the record.
func (s *series) finish(ctx context.Context, roofs ceilings) Record {
	r := &s.record
	r.Ran = s.backend.Name()
	if s.plan != nil {
		r.Ran, r.Plan = s.ran(), s.plan.String()
		if err := s.plan.Close(); err != nil && r.Status == StatusOK {
			s.fail(ctx, fmt.Errorf("close the plan: %w", err))
		}
	}
	r.Time, r.Reps = stamp(), len(s.times)
	r.VerifiedRows = s.report.Rows
	if s.report.Rows > 0 {
		r.ErrorQuotient = finite(s.report.Quotient)
	}
	roof := roofs.binding(r.FLOPs, float64(r.Bytes))
	r.RoofKind, r.RoofHow = roof.Kind, roof.How
	if roof.Value > 0 {
		r.Roof = finite(roof.Value)
	}
	if r.Status != StatusOK {
		return *r
	}
	r.Verified = true
	s.complete(roofs)
	return *r
}

// middle sorts values and returns the middle one, or the mean of the middle two; 0 if
// there are none.
func middle(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return stat.Mean(values[(len(values)-1)/2:len(values)/2+1], nil)
}

// rates returns what the median time comes to; nothing unless all went well.
func (s *series) rates() (seen rates) {
	if median := middle(s.times); median > 0 && s.record.Status == StatusOK {
		seen = rates{s.record.FLOPs / 1e9 / median, float64(s.record.Bytes) / 1e9 / median}
	}
	return seen
}

// complete fills in times and what follows from them.
func (s *series) complete(roofs ceilings) {
	r := &s.record
	median := middle(s.times)
	r.Median, r.Min, r.Max = finite(median*1e3), finite(s.times[0]*1e3), finite(s.times[len(s.times)-1]*1e3)
	r.GFLOPs, r.GBs = ratio(r.FLOPs/1e9, median), ratio(float64(r.Bytes)/1e9, median)
	if r.GFLOPs != nil && r.GBs != nil {
		r.FMAShare, r.ReadShare = ratio(*r.GFLOPs, roofs.fma.Value), ratio(*r.GBs, roofs.read.Value)
	}
	r.RoofShare = r.FMAShare
	if r.RoofKind == RoofRead {
		r.RoofShare = r.ReadShare
	}
}

// describe fills in what is known of a backend before it runs.
func describe(r *Record, backend attention.Backend, threads int) {
	r.Backend, r.Go = backend.Name(), runtime.Version()
	if b, ok := backend.(*gpu.Backend); ok {
		info := b.Device()
		r.Device, r.Driver, r.Software, r.Transfers = info.Renderer, info.Vendor+" "+info.Version, info.Software, true
		return
	}
	r.Device, r.Driver, r.Threads = describeCPU().CPU, "none", threads
}
