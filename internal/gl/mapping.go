package gl

import "unsafe"

// MapWrite gives the host a range to write, whose content before is lost, in
// memory that the driver owns. [Context.Unmap] ends its life; a persistent buffer
// may stay mapped. Reading from it is undefined.
func (c *Context) MapWrite(b Buffer, offset, size int64) ([]byte, error) {
	s, err := c.mappable("MapWrite", b, offset, size, UsagePersistentReadback)
	if err != nil {
		return nil, err
	}
	access := uint32(mapWriteBit)
	if s.usage.persistent() {
		access |= mapPersistentBit | mapCoherentBit
	} else {
		access |= mapInvalidateRangeBit
	}
	return c.mapRange("MapWrite", b, s, offset, size, access)
}

// MapRead gives the host a range to read and waits for the GPU to produce it,
// except in a persistent buffer, where a fence must have passed. Shader writes
// need a [Context.Barrier] before. Writing to it is undefined. [Context.Unmap]
// ends its life.
func (c *Context) MapRead(b Buffer, offset, size int64) ([]byte, error) {
	s, err := c.mappable("MapRead", b, offset, size, UsagePersistentUpload)
	if err != nil {
		return nil, err
	}
	access := uint32(mapReadBit)
	if s.usage.persistent() {
		access |= mapPersistentBit | mapCoherentBit
	}
	return c.mapRange("MapRead", b, s, offset, size, access)
}

// mappable checks a range to map; the wrong usage is a persistent buffer made for
// the other direction.
func (c *Context) mappable(op string, b Buffer, offset, size int64, wrong Usage) (*bufferState, error) {
	if err := c.fault(op); err != nil {
		return nil, err
	}
	s, err := c.span(op, b, offset, size)
	switch {
	case err != nil:
		return nil, err
	case size == 0:
		return nil, invalid(op, "an empty range of buffer %q", s.label)
	case s.mapped:
		return nil, &Error{Op: op, Code: invalidOperation, Detail: "buffer " + s.label + " is mapped"}
	case s.usage == wrong:
		return nil, &Error{Op: op, Code: invalidOperation, Detail: "buffer " + s.label + " was made for the other direction"}
	}
	return s, nil
}

func (c *Context) mapRange(op string, b Buffer, s *bufferState, offset, size int64, access uint32) ([]byte, error) {
	c.fn.bindBuffer(copyWriteBuffer, uint32(b))
	p := c.fn.mapBufferRange(copyWriteBuffer, int(offset), int(size), access)
	if err := c.Check(op); err != nil {
		return nil, err
	}
	if p == nil {
		if err := c.ResetStatus(); err != nil {
			return nil, err
		}
		// Not in the specification, but drivers do it when address space runs out.
		return nil, &Error{Op: op, Code: outOfMemory, Detail: "the driver returned no address"}
	}
	s.mapped = true
	return unsafe.Slice((*byte)(p), size), nil
}

// Unmap ends the life of the mapped range. A buffer that is not mapped is
// ignored. The error says that the content was lost, as after a change of the
// screen's mode, and has to be written again.
func (c *Context) Unmap(b Buffer) error {
	const op = "Unmap"
	s, ok := c.buffers[b]
	if !ok || !s.mapped {
		return nil
	}
	s.mapped = false
	c.fn.bindBuffer(copyWriteBuffer, uint32(b))
	intact := c.fn.unmapBuffer(copyWriteBuffer)
	if err := c.Check(op); err != nil {
		return err
	}
	if err := c.ResetStatus(); err != nil {
		return err
	}
	if !intact {
		return &Error{Op: op, Code: invalidOperation, Detail: "the content of buffer " + s.label + " was lost while it was mapped"}
	}
	return nil
}
