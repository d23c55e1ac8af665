package gpu

import (
	"time"

	"github.com/glattn/attention/internal/gl"
)

// flight is a dispatch under way.
type flight struct {
	prog  *program // nil if there is none
	cost  float64
	fence gl.Sync
	began time.Time
}

// flights times dispatches. At most one is under way, so that each is timed by itself
// and cancellation waits for no more than one. It is used on the GL thread only.
type flights struct {
	c     *gl.Context
	now   flight
	count *counters
}

// start notes the dispatch that was just queued and sends it off. Software devices have
// finished it by then.
func (f *flights) start(prog *program, cost float64, began time.Time) error {
	fence, err := f.c.Fence()
	if err != nil {
		return translate(err)
	}
	f.count.dispatches.Add(1)
	f.now = flight{prog, cost, fence, began}
	done, err := f.c.WaitSync(fence, 0)
	if err != nil || done {
		return f.end(err, true)
	}
	return nil
}

// land waits for the dispatch under way, if there is one.
func (f *flights) land() error {
	if f.now.prog == nil {
		return nil
	}
	late, err := f.c.WaitSync(f.now.fence, 0)
	if err == nil && !late {
		err = wait(f.c, f.now.fence)
	}
	return f.end(err, !late)
}

// end learns from a dispatch. One that ended before anybody looked took less than the
// time since, which tells that its program is quick, but not that it is slow.
func (f *flights) end(err error, exact bool) error {
	ended := f.now
	f.now = flight{}
	f.c.DeleteSync(ended.fence)
	if err != nil {
		return translate(err)
	}
	took := time.Since(ended.began)
	slow := ended.cost < ended.prog.pace.flops*took.Seconds()
	if !exact && slow {
		return nil
	}
	if ended.prog.pace.warmed { // the first one ends with drivers still compiling
		f.count.took(took)
	}
	if slow || !ended.prog.variant.BoolMask { // a mask may have forbidden most of what was counted
		ended.prog.pace.learn(ended.cost, took)
	}
	return nil
}

// abandon forgets the dispatch under way, as after an error.
func (f *flights) abandon() {
	if f.now.prog != nil {
		f.c.DeleteSync(f.now.fence)
		f.now = flight{}
	}
}
