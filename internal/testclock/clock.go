// Package testclock has a clock that tests move.
package testclock

import (
	"sync/atomic"
	"time"
)

// Clock stands still until it is moved. It is safe for concurrent use.
type Clock struct{ nanoseconds atomic.Int64 }

// New returns a clock that shows the time given.
func New(now time.Time) *Clock {
	c := new(Clock)
	c.nanoseconds.Store(now.UnixNano())
	return c
}

// Now returns what the clock shows.
func (c *Clock) Now() time.Time { return time.Unix(0, c.nanoseconds.Load()) }

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) { c.nanoseconds.Add(int64(d)) }
