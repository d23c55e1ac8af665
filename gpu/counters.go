package gpu

import (
	"sync/atomic"
	"time"
)

// Counters tell what a backend has done since it was opened.
type Counters struct {
	Dispatches      int64
	LongestDispatch time.Duration // as waited for, but for the first of each program, in which drivers compile
	UploadedBytes   int64         // from host tensors to the device, parameters included
	DownloadedBytes int64
	CopiedBytes     int64 // from one place on the device to another
}

// counters are Counters under way.
type counters struct {
	dispatches, uploaded, downloaded, copied atomic.Int64
	longest                                  atomic.Int64
}

func (c *counters) took(d time.Duration) {
	for {
		known := c.longest.Load()
		if int64(d) <= known || c.longest.CompareAndSwap(known, int64(d)) {
			return
		}
	}
}

// restore sets back what is counted on the GL thread, which it must be called on.
func (c *counters) restore(to Counters) {
	c.dispatches.Store(to.Dispatches)
	c.longest.Store(int64(to.LongestDispatch))
	c.uploaded.Store(to.UploadedBytes)
	c.downloaded.Store(to.DownloadedBytes)
	c.copied.Store(to.CopiedBytes)
}

// Counters returns what the backend has done so far.
func (b *Backend) Counters() Counters {
	c := &b.count
	return Counters{
		Dispatches: c.dispatches.Load(), LongestDispatch: time.Duration(c.longest.Load()),
		UploadedBytes: c.uploaded.Load(), DownloadedBytes: c.downloaded.Load(), CopiedBytes: c.copied.Load(),
	}
}
