package gpu

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/glattn/attention"
)

// thread is the one OS thread on which a context is current. Work reaches it over
// a queue and runs in order.
type thread struct {
	queue  chan task
	closed chan struct{}                 // closed by stop: no more work is taken
	ended  chan struct{}                 // closed when the goroutine has returned
	around func(work func() error) error // runs work, unless nil; set and read on the thread
	once   sync.Once
	last   func() error // what stop runs; written before closed is closed
	err    error        // of last; written before ended is closed
}

type task struct {
	run  func() error
	done chan error
}

func startThread() *thread {
	t := &thread{queue: make(chan task), closed: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and its GL state with it
		defer close(t.ended)
		for {
			select {
			case work := <-t.queue:
				work.done <- protect(func() error {
					if t.around == nil {
						return work.run()
					}
					return t.around(work.run)
				})
			case <-t.closed:
				t.err = protect(t.last)
				return
			}
		}
	}()
	return t
}

// do runs f on the thread and waits for it. Cancellation takes effect before f
// starts; f itself watches ctx between dispatches.
func (t *thread) do(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	work := task{run: f, done: make(chan error, 1)}
	select {
	case t.queue <- work:
		return <-work.done
	case <-t.closed:
		return attention.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the thread after the work in progress, with last as the last thing run
// on it, so that no work can meet what last tears down. Only the first stop runs
// its function and returns its error.
func (t *thread) stop(last func() error) (err error) {
	first := false
	t.once.Do(func() {
		first, t.last = true, last
		close(t.closed)
	})
	<-t.ended
	if first {
		err = t.err
	}
	return err
}

// stopped reports whether no more work is taken.
func (t *thread) stopped() bool {
	select {
	case <-t.closed:
		return true
	default:
		return false
	}
}

// protect turns a panic into an error, so that a bug here never ends the process
// of a user who has a CPU to fall back on.
func protect(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("gpu: internal error: %v", r)
		}
	}()
	return f()
}
