package gpu

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/glattn/attention"
)

// thread is the one OS thread on which a context is current. Work reaches it over
// a queue and runs in order. With foreign, the thread is somebody else's, whom work
// is handed to piece by piece by the goroutines that call do and stop.
type thread struct {
	queue   chan task
	closed  chan struct{}                 // closed by stop: no more work is taken
	ended   chan struct{}                 // closed when the goroutine has returned
	around  func(work func() error) error // runs work, unless nil; set and read on the thread
	foreign func(work func())
	turn    chan struct{} // with foreign: holds a token while no work runs
	once    sync.Once
	last    func() error // what stop runs; written before closed is closed
	err     error        // of last; written before ended is closed
}

type task struct {
	run  func() error
	done chan error
}

func startThread(foreign func(work func())) *thread {
	t := &thread{queue: make(chan task), closed: make(chan struct{}), ended: make(chan struct{}), foreign: foreign, turn: make(chan struct{}, 1)}
	t.turn <- struct{}{}
	if foreign != nil {
		return t
	}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and its GL state with it
		defer close(t.ended)
		for {
			select {
			case work := <-t.queue:
				work.done <- t.run(work.run)
			case <-t.closed:
				t.err = protect(t.last)
				return
			}
		}
	}()
	return t
}

// run is what happens to work on the thread.
func (t *thread) run(work func() error) error {
	return protect(func() error {
		if t.around == nil {
			return work()
		}
		return t.around(work)
	})
}

// handOver has the foreign thread run work.
func (t *thread) handOver(work func() error) error {
	err := fmt.Errorf("gpu: %w: Options.Run returned without running its function", attention.ErrUnavailable)
	if broken := protect(func() error {
		t.foreign(func() { err = work() })
		return nil
	}); broken != nil {
		return broken
	}
	return err
}

// do runs f on the thread and waits for it. Cancellation takes effect before f
// starts; f itself watches ctx between dispatches.
func (t *thread) do(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	work := task{run: f, done: make(chan error, 1)}
	if t.foreign != nil {
		select {
		case <-t.turn:
			defer func() { t.turn <- struct{}{} }()
			if t.stopped() {
				return attention.ErrClosed
			}
			return t.handOver(func() error { return t.run(f) })
		case <-t.closed:
			return attention.ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
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
		if t.foreign != nil {
			<-t.turn
			t.err = t.handOver(func() error { return protect(last) })
			close(t.ended)
		}
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
