package gl

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrUnavailable reports that there is no OpenGL 4.3: in this build, or from
	// this driver.
	ErrUnavailable = errors.New("gl: unavailable")
	// ErrOutOfMemory reports that the driver could not allocate.
	ErrOutOfMemory = errors.New("gl: out of memory")
	// ErrDeviceLost reports that the GPU was reset or went away. The context and
	// all that it holds are gone for good.
	ErrDeviceLost = errors.New("gl: device lost")
	// ErrBinary reports that the driver does not take a program binary, which is
	// normal after it was updated, or cannot make one.
	ErrBinary = errors.New("gl: program binary refused")
	// ErrUnsupported reports that this driver lacks an optional feature.
	ErrUnsupported = errors.New("gl: unsupported by the driver")
)

// Error is a GL error code and the operation after which it was found.
type Error struct {
	Op     string
	Code   uint32
	Detail string // the offending value and its limit, where they are known
}

// Name returns OpenGL's name of the code, such as GL_INVALID_VALUE.
func (e *Error) Name() string {
	if name, ok := codeNames[e.Code]; ok {
		return name
	}
	return fmt.Sprintf("0x%04X", e.Code)
}

func (e *Error) Error() string {
	s := "gl: " + e.Op + ": " + e.Name()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Is makes the two codes that callers decide upon match their sentinels.
func (e *Error) Is(target error) bool {
	switch e.Code {
	case outOfMemory:
		return target == ErrOutOfMemory
	case contextLost, guiltyContextReset, innocentContextReset, unknownContextReset:
		return target == ErrDeviceLost
	default:
		return false
	}
}

var codeNames = map[uint32]string{
	invalidEnum: "GL_INVALID_ENUM", invalidValue: "GL_INVALID_VALUE",
	invalidOperation: "GL_INVALID_OPERATION", stackOverflow: "GL_STACK_OVERFLOW",
	stackUnderflow: "GL_STACK_UNDERFLOW", outOfMemory: "GL_OUT_OF_MEMORY",
	invalidFramebufferOperation: "GL_INVALID_FRAMEBUFFER_OPERATION", contextLost: "GL_CONTEXT_LOST",
	guiltyContextReset: "GL_GUILTY_CONTEXT_RESET", innocentContextReset: "GL_INNOCENT_CONTEXT_RESET",
	unknownContextReset: "GL_UNKNOWN_CONTEXT_RESET",
}

// CompileError is a shader that the driver refused.
type CompileError struct {
	Stage  string // "compile" or "link"
	Log    string // the driver's words
	Source string // as it was handed over
}

func (e *CompileError) Error() string {
	log := strings.TrimSpace(e.Log)
	if log == "" {
		log = "the driver gives no reason"
	}
	return "gl: " + e.Stage + ": " + log
}

// maxDrain bounds the errors read at once: without a current context, and in a
// lost one, some drivers report an error for ever.
const maxDrain = 16

// Check returns the errors that the driver has recorded since it was asked last,
// or nil: an [*Error], or several joined. The operation names what was going on,
// not necessarily the call that failed.
func (c *Context) Check(op string) error {
	var errs []error
	for range maxDrain {
		code := c.fn.getError()
		if code == noError {
			break
		}
		errs = append(errs, &Error{Op: op, Code: code})
		if code == contextLost {
			break
		}
	}
	if len(errs) == 0 {
		return nil
	}
	// What looks like any error may be the first sign of a loss.
	if err := c.ResetStatus(); err != nil {
		errs = append(errs, err)
	}
	var err error = errs[0]
	if len(errs) > 1 {
		err = errors.Join(errs...)
	}
	if c.lost == nil && errors.Is(err, ErrDeviceLost) {
		c.lost = err
	}
	return err
}

// Forget throws away errors that somebody else left in the context.
func (c *Context) Forget() {
	for range maxDrain {
		if code := c.fn.getError(); code == noError || code == contextLost {
			return
		}
	}
}

// ResetStatus returns an error that is [ErrDeviceLost] once the GPU was reset. It
// is nil where [Info.Robust] is false: such a context is told nothing. A driver
// reports no reset any more once the reset is over, although the context stays
// lost; here the first answer stays.
func (c *Context) ResetStatus() error {
	if c.lost != nil || !c.info.Robust {
		return c.lost
	}
	if code := c.fn.getGraphicsResetStatus(); code != noError {
		c.lost = &Error{Op: "ResetStatus", Code: code}
	}
	return c.lost
}

// invalid is the error for an argument that is refused before the driver sees it.
func invalid(op, format string, args ...any) error {
	return &Error{Op: op, Code: invalidValue, Detail: fmt.Sprintf(format, args...)}
}
