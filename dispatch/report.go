package dispatch

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/glattn/attention"
)

// Reason is the kind of a refusal.
type Reason string

// The reasons. All but Unhealthy stand for the sentinel of the root package with
// the same name.
const (
	Unsupported Reason = "unsupported"
	Unavailable Reason = "unavailable"
	OutOfMemory Reason = "out of memory"
	DeviceLost  Reason = "device lost"
	SelfTest    Reason = "self-test failed"
	// Unhealthy: the backend failed lately and is resting before it is tried again.
	Unhealthy Reason = "unhealthy"
)

var fallbackReasons = []struct {
	sentinel error
	reason   Reason
}{
	{attention.ErrDeviceLost, DeviceLost},
	{attention.ErrOutOfMemory, OutOfMemory},
	{attention.ErrSelfTest, SelfTest},
	{attention.ErrUnavailable, Unavailable},
	{attention.ErrUnsupported, Unsupported},
}

// reasonOf returns why err lets another backend try; known is false for errors
// that end the call.
func reasonOf(err error) (reason Reason, known bool) {
	var panicked *PanicError
	if errors.As(err, &panicked) || errors.Is(err, attention.ErrInvalid) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return "", false
	}
	for _, f := range fallbackReasons {
		if errors.Is(err, f.sentinel) {
			return f.reason, true
		}
	}
	return "", false
}

// affectsHealth reports whether a failed plan or run says something about the device
// and not only about the problem. A kernel in quarantine, which makes its problems
// unsupported, says nothing about the others; nor does a backend that was opened
// become unavailable without a fault. What was lost with a device that has come back
// meanwhile is lost, but the device is well.
func affectsHealth(r Reason, err error) bool {
	switch r {
	case DeviceLost:
		return !lostBefore(err)
	case OutOfMemory, Unavailable:
		return true
	case SelfTest:
		return !errors.Is(err, attention.ErrUnsupported)
	}
	return false
}

// Refusal says why a backend did not run a call.
type Refusal struct {
	Backend string `json:"backend"`
	Reason  Reason `json:"reason"`
	Detail  string `json:"detail"` // the text of Err
	Err     error  `json:"-"`
}

// Report says how a call was run.
type Report struct {
	Backend string `json:"backend"` // empty if none ran it
	Plan    string `json:"plan"`    // the kernel and its parameters
	// FellBack is true when a backend that the engine would have chosen, or had
	// chosen, refused or failed, so that another one ran the call. A backend that
	// could not be opened is in Refusals of every call but is no fall-back of it.
	FellBack bool `json:"fell_back"`
	// Copied is true when tensors in the memory of a device were copied to the host for
	// the backend that ran the call.
	Copied bool `json:"copied,omitempty"`
	// Refusals lists the backends that could not be opened and those that
	// refused or failed before the call was run, in order.
	Refusals []Refusal     `json:"refusals,omitempty"`
	Elapsed  time.Duration `json:"elapsed_ns"` // validation, planning and failed attempts included
}

func (r *Report) add(refusal Refusal) { r.Refusals = append(r.Refusals, refusal) }

func (r *Report) chose(backend, plan string) {
	r.Backend, r.Plan = backend, plan
	// A resting backend that ran the call in the end did not fall back to itself.
	r.FellBack = slices.ContainsFunc(r.Refusals, func(refusal Refusal) bool { return refusal.Backend != backend })
}

// EventKind is the kind of an [Event].
type EventKind string

// The kinds of events.
const (
	// EventUnavailable: a backend of the default list could not be opened.
	EventUnavailable EventKind = "unavailable"
	// EventRefused: a backend refused or failed a call, which goes on to the next one.
	EventRefused EventKind = "refused"
	// EventUnhealthy: a backend was marked unhealthy.
	EventUnhealthy EventKind = "unhealthy"
	// EventRecovered: a backend that was unhealthy ran a call.
	EventRecovered EventKind = "recovered"
	// EventPlanned: a backend made a plan.
	EventPlanned EventKind = "planned"
)

// Event is something that the hook of [WithHook] is told.
type Event struct {
	Kind    EventKind
	Backend string
	Problem attention.Problem // zero for EventUnavailable
	Reason  Reason            // empty for EventRecovered and EventPlanned
	Err     error             // nil for EventRecovered and EventPlanned
}

// Counters counts what an engine has done since it was opened.
type Counters struct {
	Calls     int64            `json:"calls"`     // ended calls, failed ones included
	Errors    int64            `json:"errors"`    // calls that returned an error
	Fallbacks int64            `json:"fallbacks"` // calls with Report.FellBack
	Reasons   map[Reason]int64 `json:"reasons"`   // refusals by reason; a call can have several
	Backends  map[string]int64 `json:"backends"`  // calls run, by backend
	Plans     int64            `json:"plans"`     // plans made
	Evictions int64            `json:"evictions"` // plans given up for want of room
}

type tally struct {
	mu     sync.Mutex
	counts Counters
}

func (t *tally) call(r Report, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.counts
	if c.Reasons == nil {
		c.Reasons, c.Backends = map[Reason]int64{}, map[string]int64{}
	}
	c.Calls++
	if err != nil {
		c.Errors++
	}
	if r.FellBack {
		c.Fallbacks++
	}
	for _, refusal := range r.Refusals {
		c.Reasons[refusal.Reason]++
	}
	if r.Backend != "" {
		c.Backends[r.Backend]++
	}
}

func (t *tally) snapshot() Counters {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts
	c.Reasons, c.Backends = maps.Clone(c.Reasons), maps.Clone(c.Backends)
	return c
}
