package gl

// BindStorage makes a range of a buffer the storage buffer of a binding number.
// It asks no glGetError: the arguments are checked against [Limits] here.
func (c *Context) BindStorage(binding uint32, b Buffer, offset, size int64) error {
	const op = "BindStorage"
	l := &c.info.Limits
	if size > l.MaxSSBOBytes {
		return invalid(op, "range of %d bytes, the limit is %d", size, l.MaxSSBOBytes)
	}
	return c.bindRange(op, shaderStorageBuffer, binding, l.MaxSSBOBindings, b, offset, size, l.SSBOAlign)
}

// BindUniform makes a range of a buffer the uniform buffer of a binding number.
// It asks no glGetError: the arguments are checked against [Limits] here.
func (c *Context) BindUniform(binding uint32, b Buffer, offset, size int64) error {
	const op = "BindUniform"
	l := &c.info.Limits
	if size > int64(l.MaxUBOBytes) {
		return invalid(op, "range of %d bytes, the limit is %d", size, l.MaxUBOBytes)
	}
	return c.bindRange(op, uniformBuffer, binding, l.MaxUBOBindings, b, offset, size, l.UBOAlign)
}

func (c *Context) bindRange(op string, target, binding uint32, bindings int, b Buffer, offset, size int64, align int) error {
	if err := c.fault(op); err != nil {
		return err
	}
	s, err := c.span(op, b, offset, size)
	switch {
	case err != nil:
		return err
	case int64(binding) >= int64(bindings):
		return invalid(op, "binding %d, the limit is %d", binding, bindings-1)
	case size == 0:
		return invalid(op, "an empty range of buffer %q", s.label)
	case offset%int64(align) != 0:
		return invalid(op, "offset %d of buffer %q, the alignment is %d", offset, s.label, align)
	}
	c.fn.bindBufferRange(target, binding, uint32(b), int(offset), int(size))
	return nil
}
