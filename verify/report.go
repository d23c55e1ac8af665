package verify

import (
	"errors"
	"fmt"
	"math"
)

// ErrMismatch marks outputs that are wrong: numbers beyond their bounds, bits that
// differ between repeats, or bytes touched that are not the call's.
var ErrMismatch = errors.New("mismatch")

// Element is one number of an output and what it was compared with.
type Element struct {
	Tensor    string // "O" or "LSE"; empty in a report of no elements
	Index     [4]int // [batch, head, query, column]
	Got, Want float64
	Bound     float64 // on |Got − Want|, on the side that Got lies
	Quotient  float64 // |Got − Want| / Bound
}

// String is such as O[0 1 5 3] = 0.25, want 0.5 within 1e-6 (quotient 2.5e+05).
func (e Element) String() string {
	if e.Tensor == "" {
		return "no element"
	}
	return fmt.Sprintf("%s%v = %.9g, want %.9g within %.3g (quotient %.3g)", e.Tensor, e.Index, e.Got, e.Want, e.Bound, e.Quotient)
}

// Report is the outcome of comparing a call's outputs with the oracle.
type Report struct {
	Pass     bool
	Quotient float64 // worst |out − ref| / bound over O and LSE; +Inf for a special value out of place
	MaxAbs   float64 // largest |out − ref| over the finite elements of O
	MeanAbs  float64 // mean of the same
	Elements int     // numbers compared, in O and LSE
	Failed   int     // numbers beyond their bound
	Rows     int     // rows compared
	Rule     string  // what was applied, such as "f32 bound, hull, lse"
	Where    string  // the worst element in words
	Worst    Element
	Low      LowPair // rule 3; Applied is false for float32
}

// String sums the report up in a line.
func (r Report) String() string {
	verdict := "pass"
	if !r.Pass {
		verdict = fmt.Sprintf("FAIL (%d elements)", r.Failed)
	}
	line := fmt.Sprintf("%s: quotient %.3g, max abs %.3g, mean abs %.3g over %d elements, %s; worst %s",
		verdict, r.Quotient, r.MaxAbs, r.MeanAbs, r.Elements, r.Rule, r.Worst)
	if r.Low.Applied {
		line += "; " + r.Low.String()
	}
	return line
}

// Err returns nil for a report that passes, else a [MismatchError].
func (r Report) Err() error {
	if r.Pass {
		return nil
	}
	return &MismatchError{Report: r}
}

// MismatchError reports outputs beyond their bounds. It is an [ErrMismatch].
type MismatchError struct{ Report Report }

// Error gives the worst element and the count.
func (e *MismatchError) Error() string {
	r := e.Report
	if r.Failed == 0 && !r.Low.Pass() {
		return "verify: " + r.Low.String()
	}
	return fmt.Sprintf("verify: %d of %d elements beyond their bound; worst %s", r.Failed, r.Elements, r.Worst)
}

// Is makes errors.Is(err, ErrMismatch) true.
func (e *MismatchError) Is(target error) bool { return target == ErrMismatch }

// tally gathers a Report; rows may be divided over several and merged in order.
type tally struct {
	report    Report
	sumAbs    float64
	finiteAbs int
	low       lowSums
}

func (t *tally) add(e Element) {
	t.report.Elements++
	if !(e.Quotient <= 1) {
		t.report.Failed++
	}
	if t.report.Worst.Tensor == "" || e.Quotient > t.report.Quotient {
		t.report.Worst, t.report.Quotient = e, e.Quotient
	}
	if diff := math.Abs(e.Got - e.Want); e.Tensor == "O" && finite(diff) {
		t.report.MaxAbs = max(t.report.MaxAbs, diff)
		t.sumAbs += diff
		t.finiteAbs++
	}
}

func (t *tally) merge(o *tally) {
	t.report.Elements += o.report.Elements
	t.report.Failed += o.report.Failed
	t.report.Rows += o.report.Rows
	t.report.MaxAbs = max(t.report.MaxAbs, o.report.MaxAbs)
	t.sumAbs += o.sumAbs
	t.finiteAbs += o.finiteAbs
	if o.report.Worst.Tensor != "" && (t.report.Worst.Tensor == "" || o.report.Quotient > t.report.Quotient) {
		t.report.Worst, t.report.Quotient = o.report.Worst, o.report.Quotient
	}
	t.low.merge(o.low)
}
