//go:build cgo && !nogpu && (windows || (linux && glfw))

package glfw

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/go-gl/glfw/v3.3/glfw"
)

// Context is an OpenGL 4.3 core context with a hidden window.
type Context struct {
	mu     sync.Mutex
	window *glfw.Window // nil once closed
}

var errClosed = errors.New("glfw: context is closed")

// library guards what GLFW keeps for the whole process: its initialisation and
// the hints for the next window. It is never terminated, because that would
// destroy the windows of others in the same program.
var library struct {
	sync.Mutex
	ready bool
}

// Open creates a hidden window with a context, which is current nowhere. The
// error wraps [ErrUnavailable] and what GLFW said. See the package comment for the
// thread to call it on.
func Open(opt Options) (*Context, error) {
	library.Lock()
	defer library.Unlock()
	if !library.ready {
		if err := guard("init", initialise); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		library.ready = true
	}
	window, err := create(opt)
	if err != nil && opt.Robust {
		var plain error
		if window, plain = create(Options{Debug: opt.Debug}); plain == nil {
			err = nil
		} else {
			err = errors.Join(err, plain)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return &Context{window: window}, nil
}

// initialise finds out whether it worked by using GLFW: go-gl/glfw writes what the
// platform refused, such as a missing DISPLAY, to the log and returns nil.
func initialise() error {
	if err := glfw.Init(); err != nil {
		return err
	}
	glfw.DefaultWindowHints()
	return nil
}

func create(opt Options) (window *glfw.Window, err error) {
	err = guard("create window", func() error {
		glfw.DefaultWindowHints()
		defer glfw.DefaultWindowHints()
		glfw.WindowHint(glfw.Visible, glfw.False)
		glfw.WindowHint(glfw.ClientAPI, glfw.OpenGLAPI)
		glfw.WindowHint(glfw.ContextVersionMajor, 4)
		glfw.WindowHint(glfw.ContextVersionMinor, 3)
		glfw.WindowHint(glfw.OpenGLProfile, glfw.OpenGLCoreProfile)
		if opt.Debug {
			glfw.WindowHint(glfw.OpenGLDebugContext, glfw.True)
		}
		if opt.Robust {
			glfw.WindowHint(glfw.ContextRobustness, glfw.LoseContextOnReset)
		}
		window, err = glfw.CreateWindow(1, 1, "attention", nil, nil)
		if err == nil && window == nil {
			err = errors.New("the platform refused the window")
		}
		return err
	})
	return window, err
}

// MakeCurrent makes the context current on the calling thread, which the caller
// must have locked with [runtime.LockOSThread].
func (c *Context) MakeCurrent() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.window == nil {
		return errClosed
	}
	return guard("make current", func() error {
		c.window.MakeContextCurrent()
		// The platform's refusal goes to the log of go-gl/glfw instead of to us.
		if glfw.GetCurrentContext() != c.window {
			return errors.New("the platform refused")
		}
		return nil
	})
}

// Release makes the context no longer current on the calling thread. It does
// nothing where the context is not current.
func (c *Context) Release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.release()
}

func (c *Context) release() error {
	if c.window == nil {
		return nil
	}
	return guard("release", func() error {
		if glfw.GetCurrentContext() == c.window {
			glfw.DetachCurrentContext()
		}
		return nil
	})
}

// ProcAddress returns the entry point of an OpenGL function, or nil. The context
// must be current on the calling thread. An answer other than nil does not mean
// that the driver supports the function.
func (c *Context) ProcAddress(name string) (p unsafe.Pointer) {
	if guard("function "+name, func() error { p = glfw.GetProcAddress(name); return nil }) != nil {
		return nil
	}
	return p
}

// Close destroys the context and its window, after releasing it from the calling
// thread, which must be the one that called [Open]; no other thread may have the
// context current. Closing twice does nothing.
func (c *Context) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.window == nil {
		return nil
	}
	err := errors.Join(c.release(), guard("destroy window", func() error { c.window.Destroy(); return nil }))
	c.window = nil
	return err
}

// guard runs calls of go-gl/glfw, which panics where GLFW reports a mistake, and
// returns the panic as an error.
func guard(op string, call func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case error:
			err = fmt.Errorf("glfw: %s: %w", op, p)
		default:
			err = fmt.Errorf("glfw: %s: %v", op, p)
		}
	}()
	if err := call(); err != nil {
		return fmt.Errorf("glfw: %s: %w", op, err)
	}
	return nil
}
