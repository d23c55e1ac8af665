package gpu

import (
	"fmt"
	"time"

	"github.com/glattn/attention/internal/gl"
)

// readback is the way of a job's results to the host. Where buffers may stay mapped the
// device copies them there, and the host only looks; else the host asks for them.
type readback struct {
	device         *gl.Context // that holds it all
	outputs, stats landing
	fence          gl.Sync
	flight         gl.Sync // of the job's last dispatch; 0 once it has ended
	waited         bool
	began          time.Time // by the context's clock
}

// landing is where some bytes arrive.
type landing struct {
	size   int64
	buffer gl.Buffer
	mapped []byte // nil where buffers do not stay mapped
}

// pollSlice is how long the GL thread waits for one call before it looks after others.
const pollSlice = 200 * time.Microsecond

// readBack queues the way of outputs and of statistics, as far as they have a size.
func (b *Backend) readBack(from []bound, size sizes) (*readback, error) {
	back := &readback{device: b.c, began: b.c.Now(), flight: b.flights.now.fence}
	var err error
	for _, w := range []struct {
		to   *landing
		from bound
		size int64
	}{{&back.outputs, from[0], size.o}, {&back.stats, from[1], size.stats}} {
		if w.size == 0 {
			continue
		}
		if *w.to, err = b.landing(w.from.buffer, w.size); err != nil {
			b.putBack(back)
			return nil, err
		}
	}
	if back.fence, err = b.c.Fence(); err != nil {
		b.putBack(back)
		return nil, translate(err)
	}
	b.c.Flush()
	return back, nil
}

// landing queues the copy of the first bytes of a buffer to where the host can read them.
func (b *Backend) landing(from gl.Buffer, size int64) (landing, error) {
	pool := b.returns
	if !b.c.Info().Persistent {
		pool = b.buffers
	}
	to, err := pool.get(size, "readback")
	if err != nil {
		return landing{}, err
	}
	l := landing{size: size, buffer: to}
	if err := b.c.Copy(to, 0, from, 0, size); err != nil {
		pool.put(to)
		return landing{}, fmt.Errorf("gpu: download: %w", translate(err))
	}
	b.c.Barrier() // also for what the host sees of mapped memory
	if pool == b.returns {
		if l.mapped, err = pool.mapped(to); err != nil {
			pool.put(to)
			return landing{}, err
		}
	}
	return l, nil
}

// ready waits for the results, but no longer than a slice.
func (b *Backend) ready(back *readback) (bool, error) {
	if back.device != b.c {
		return false, &LostMemoryError{What: "the work of a call"}
	}
	for _, fence := range []*gl.Sync{&back.flight, &back.fence} {
		if *fence == 0 || fence == &back.flight && b.flights.now.fence != *fence {
			*fence = 0
			continue
		}
		slice := pollSlice
		if !back.waited {
			slice = 0
		}
		done, err := b.c.WaitSync(*fence, slice)
		if err == nil && !done {
			back.waited = true
			return false, translate(b.c.Overdue(back.began, maxWait))
		}
		if fence == &back.flight {
			err = b.flights.end(err, back.waited)
		} else {
			b.c.DeleteSync(*fence)
		}
		*fence = 0
		if err != nil {
			return false, translate(err)
		}
	}
	return true, nil
}

// collect returns the results, which stay valid until putBack.
func (b *Backend) collect(back *readback, host *scratch) (outputs, stats []byte, err error) {
	read := func(l landing, into *[]byte) []byte {
		if l.size == 0 || err != nil {
			return nil
		}
		b.count.downloaded.Add(l.size)
		if l.mapped != nil {
			return l.mapped[:l.size]
		}
		data := grow(into, int(l.size))
		if readErr := b.c.Read(l.buffer, 0, data); readErr != nil {
			err = fmt.Errorf("gpu: download: %w", translate(readErr))
		}
		return data
	}
	outputs, stats = read(back.outputs, &host.o), read(back.stats, &host.stats)
	return outputs, stats, err
}

// held reports whether there is something to put back.
func (r *readback) held() bool { return r.outputs.buffer != 0 || r.stats.buffer != 0 || r.fence != 0 }

// putBack gives back what the results lie in.
func (b *Backend) putBack(back *readback) {
	if back.device != b.c { // a loss took it, and names begin anew
		*back = readback{}
		return
	}
	b.c.DeleteSync(back.fence)
	for _, l := range []landing{back.outputs, back.stats} {
		if l.buffer == 0 {
			continue
		}
		if l.mapped != nil {
			b.returns.put(l.buffer)
		} else {
			b.buffers.put(l.buffer)
		}
	}
	*back = readback{}
}
