package dispatch

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/glattn/attention"
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
	from  int64 // bytes of the smallest calls concerned, 0 for all
	cause error
}

func (e *restingError) Error() string {
	if e.from > 0 {
		return fmt.Sprintf("calls of %d bytes and more rest for another %v after: %v", e.from, e.left, e.cause)
	}
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

// memory is what an engine knows of calls for which a backend had no memory. Calls
// of that size and beyond rest; smaller ones go ahead. Its zero value is healthy.
type memory struct {
	health
	sizes sync.Mutex
	from  int64 // bytes of the smallest call that failed since the last success
}

// concerns reports whether calls of so many bytes rest, if any do, and from where on.
func (m *memory) concerns(bytes int64) (from int64, yes bool) {
	m.sizes.Lock()
	defer m.sizes.Unlock()
	return m.from, m.from > 0 && bytes >= m.from
}

func (m *memory) narrow(bytes int64) {
	m.sizes.Lock()
	defer m.sizes.Unlock()
	if m.from == 0 || bytes < m.from {
		m.from = bytes
	}
}

func (m *memory) forget() {
	m.sizes.Lock()
	defer m.sizes.Unlock()
	m.from = 0
}

// peek returns nil if the member may be tried with p at the time now, or why not.
func (m *member) peek(now time.Time, p attention.Problem) error {
	return m.asked(now, p, (*health).peek)
}

// admit is peek for a call that will try.
func (m *member) admit(now time.Time, p attention.Problem) error {
	if err := m.peek(now, p); err != nil {
		return err // without taking the turn of a call that may try
	}
	return m.asked(now, p, (*health).admit)
}

func (m *member) asked(now time.Time, p attention.Problem, ask func(*health, time.Time) error) error {
	if err := ask(&m.health, now); err != nil {
		return err
	}
	from, concerned := m.memory.concerns(size(p))
	if !concerned {
		return nil
	}
	err := ask(&m.memory.health, now)
	if resting := (*restingError)(nil); errors.As(err, &resting) {
		resting.from = from
	}
	return err
}

// fail records a failure of a call with p that began at began, and reports whether
// it is news.
func (m *member) fail(began, now time.Time, p attention.Problem, reason Reason, cause error) bool {
	if reason != OutOfMemory {
		return m.health.fail(began, now, cause)
	}
	m.memory.narrow(size(p))
	return m.memory.fail(began, now, cause)
}

// succeed records a success, and reports whether the member was unhealthy as far as
// the problem shows.
func (m *member) succeed(began time.Time, p attention.Problem) bool {
	recovered := m.health.succeed(began)
	if _, concerned := m.memory.concerns(size(p)); concerned && m.memory.succeed(began) {
		m.memory.forget()
		recovered = true
	}
	return recovered
}

// size is what calls are compared by, at least 1.
func size(p attention.Problem) int64 { return max(p.Bytes(), 1) }
