package vectors

import "fmt"

// Status is the verdict on one case.
type Status uint8

// The verdicts.
const (
	Failed  Status = iota // wrong numbers, or the case could not be run
	Passed                // every expected output was produced and is right
	Skipped               // something it needs is not built, or the backend refuses it
)

// String returns failed, passed or skipped.
func (s Status) String() string {
	switch s {
	case Passed:
		return "passed"
	case Skipped:
		return "skipped"
	}
	return "failed"
}

// Result is what came of one case on one backend.
type Result struct {
	Case     string // name
	Operator string // with domain
	Backend  string
	Status   Status
	Missing  string   // of a skipped case: what is not built, or what the backend refuses
	Detail   string   // of a failed case: what is wrong, and where
	Notes    []string // where the run departs from the case, as float32 for float64
	Compared int      // output elements compared, also of skipped cases
	MaxAbs   float64  // largest |got − want| among them
	Where    string   // the element with that difference, such as Y[0,1,2]
}

// String is one line about the case.
func (r Result) String() string {
	s := fmt.Sprintf("%-7v %s on %s (%s)", r.Status, r.Case, r.Backend, r.Operator)
	switch r.Status {
	case Skipped:
		s += ": missing " + r.Missing
	case Failed:
		s += ": " + r.Detail
	}
	if r.Compared > 0 {
		s += fmt.Sprintf("; %d elements, max |Δ| %.2g at %s", r.Compared, r.MaxAbs, r.Where)
	}
	return s
}

// missing is the error of a case that needs something not built.
type missing string

// Error names the feature.
func (m missing) Error() string { return "not built: " + string(m) }

func (r Result) skip(what string) Result {
	r.Status, r.Missing = Skipped, what
	return r
}

func (r Result) fail(err error) Result {
	r.Status, r.Detail = Failed, err.Error()
	return r
}

// Tally counts the verdicts of a run.
type Tally struct{ Passed, Failed, Skipped int }

// Add counts one result.
func (t *Tally) Add(r Result) {
	switch r.Status {
	case Passed:
		t.Passed++
	case Skipped:
		t.Skipped++
	default:
		t.Failed++
	}
}

// String is the closing line of a run: N passed, N failed, N skipped.
func (t Tally) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", t.Passed, t.Failed, t.Skipped)
}
