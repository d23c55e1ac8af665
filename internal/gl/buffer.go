package gl

import (
	"fmt"
	"math"
	"unsafe"
)

// Buffer is the name of a buffer object. 0 is none.
type Buffer uint32

// Usage says who writes a buffer and who reads it, for the driver to choose where
// it lies.
type Usage int

const (
	// UsageDevice: written and read by shaders.
	UsageDevice Usage = iota
	// UsageUpload: written by the host, read by the GPU.
	UsageUpload
	// UsageReadback: written by the GPU, read by the host.
	UsageReadback
	// UsagePersistentUpload and UsagePersistentReadback may stay mapped while the
	// GPU uses them. They need [Info.Persistent].
	UsagePersistentUpload
	UsagePersistentReadback
)

func (u Usage) persistent() bool { return u == UsagePersistentUpload || u == UsagePersistentReadback }

// bufferState is what the bounds checks need to know of a buffer: the driver
// checks the range of a binding not at all, and a shader that writes past the end
// of one may hang the GPU.
type bufferState struct {
	size   int64
	label  string
	usage  Usage
	mapped bool
}

// CreateBuffer allocates a buffer of size > 0 bytes, with undefined content. The
// label is for messages and debuggers. The error is [ErrOutOfMemory] if the
// driver has no room, and [ErrUnsupported] for a persistent buffer that it cannot
// make.
func (c *Context) CreateBuffer(size int64, label string, usage Usage) (Buffer, error) {
	const op = "CreateBuffer"
	if err := c.fault(op); err != nil {
		return 0, err
	}
	if size <= 0 || size > math.MaxInt {
		return 0, invalid(op, "buffer %q of %d bytes", label, size)
	}
	var name uint32
	c.fn.genBuffers(1, &name)
	if name == 0 {
		return 0, c.failed(op)
	}
	c.fn.bindBuffer(copyWriteBuffer, name)
	// Binding makes the object, for which there may be no memory. The storage would
	// then replace that of the buffer bound before, which somebody may need.
	err := c.Check(op)
	if err == nil {
		err = c.allocate(size, usage)
	}
	if err != nil {
		c.fn.deleteBuffers(1, &name)
		return 0, fmt.Errorf("gl: buffer %q of %d bytes: %w", label, size, err)
	}
	c.buffers[Buffer(name)] = &bufferState{size: size, label: label, usage: usage}
	c.label(labelBuffer, name, label)
	return Buffer(name), nil
}

// allocate gives the buffer at copyWriteBuffer its storage.
func (c *Context) allocate(size int64, usage Usage) error {
	const op = "CreateBuffer"
	switch {
	case usage.persistent() && c.fn.bufferStorage == nil:
		return fmt.Errorf("%w: persistently mapped buffers", ErrUnsupported)
	case usage == UsagePersistentUpload:
		c.fn.bufferStorage(copyWriteBuffer, int(size), nil, mapPersistentBit|mapCoherentBit|mapWriteBit|dynamicStorageBit)
	case usage == UsagePersistentReadback:
		c.fn.bufferStorage(copyWriteBuffer, int(size), nil, mapPersistentBit|mapCoherentBit|mapReadBit|dynamicStorageBit)
	case usage == UsageDevice:
		c.fn.bufferData(copyWriteBuffer, int(size), nil, usageDynamicCopy)
	case usage == UsageUpload:
		c.fn.bufferData(copyWriteBuffer, int(size), nil, usageStreamDraw)
	case usage == UsageReadback:
		c.fn.bufferData(copyWriteBuffer, int(size), nil, usageStreamRead)
	default:
		return invalid(op, "usage %d is none of 0 to %d", usage, UsagePersistentReadback)
	}
	return c.Check(op)
}

// DeleteBuffer frees a buffer, unmapping it if need be. The GPU finishes what it
// does with it first. 0 and a buffer that is gone are ignored.
func (c *Context) DeleteBuffer(b Buffer) {
	if _, ok := c.buffers[b]; !ok {
		return
	}
	delete(c.buffers, b)
	name := uint32(b)
	c.fn.deleteBuffers(1, &name)
}

