package cpu

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
)

// rescue brings a panic of one of a call's goroutines, which nobody could
// recover and which would end the process, to the goroutine of the caller.
type rescue struct{ caught atomic.Pointer[workerPanic] }

// workerPanic is what a goroutine panicked with, and where.
type workerPanic struct {
	value any
	stack []byte
}

// Error gives the stack too, since the one that is printed is the caller's.
func (p *workerPanic) Error() string { return fmt.Sprintf("%v\n\n%s", p.value, p.stack) }

// catch is deferred by each goroutine; the first panic counts.
func (r *rescue) catch() {
	if value := recover(); value != nil {
		r.caught.CompareAndSwap(nil, &workerPanic{value, debug.Stack()})
	}
}

// rethrow panics if a goroutine has; all must have ended.
func (r *rescue) rethrow() {
	if p := r.caught.Load(); p != nil {
		panic(p)
	}
}
