package gl

import (
	"fmt"
	"math"
	"time"
)

// Sync is a fence in the GPU's queue. 0 is none.
type Sync uintptr

// Use makes a program the one that [Context.Dispatch] runs.
func (c *Context) Use(p Program) { c.fn.useProgram(uint32(p)) }

// Dispatch starts x·y·z work groups of the current program. It asks no
// glGetError: the counts are checked against [Limits] here, and whatever else is
// wrong shows up in the next [Context.Check].
func (c *Context) Dispatch(x, y, z uint32) error {
	const op = "Dispatch"
	if err := c.fault(op); err != nil {
		return err
	}
	for axis, n := range [3]uint32{x, y, z} {
		if limit := c.info.Limits.MaxGroupCount[axis]; int64(n) > int64(limit) {
			return invalid(op, "%d work groups on axis %d, the limit is %d", n, axis, limit)
		}
	}
	c.fn.dispatchCompute(x, y, z)
	return nil
}

// Barrier makes what shaders wrote before visible to all that comes after: to
// shaders through storage and uniform buffers, to copies, reads and mappings, and
// to the host in persistently mapped buffers once a fence has passed.
func (c *Context) Barrier() {
	bits := uint32(shaderStorageBarrierBit | uniformBarrierBit | bufferUpdateBarrierBit)
	if c.info.Persistent {
		bits |= clientMappedBufferBarrierBit // unknown, hence an error, without the extension
	}
	c.fn.memoryBarrier(bits)
}

// Flush hands what was queued to the GPU and returns.
func (c *Context) Flush() { c.fn.flush() }

// Finish waits until the GPU has done all that was queued, and returns the errors
// that were found meanwhile.
func (c *Context) Finish() error {
	const op = "Finish"
	if err := c.fault(op); err != nil {
		return err
	}
	c.fn.finish()
	if err := c.ResetStatus(); err != nil {
		return err
	}
	return c.Check(op)
}

// Fence puts a fence behind all that was queued.
func (c *Context) Fence() (Sync, error) {
	const op = "Fence"
	if err := c.fault(op); err != nil {
		return 0, err
	}
	s := c.fn.fenceSync(syncGPUCommandsComplete, 0)
	if s == 0 {
		return 0, c.failed(op)
	}
	return Sync(s), nil
}

// WaitSync waits until the GPU has passed the fence, at most for the timeout; 0
// only asks. It flushes, so that the fence gets there. The fence of a lost
// context counts as passed in OpenGL; here it is an error, [ErrDeviceLost],
// wherever the driver tells.
func (c *Context) WaitSync(s Sync, timeout time.Duration) (done bool, err error) {
	const op = "WaitSync"
	if err := c.fault(op); err != nil {
		return false, err
	}
	nanoseconds := uint64(max(0, min(timeout, math.MaxInt64)))
	switch status := c.fn.clientWaitSync(uintptr(s), syncFlushCommandsBit, nanoseconds); status {
	case timeoutExpired:
		// A hung GPU never passes the fence; only the reset status tells.
		return false, c.ResetStatus()
	case alreadySignaled, conditionSatisfied:
		if err := c.ResetStatus(); err != nil {
			return false, err
		}
		return true, nil
	default:
		return false, c.failed(op)
	}
}

// waitSlice is how long one wait for a fence lasts, so that a lost device is
// noticed between them.
const waitSlice = 20 * time.Millisecond

// Await waits until the GPU has passed the fence. A device that signals nothing
// for as long as patience counts as lost.
func (c *Context) Await(s Sync, patience time.Duration) error {
	for start := c.Now(); ; {
		done, err := c.WaitSync(s, waitSlice)
		if err == nil && !done {
			err = c.Overdue(start, patience)
		}
		if done || err != nil {
			return err
		}
	}
}

// Now is the time that Overdue goes by.
func (c *Context) Now() time.Time { return c.now() }

// Overdue gives the context up as lost, and returns [ErrDeviceLost], if something that
// began at the given time took all patience.
func (c *Context) Overdue(began time.Time, patience time.Duration) error {
	if c.now().Sub(began) < patience {
		return nil
	}
	c.lost = fmt.Errorf("gl: %w: no answer in %v", ErrDeviceLost, patience)
	return c.lost
}

// DeleteSync frees a fence. 0 is ignored.
func (c *Context) DeleteSync(s Sync) {
	if s != 0 {
		c.fn.deleteSync(uintptr(s))
	}
}
