package gl

// State is what a Context's methods change in the OpenGL context that is current,
// apart from objects: for contexts that belong to somebody else too.
type State struct {
	program                                int32
	copyRead, copyWrite, storage, uniforms int32
	activeTexture                          int32
	textures                               [savedUnits]int32
	storageAt                              [savedStorage]indexed
	uniformsAt                             [SavedUniforms]indexed
}

// indexed is a buffer bound to a number.
type indexed struct {
	buffer      int32
	start, size int64 // size 0 is the whole buffer
}

// The bindings that are saved, from 0 on: all that the shaders of this module use.
const (
	savedStorage = 16
	// SavedUniforms counts the uniform bindings that State holds, from 0 on. Parameters are
	// at 8, since Vulkan's rules number all kinds of buffers together.
	SavedUniforms = 9
	savedUnits    = 4
)

// Save returns the state for Restore.
func (c *Context) Save() *State {
	s := &State{
		program:  int32(c.integer(currentProgram)),
		copyRead: int32(c.integer(copyReadBuffer)), copyWrite: int32(c.integer(copyWriteBuffer)), // the names of the targets ask for their bindings
		storage: int32(c.integer(shaderStorageBufferBinding)), uniforms: int32(c.integer(uniformBufferBinding)),
		activeTexture: int32(c.integer(activeTexture)),
	}
	for unit := range s.textures {
		c.fn.activeTexture(texture0 + uint32(unit))
		s.textures[unit] = int32(c.integer(textureBindingBuffer))
	}
	c.fn.activeTexture(uint32(s.activeTexture))
	for n := range s.storageAt[:min(savedStorage, c.info.Limits.MaxSSBOBindings)] {
		s.storageAt[n] = c.indexed(uint32(n), shaderStorageBufferBinding)
	}
	for n := range s.uniformsAt[:min(SavedUniforms, c.info.Limits.MaxUBOBindings)] {
		s.uniformsAt[n] = c.indexed(uint32(n), uniformBufferBinding)
	}
	return s
}

// indexed asks for a binding; start and size follow it in the registry.
func (c *Context) indexed(n, binding uint32) (at indexed) {
	c.fn.getIntegeriv(binding, n, &at.buffer)
	c.fn.getInteger64iv(binding+1, n, &at.start)
	c.fn.getInteger64iv(binding+2, n, &at.size)
	return at
}

// Restore brings back what Save found. Objects that were deleted since, or programs
// whose deletion waited for them to be replaced, cannot be.
func (c *Context) Restore(s *State) error {
	for n, at := range s.storageAt[:min(savedStorage, c.info.Limits.MaxSSBOBindings)] {
		c.restore(shaderStorageBuffer, uint32(n), at)
	}
	for n, at := range s.uniformsAt[:min(SavedUniforms, c.info.Limits.MaxUBOBindings)] {
		c.restore(uniformBuffer, uint32(n), at)
	}
	// Binding to a number binds to the target itself too, so these come after.
	c.fn.bindBuffer(shaderStorageBuffer, uint32(s.storage))
	c.fn.bindBuffer(uniformBuffer, uint32(s.uniforms))
	c.fn.bindBuffer(copyReadBuffer, uint32(s.copyRead))
	c.fn.bindBuffer(copyWriteBuffer, uint32(s.copyWrite))
	for unit, texture := range s.textures {
		c.fn.activeTexture(texture0 + uint32(unit))
		c.fn.bindTexture(textureBuffer, uint32(texture))
	}
	c.fn.activeTexture(uint32(s.activeTexture))
	c.fn.useProgram(uint32(s.program))
	return c.Check("Restore")
}

func (c *Context) restore(target, n uint32, at indexed) {
	if at.size == 0 {
		c.fn.bindBufferBase(target, n, uint32(at.buffer))
		return
	}
	c.fn.bindBufferRange(target, n, uint32(at.buffer), int(at.start), int(at.size))
}

// Current reports whether any context is current on the calling thread, as far as
// the driver can tell.
func (c *Context) Current() bool { return c.fn.getString(version) != "" }
