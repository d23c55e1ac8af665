package gl

import "math"

// Compilation is a shader on its way through the compiler and the linker.
type Compilation struct {
	c               *Context
	src             string
	shader, program uint32
}

// AllowCompilerThreads lets the driver use as many threads as it likes for compiling,
// which some do only when told. It is a setting of the context.
func (c *Context) AllowCompilerThreads() {
	if c.fn.compilerThreads != nil {
		c.fn.compilerThreads(math.MaxUint32)
	}
}

// StartCompile hands a compute shader to the driver. One with
// [Info.ParallelCompile] works on several at a time and on threads of its own;
// others do all the work here or in [Compilation.Finish]. End it by Finish or
// Cancel.
func (c *Context) StartCompile(src string) (*Compilation, error) {
	const op = "CompileCompute"
	if err := c.fault(op); err != nil {
		return nil, err
	}
	k := &Compilation{c: c, src: src}
	if k.shader = c.fn.createShader(computeShader); k.shader == 0 {
		return nil, c.failed(op)
	}
	c.fn.shaderSource(k.shader, src)
	c.fn.compileShader(k.shader)
	if k.program = c.fn.createProgram(); k.program == 0 {
		k.Cancel()
		return nil, c.failed(op)
	}
	// Without the hint a driver may keep nothing that Binary could return.
	c.fn.programParameteri(k.program, programBinaryRetrievableHint, glTrue)
	c.fn.attachShader(k.program, k.shader)
	// Whether the shader compiled is not asked before, since the answer would wait
	// for it; linking one that did not is no GL error.
	c.fn.linkProgram(k.program)
	return k, nil
}

// Done reports whether Finish would not wait. It is true where the driver does
// not tell, and after a loss.
func (k *Compilation) Done() bool {
	if !k.c.info.ParallelCompile || k.c.ResetStatus() != nil {
		return true
	}
	done := int32(glTrue) // where the call fails, Finish finds out why
	k.c.fn.getProgramiv(k.program, completionStatus, &done)
	return done == glTrue
}

// Finish waits for the program. The error is a [*CompileError] if the driver
// refused the source.
func (k *Compilation) Finish() (Program, error) {
	const op = "CompileCompute"
	c := k.c
	defer k.Cancel()
	if c.lost != nil {
		return 0, c.lost
	}
	var ok int32
	c.fn.getShaderiv(k.shader, compileStatus, &ok)
	if ok != glTrue {
		return 0, c.refused(op, "compile", k.src, readLog(k.shader, c.fn.getShaderiv, c.fn.getShaderInfoLog))
	}
	c.fn.getProgramiv(k.program, linkStatus, &ok)
	if ok != glTrue {
		return 0, c.refused(op, "link", k.src, readLog(k.program, c.fn.getProgramiv, c.fn.getProgramInfoLog))
	}
	c.fn.detachShader(k.program, k.shader)
	if err := c.Check(op); err != nil {
		return 0, err
	}
	made := Program(k.program)
	k.program = 0
	return made, nil
}

// Cancel throws away what Finish did not return. Doing so twice does nothing.
func (k *Compilation) Cancel() {
	if k.program != 0 {
		k.c.fn.deleteProgram(k.program)
	}
	if k.shader != 0 {
		k.c.fn.deleteShader(k.shader)
	}
	k.program, k.shader = 0, 0
}
