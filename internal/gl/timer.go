package gl

import "time"

// Timer measures the time that the GPU spends on what is queued between Begin and
// End. Only one timer of a context can run at a time. A nil Timer does nothing
// and is what a driver without timers gives, so that code which is measured needs
// no condition.
type Timer struct {
	c     *Context
	query uint32
	state timerState
}

type timerState int

const (
	timerIdle timerState = iota
	timerRunning
	timerEnded
)

// NewTimer returns a timer, or nil where [Info.Timer] is false.
func (c *Context) NewTimer() *Timer {
	if !c.info.Timer {
		return nil
	}
	t := &Timer{c: c}
	c.fn.genQueries(1, &t.query)
	if t.query == 0 {
		return nil
	}
	return t
}

// Begin starts the measurement, and throws a previous one away.
func (t *Timer) Begin() {
	if t == nil || t.state == timerRunning {
		return
	}
	t.c.fn.beginQuery(timeElapsed, t.query)
	t.state = timerRunning
}

// End ends the measurement.
func (t *Timer) End() {
	if t == nil || t.state != timerRunning {
		return
	}
	t.c.fn.endQuery(timeElapsed)
	t.state = timerEnded
}

// Elapsed returns the measured time, once the GPU is through; until then, and
// without a measurement, ok is false. It does not wait. On a software rasteriser
// the time includes waiting in the queue.
func (t *Timer) Elapsed() (d time.Duration, ok bool) {
	if t == nil || t.state != timerEnded {
		return 0, false
	}
	var available int32
	t.c.fn.getQueryObjectiv(t.query, queryResultAvailable, &available)
	if available != glTrue {
		return 0, false
	}
	var nanoseconds uint64
	t.c.fn.getQueryObjectui64v(t.query, queryResult, &nanoseconds)
	return time.Duration(nanoseconds), true
}

// Close frees the timer.
func (t *Timer) Close() {
	if t == nil || t.query == 0 {
		return
	}
	t.End()
	t.c.fn.deleteQueries(1, &t.query)
	t.query, t.state = 0, timerIdle
}
