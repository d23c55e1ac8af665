package dispatch

import (
	"fmt"
	"sync"
	"time"
)

// A backend that failed rests for restMin, and twice as long after each failure
// that follows, up to restMax. The first is long enough for a driver to reset
// its device, the last short enough that a service gets its GPU back.
const (
	restMin = time.Second
	restMax = 5 * time.Minute
)

// health is what an engine knows of a backend's failures. Its zero value is healthy.
type health struct {
	mu     sync.Mutex
	cause  error // nil while healthy
	marked time.Time
	rest   time.Duration
	until  time.Time
}

// restingError says that a backend is resting, and after what.
type restingError struct {
	left  time.Duration
	cause error
}

func (e *restingError) Error() string {
	return fmt.Sprintf("resting for another %v after: %v", e.left, e.cause)
}

func (e *restingError) Unwrap() error { return e.cause }

// peek returns nil if the backend may be tried at the time now, or why not.
func (h *health) peek(now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.resting(now)
}

// admit is peek for a call that will try: when a rest is over, one call goes
// ahead and the others rest on until it is known to be well.
func (h *health) admit(now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.resting(now); err != nil {
		return err
	}
	if h.cause != nil {
		h.until = now.Add(h.rest)
	}
	return nil
}

func (h *health) resting(now time.Time) error {
	if h.cause == nil || !now.Before(h.until) {
		return nil
	}
	return &restingError{left: h.until.Sub(now), cause: h.cause}
}

// fail records a failure of a call that began at began, and reports whether it
// is news: calls that were running when the failure was found fail with it.
func (h *health) fail(began, now time.Time, cause error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cause != nil && began.Before(h.marked) {
		return false
	}
	h.rest = min(max(2*h.rest, restMin), restMax)
	h.cause, h.marked, h.until = cause, now, now.Add(h.rest)
	return true
}

// succeed records a success of a call that began at began, and reports whether
// the backend was unhealthy. A call that began before the failure proves nothing.
func (h *health) succeed(began time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cause == nil || began.Before(h.marked) {
		return false
	}
	h.cause, h.rest = nil, 0
	return true
}
