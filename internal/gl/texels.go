package gl

// Texels is a view of a buffer that shaders read through a buffer sampler. Where
// loads of storage buffers are slow, as on llvmpipe, these are many times faster.
type Texels uint32

// TexelFormat says what a texel is.
type TexelFormat int

// The formats: four float32, or two uint32, which hold four 16-bit numbers.
const (
	TexelsFloat4 TexelFormat = iota
	TexelsUint2
)

// CreateTexels makes a view of size bytes of b from offset on, whole texels of format.
// The offset is a multiple of 256 bytes, which is enough for every device.
func (c *Context) CreateTexels(b Buffer, offset, size int64, format TexelFormat) (Texels, error) {
	const op = "CreateTexels"
	if err := c.fault(op); err != nil {
		return 0, err
	}
	if _, err := c.span(op, b, offset, size); err != nil {
		return 0, err
	}
	internal, bytes := uint32(formatRGBA32F), int64(16)
	if format == TexelsUint2 {
		internal, bytes = formatRG32UI, 8
	}
	if offset%256 != 0 {
		return 0, invalid(op, "offset %d is no multiple of 256 bytes", offset)
	}
	if size <= 0 || size%bytes != 0 || size/bytes > int64(c.info.Limits.MaxTexels) {
		return 0, invalid(op, "%d bytes, the limit is %d texels of %d bytes", size, c.info.Limits.MaxTexels, bytes)
	}
	var name uint32
	c.fn.genTextures(1, &name)
	if name == 0 {
		return 0, c.failed(op)
	}
	c.fn.activeTexture(texture0)
	c.fn.bindTexture(textureBuffer, name)
	c.fn.texBufferRange(textureBuffer, internal, uint32(b), int(offset), int(size))
	if err := c.Check(op); err != nil {
		c.fn.deleteTextures(1, &name)
		return 0, err
	}
	return Texels(name), nil
}

// BindTexels makes t what the sampler of the given binding reads.
func (c *Context) BindTexels(binding uint32, t Texels) {
	c.fn.activeTexture(texture0 + binding)
	c.fn.bindTexture(textureBuffer, uint32(t))
}

// DeleteTexels releases the view, not the buffer.
func (c *Context) DeleteTexels(t Texels) {
	if t != 0 {
		name := uint32(t)
		c.fn.deleteTextures(1, &name)
	}
}
