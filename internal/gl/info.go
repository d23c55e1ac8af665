package gl

import (
	"fmt"
	"strings"
)

// Info is what a driver says of itself.
type Info struct {
	Vendor, Renderer, Version, GLSL string // as reported
	Major, Minor                    int    // of OpenGL
	Extensions                      map[string]bool
	// Software is set for a rasteriser that runs on the CPU, judged by its name.
	Software bool
	// Persistent is set if buffers can stay mapped while the GPU works on them.
	Persistent bool
	// Robust is set if [Context.ResetStatus] would tell of a reset.
	Robust bool
	// ParallelCompile is set if the driver compiles several shaders at a time and
	// says when it is through.
	ParallelCompile bool
	// Timer is set if [Context.NewTimer] measures.
	Timer  bool
	Limits Limits
}

// Has reports whether the driver has an extension, such as GL_ARB_buffer_storage.
func (i Info) Has(extension string) bool { return i.Extensions[extension] }

// Limits are the sizes that a compute shader has to keep to.
type Limits struct {
	MaxSharedBytes  int    // shared memory of a work group, bytes
	MaxInvocations  int    // invocations of a work group
	MaxGroupCount   [3]int // work groups of a dispatch, by axis
	MaxGroupSize    [3]int // invocations of a work group, by axis
	MaxSSBOBytes    int64  // the range of one storage binding, bytes
	MaxSSBOBindings int    // storage buffers that a compute shader can use
	SSBOAlign       int    // of the offset of a storage binding, bytes
	MaxTexels       int    // texels of a buffer that a sampler can read
	MaxUBOBytes     int    // the range of one uniform binding, bytes
	MaxUBOBindings  int    // uniform buffers that a compute shader can use
	UBOAlign        int    // of the offset of a uniform binding, bytes
	MaxLabel        int    // length of a debug label, bytes and a terminator
}

// query fills c.info and refuses anything older than OpenGL 4.3.
func (c *Context) query() error {
	fn := c.fn
	c.info = Info{
		Vendor: fn.getString(vendor), Renderer: fn.getString(renderer),
		Version: fn.getString(version), GLSL: fn.getString(shadingLanguageVersion),
		Major: c.integer(majorVersion), Minor: c.integer(minorVersion),
	}
	i := &c.info
	if i.Version == "" {
		return fmt.Errorf("%w: no OpenGL context is current on this thread", ErrUnavailable)
	}
	if !atLeast(fn, 4, 3) {
		return fmt.Errorf("%w: the driver has OpenGL %d.%d (%s), 4.3 is needed", ErrUnavailable, i.Major, i.Minor, i.Renderer)
	}
	i.Extensions = extensionSet(fn)
	i.Software = software(i.Renderer)
	i.Persistent = fn.bufferStorage != nil
	i.Robust = fn.getGraphicsResetStatus != nil && c.integer(resetNotificationStrategy) == loseContextOnReset
	i.ParallelCompile = fn.compilerThreads != nil
	var bits int32
	fn.getQueryiv(timeElapsed, queryCounterBits, &bits)
	i.Timer = bits > 0
	i.Limits = c.limits()
	if err := c.Check("Load"); err != nil {
		return err
	}
	// A context that was lost meanwhile answers nothing, not even that it is robust.
	if fn.getGraphicsResetStatus != nil {
		if code := fn.getGraphicsResetStatus(); code != noError {
			return &Error{Op: "Load", Code: code}
		}
	}
	return nil
}

func (c *Context) limits() Limits {
	l := Limits{
		MaxSharedBytes:  c.integer(maxComputeSharedMemorySize),
		MaxInvocations:  c.integer(maxComputeWorkGroupInvocations),
		MaxSSBOBindings: min(c.integer(maxComputeShaderStorageBlocks), c.integer(maxShaderStorageBufferBindings)),
		SSBOAlign:       max(1, c.integer(shaderStorageBufferOffsetAlign)),
		MaxTexels:       c.integer(maxTextureBufferSize),
		MaxUBOBytes:     c.integer(maxUniformBlockSize),
		MaxUBOBindings:  min(c.integer(maxComputeUniformBlocks), c.integer(maxUniformBufferBindings)),
		UBOAlign:        max(1, c.integer(uniformBufferOffsetAlign)),
		MaxLabel:        c.integer(maxLabelLength),
	}
	// The only limit that drivers report beyond 2³¹.
	c.fn.getInteger64v(maxShaderStorageBlockSize, &l.MaxSSBOBytes)
	for axis := range 3 {
		var count, size int32
		c.fn.getIntegeriv(maxComputeWorkGroupCount, uint32(axis), &count)
		c.fn.getIntegeriv(maxComputeWorkGroupSize, uint32(axis), &size)
		l.MaxGroupCount[axis], l.MaxGroupSize[axis] = int(count), int(size)
	}
	return l
}

func (c *Context) integer(name uint32) int { return integer(c.fn, name) }

func integer(fn *functions, name uint32) int {
	var v int32
	fn.getIntegerv(name, &v)
	return int(v)
}

func atLeast(fn *functions, major, minor int) bool {
	have := integer(fn, majorVersion)
	return have > major || have == major && integer(fn, minorVersion) >= minor
}

func extensionSet(fn *functions) map[string]bool {
	set := map[string]bool{}
	for i := range integer(fn, numExtensions) {
		if name := fn.getStringi(extensions, uint32(i)); name != "" {
			set[name] = true
		}
	}
	return set
}

// softwareNames are what the renderer strings of software rasterisers contain.
// Zink and the Direct3D 12 driver put the name of the device below them into
// theirs, so that a Vulkan or Direct3D rasteriser underneath shows too.
var softwareNames = []string{
	"llvmpipe", "lavapipe", "softpipe", "swrast", "software rasterizer", "swr (",
	"swiftshader", "microsoft basic render", "gdi generic", "apple software renderer",
}

func software(renderer string) bool {
	renderer = strings.ToLower(renderer)
	for _, name := range softwareNames {
		if strings.Contains(renderer, name) {
			return true
		}
	}
	return false
}