// BufferSize returns the bytes of a buffer, 0 if there is no such buffer.
func (c *Context) BufferSize(b Buffer) int64 {
	if s, ok := c.buffers[b]; ok {
		return s.size
	}
	return 0
}

// span checks a range of a buffer for an operation of the host.
func (c *Context) span(op string, b Buffer, offset, size int64) (*bufferState, error) {
	s, ok := c.buffers[b]
	switch {
	case !ok:
		return nil, invalid(op, "no buffer %d", b)
	case offset < 0 || size < 0 || offset > s.size-size:
		return nil, invalid(op, "%d bytes at %d of buffer %q, which has %d", size, offset, s.label, s.size)
	case s.mapped && !s.usage.persistent():
		return nil, &Error{Op: op, Code: invalidOperation, Detail: fmt.Sprintf("buffer %q is mapped", s.label)}
	}
	return s, nil
}

// Write copies src to the bytes from offset on. The driver orders it after the
// work that was submitted before.
func (c *Context) Write(b Buffer, offset int64, src []byte) error {
	const op = "Write"
	if err := c.fault(op); err != nil {
		return err
	}
	if _, err := c.span(op, b, offset, int64(len(src))); err != nil || len(src) == 0 {
		return err
	}
	c.fn.bindBuffer(copyWriteBuffer, uint32(b))
	c.fn.bufferSubData(copyWriteBuffer, int(offset), len(src), unsafe.Pointer(unsafe.SliceData(src)))
	return c.Check(op)
}

// Read copies the bytes from offset on to dst, and waits for the GPU to produce
// them. Shader writes need a [Context.Barrier] before. After a reset the error is
// [ErrDeviceLost], wherever the driver tells.
func (c *Context) Read(b Buffer, offset int64, dst []byte) error {
	const op = "Read"
	if err := c.fault(op); err != nil {
		return err
	}
	if _, err := c.span(op, b, offset, int64(len(dst))); err != nil || len(dst) == 0 {
		return err
	}
	c.fn.bindBuffer(copyReadBuffer, uint32(b))
	c.fn.getBufferSubData(copyReadBuffer, int(offset), len(dst), unsafe.Pointer(unsafe.SliceData(dst)))
	if err := c.Check(op); err != nil {
		return err
	}
	return c.ResetStatus() // a lost context need not record an error, and leaves dst as it was
}

// Copy copies size bytes on the GPU. Ranges of the same buffer must not overlap.
func (c *Context) Copy(to Buffer, toOffset int64, from Buffer, fromOffset, size int64) error {
	const op = "Copy"
	if err := c.fault(op); err != nil {
		return err
	}
	if _, err := c.span(op, from, fromOffset, size); err != nil {
		return err
	}
	if _, err := c.span(op, to, toOffset, size); err != nil || size == 0 {
		return err
	}
	if to == from && toOffset < fromOffset+size && fromOffset < toOffset+size {
		return invalid(op, "%d bytes from %d to %d of the same buffer overlap", size, fromOffset, toOffset)
	}
	c.fn.bindBuffer(copyReadBuffer, uint32(from))
	c.fn.bindBuffer(copyWriteBuffer, uint32(to))
	c.fn.copyBufferSubData(copyReadBuffer, copyWriteBuffer, int(fromOffset), int(toOffset), int(size))
	return c.Check(op)
}

// ClearBuffer fills a range with a 32-bit pattern; offset and size are multiples
// of 4 bytes.
func (c *Context) ClearBuffer(b Buffer, offset, size int64, pattern uint32) error {
	const op = "ClearBuffer"
	if err := c.fault(op); err != nil {
		return err
	}
	s, err := c.span(op, b, offset, size)
	if err != nil || size == 0 {
		return err
	}
	if offset%4 != 0 || size%4 != 0 {
		return invalid(op, "%d bytes at %d of buffer %q are not whole 32-bit words", size, offset, s.label)
	}
	c.fn.bindBuffer(copyWriteBuffer, uint32(b))
	c.fn.clearBufferSubData(copyWriteBuffer, formatR32UI, int(offset), int(size), formatRedInteger, typeUnsignedInt, unsafe.Pointer(&pattern))
	return c.Check(op)
}
