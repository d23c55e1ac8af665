package gl

import (
	"fmt"
	"unsafe"
)

// Program is the name of a linked compute program. 0 is none.
type Program uint32

// CompileCompute compiles and links one compute shader. The error is a
// [*CompileError] if the driver refuses the source.
func (c *Context) CompileCompute(src string) (Program, error) {
	k, err := c.StartCompile(src)
	if err != nil {
		return 0, err
	}
	return k.Finish()
}

// refused tells a source that is wrong from a driver that was lost or out of
// memory while it compiled.
func (c *Context) refused(op, stage, src, log string) error {
	err := c.Check(op)
	if err == nil {
		err = c.ResetStatus()
	}
	if err != nil {
		return fmt.Errorf("%w; %s: %s", err, stage, log) // not a CompileError, which callers remember
	}
	return &CompileError{Stage: stage, Log: log, Source: src}
}

// failed is the error of a call that returned no object.
func (c *Context) failed(op string) error {
	if err := c.Check(op); err != nil {
		return err
	}
	if err := c.ResetStatus(); err != nil {
		return err
	}
	return &Error{Op: op, Code: invalidOperation, Detail: "the driver returned no object"}
}

// readLog reads the log of a shader or a program.
func readLog(name uint32, geti func(name, param uint32, data *int32), get func(name uint32, size int32, length *int32, log *uint8)) string {
	var size int32
	geti(name, infoLogLength, &size)
	if size <= 0 {
		return ""
	}
	log := make([]byte, size)
	get(name, size, &size, &log[0])
	return string(log[:size])
}

// DeleteProgram frees a program. 0 is ignored.
func (c *Context) DeleteProgram(p Program) {
	if p != 0 {
		c.fn.deleteProgram(uint32(p))
	}
}

// Binary returns a program in the driver's own format, for [Context.LoadBinary].
// The error is [ErrBinary] if the driver has no format.
func (c *Context) Binary(p Program) (format uint32, data []byte, err error) {
	const op = "Binary"
	if err := c.fault(op); err != nil {
		return 0, nil, err
	}
	if c.integer(numProgramBinaryFormats) == 0 {
		return 0, nil, fmt.Errorf("%w: the driver has no format", ErrBinary)
	}
	var size int32
	c.fn.getProgramiv(uint32(p), programBinaryLength, &size)
	if err := c.Check(op); err != nil {
		return 0, nil, err
	}
	if size <= 0 {
		return 0, nil, fmt.Errorf("%w: the driver gives no binary of this program", ErrBinary)
	}
	data = make([]byte, size)
	c.fn.getProgramBinary(uint32(p), size, &size, &format, unsafe.Pointer(&data[0]))
	if err := c.Check(op); err != nil {
		return 0, nil, err
	}
	return format, data[:size], nil
}

// LoadBinary makes a program of what [Context.Binary] returned. The error is
// [ErrBinary] if the driver does not take it: compile the source then. A binary
// must be known to be whole before it is handed over, since not every driver
// checks it.
func (c *Context) LoadBinary(format uint32, data []byte) (Program, error) {
	const op = "LoadBinary"
	if err := c.fault(op); err != nil {
		return 0, err
	}
	if len(data) == 0 {
		return 0, fmt.Errorf("%w: it is empty", ErrBinary)
	}
	program := c.fn.createProgram()
	if program == 0 {
		return 0, c.failed(op)
	}
	c.fn.programBinary(program, format, unsafe.Pointer(&data[0]), int32(len(data)))
	var ok int32
	c.fn.getProgramiv(program, linkStatus, &ok)
	// An unknown format is a GL error too, which must not surface later.
	err := c.Check(op)
	if ok == glTrue && err == nil {
		return Program(program), nil
	}
	log := readLog(program, c.fn.getProgramiv, c.fn.getProgramInfoLog)
	c.fn.deleteProgram(program)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrBinary, err)
	}
	return 0, fmt.Errorf("%w: format 0x%04X, %d bytes: %s", ErrBinary, format, len(data), log)
}
