package gl

import "unsafe"

// functions are the entry points in use, filled by the build that has them. A
// table instead of direct calls keeps everything above it free of build tags and
// lets a test put a driver that loses its context underneath.
type functions struct {
	getError               func() uint32
	getGraphicsResetStatus func() uint32 // nil without robustness
	getString              func(name uint32) string
	getStringi             func(name, index uint32) string
	getIntegerv            func(name uint32, data *int32)
	getIntegeriv           func(name, index uint32, data *int32)
	getInteger64v          func(name uint32, data *int64)
	getInteger64iv         func(name, index uint32, data *int64)

	genBuffers         func(n int32, buffers *uint32)
	deleteBuffers      func(n int32, buffers *uint32)
	bindBuffer         func(target, buffer uint32)
	bindBufferBase     func(target, index, buffer uint32)
	bindBufferRange    func(target, index, buffer uint32, offset, size int)
	bufferData         func(target uint32, size int, data unsafe.Pointer, usage uint32)
	bufferStorage      func(target uint32, size int, data unsafe.Pointer, flags uint32) // nil without ARB_buffer_storage
	bufferSubData      func(target uint32, offset, size int, data unsafe.Pointer)
	getBufferSubData   func(target uint32, offset, size int, data unsafe.Pointer)
	copyBufferSubData  func(from, to uint32, fromOffset, toOffset, size int)
	clearBufferSubData func(target, internal uint32, offset, size int, format, kind uint32, data unsafe.Pointer)
	mapBufferRange     func(target uint32, offset, size int, access uint32) unsafe.Pointer
	unmapBuffer        func(target uint32) bool

	genTextures    func(n int32, textures *uint32)
	deleteTextures func(n int32, textures *uint32)
	activeTexture  func(unit uint32)
	bindTexture    func(target, texture uint32)
	texBufferRange func(target, internal, buffer uint32, offset, size int)

	createShader      func(kind uint32) uint32
	shaderSource      func(shader uint32, src string)
	compileShader     func(shader uint32)
	compilerThreads   func(count uint32) // nil without parallel_shader_compile
	getShaderiv       func(shader, name uint32, data *int32)
	getShaderInfoLog  func(shader uint32, size int32, length *int32, log *uint8)
	deleteShader      func(shader uint32)
	createProgram     func() uint32
	attachShader      func(program, shader uint32)
	detachShader      func(program, shader uint32)
	programParameteri func(program, name uint32, value int32)
	linkProgram       func(program uint32)
	getProgramiv      func(program, name uint32, data *int32)
	getProgramInfoLog func(program uint32, size int32, length *int32, log *uint8)
	getProgramBinary  func(program uint32, size int32, length *int32, format *uint32, data unsafe.Pointer)
	programBinary     func(program, format uint32, data unsafe.Pointer, size int32)
	deleteProgram     func(program uint32)
	useProgram        func(program uint32)
	objectLabel       func(kind, name uint32, length int32, label *uint8)

	getProgramInterfaceiv   func(program, iface, name uint32, data *int32)
	getProgramResourceIndex func(program, iface uint32, name *uint8) uint32
	getProgramResourceName  func(program, iface, index uint32, size int32, length *int32, name *uint8)
	getProgramResourceiv    func(program, iface, index uint32, nprops int32, props *uint32, size int32, length, data *int32)

	dispatchCompute func(x, y, z uint32)
	memoryBarrier   func(bits uint32)
	flush           func()
	finish          func()
	fenceSync       func(condition, flags uint32) uintptr
	clientWaitSync  func(sync uintptr, flags uint32, nanoseconds uint64) uint32
	deleteSync      func(sync uintptr)

	genQueries          func(n int32, ids *uint32)
	deleteQueries       func(n int32, ids *uint32)
	beginQuery          func(target, id uint32)
	endQuery            func(target uint32)
	getQueryiv          func(target, name uint32, data *int32)
	getQueryObjectiv    func(id, name uint32, data *int32)
	getQueryObjectui64v func(id, name uint32, data *uint64)

	enable              func(capability uint32)
	disable             func(capability uint32)
	debugMessageControl func(source, kind, severity uint32, count int32, ids *uint32, enabled bool)
	// setDebugHandler installs the handler in the current context; nil removes it.
	// What it returns frees the handler, after the context is gone or another one
	// was installed.
	setDebugHandler func(func(source, kind, id, severity uint32, text string)) (free func())
}
