package cpu

import (
	"runtime"
	"sync/atomic"
	"time"
)

// crew is the goroutines that help the callers of a backend. A helper that is done
// looks around for another call before it ends: waking a processor from sleep takes as
// long as a small decode step, and steps follow each other.
type crew struct{ seats [64]seat }

// linger is how long a helper looks for another call.
const linger = 100 * time.Microsecond

// seat is where a helper waits: nil if it is free, waiting if a helper has it, or the
// worker that the helper is to be.
type seat struct {
	worker atomic.Pointer[worker]
	_      [56]byte // a cache line each
}

var waiting = new(worker)

// start has w.main run on another goroutine.
func (c *crew) start(w *worker) {
	for n := range c.seats {
		s := &c.seats[n]
		if s.worker.Load() == waiting && s.worker.CompareAndSwap(waiting, w) {
			return
		}
	}
	go w.start()
}

// help runs w, and further workers that come within linger of the last.
func (c *crew) help(w *worker) {
	for w != nil {
		w.main()
		w = c.next()
	}
}

// next returns the worker to be, nil if none comes.
func (c *crew) next() *worker {
	s := c.sit()
	if s == nil {
		return nil
	}
	for end := time.Now().Add(linger); time.Now().Before(end); runtime.Gosched() { // others may have the processor
		if w := s.worker.Load(); w != waiting {
			s.worker.Store(nil)
			return w
		}
	}
	if s.worker.CompareAndSwap(waiting, nil) {
		return nil
	}
	w := s.worker.Load()
	s.worker.Store(nil)
	return w
}

// sit takes a free seat, nil if there is none.
func (c *crew) sit() *seat {
	for n := range c.seats {
		if c.seats[n].worker.CompareAndSwap(nil, waiting) {
			return &c.seats[n]
		}
	}
	return nil
}
