package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/glattn/attention"
)

// Failure is a case that did not pass.
type Failure struct {
	Case Case
	Err  error
}

// Summary counts the outcomes of many cases on one backend.
type Summary struct {
	Passed, Failed, Unsupported int
	// Worst is the largest quotient of error and bound among the cases with float32
	// outputs that passed, and WorstCase its name. WorstLow is that of the others,
	// whose rounding alone makes it nearly 1.
	Worst     float64
	WorstCase string
	WorstLow  float64
	MaxAbs    float64   // largest absolute error among the unit-scale cases that passed
	Failures  []Failure // in the order of the cases
	Refusals  []Failure // unsupported cases, with the reasons
}

// Add counts one case by what [Measure] returned for it.
func (s *Summary) Add(c Case, report Report, err error) {
	switch {
	case err == nil:
		s.Passed++
		if orFloat32(c.Types.O) != attention.Float32 {
			s.WorstLow = max(s.WorstLow, report.Quotient)
		} else if s.WorstCase == "" || report.Quotient > s.Worst {
			s.Worst, s.WorstCase = report.Quotient, c.Name
		}
		if c.UnitScale() {
			s.MaxAbs = max(s.MaxAbs, report.MaxAbs)
		}
	case errors.Is(err, attention.ErrUnsupported):
		s.Unsupported++
		s.Refusals = append(s.Refusals, Failure{c, err})
	default:
		s.Failed++
		s.Failures = append(s.Failures, Failure{c, err})
	}
}

// String is such as 310 passed, 0 failed, 2 unsupported; worst quotient 0.31 (peaked-d64).
func (s Summary) String() string {
	line := fmt.Sprintf("%d passed, %d failed, %d unsupported", s.Passed, s.Failed, s.Unsupported)
	if s.WorstCase != "" {
		line += fmt.Sprintf("; worst quotient %.3g (%s)", s.Worst, s.WorstCase)
	}
	return line
}

// RunAll measures the cases one after another and calls after, if not nil, with
// each outcome. It stops early only when ctx ends, and then returns its error.
func RunAll(ctx context.Context, backend attention.Backend, cases []Case, after func(Case, Report, error)) (Summary, error) {
	var s Summary
	for _, c := range cases {
		report, err := Measure(ctx, backend, c)
		if stopped := ctx.Err(); stopped != nil { // a failure now may be the end of ctx, and not the case's
			return s, fmt.Errorf("verify: stopped after %d of %d cases: %w", s.Passed+s.Failed+s.Unsupported, len(cases), stopped)
		}
		s.Add(c, report, err)
		if after != nil {
			after(c, report, err)
		}
	}
	return s, nil
}
