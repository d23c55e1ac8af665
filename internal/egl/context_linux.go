//go:build linux && cgo && !nogpu

package egl

// #include "egl_linux.h"
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"
)

// Attributes of EGL 1.5, sections 3.4 and 3.7.1, and of the named extensions.
const (
	attrNone             = 0x3038
	attrSurfaceType      = 0x3033
	attrRenderableType   = 0x3040
	bitOpenGL            = 0x0008
	attrMajor            = 0x3098
	attrMinor            = 0x30FB
	attrProfileMask      = 0x30FD
	bitCore              = 0x0001
	attrDebug            = 0x31B0 // EGL 1.5
	attrFlagsKHR         = 0x30FC // EGL_KHR_create_context
	flagDebugKHR         = 0x0001
	attrResetStrategy    = 0x31BD // EGL 1.5 and EGL_KHR_create_context
	attrResetStrategyEXT = 0x3138 // EGL_EXT_create_context_robustness
	loseContextOnReset   = 0x31BF
)

// Context is an OpenGL 4.3 core context without a surface. At most one thread
// may have it current at a time.
type Context struct {
	lib    *library
	dpy    *display
	robust bool

	mu     sync.Mutex
	handle unsafe.Pointer // nil once closed
}

var errClosed = errors.New("egl: context is closed")

// Open creates a context on a device that [Devices] returned. It is current
// nowhere. Errors are [*Error] values, one for each kind of context that was
// refused.
func Open(d Device, opt Options) (*Context, error) {
	l, err := load()
	if err != nil {
		return nil, err
	}
	dpy, err := l.display(d)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	c, err := l.create(dpy, opt)
	if err != nil {
		return nil, fmt.Errorf("egl: open %v: %w", d, err)
	}
	return c, nil
}

func (l *library) create(dpy *display, opt Options) (*Context, error) {
	if !dpy.atLeast15() && !dpy.extensions["EGL_KHR_create_context"] {
		return nil, fmt.Errorf("egl: version %d.%d without EGL_KHR_create_context cannot ask for OpenGL 4.3", dpy.major, dpy.minor)
	}
	if !dpy.extensions["EGL_KHR_surfaceless_context"] {
		return nil, errors.New("egl: no EGL_KHR_surfaceless_context")
	}
	config, err := l.config(dpy)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, kind := range dpy.kinds(opt) {
		var code C.int32_t
		handle := C.attn_egl_create(&l.api, dpy.handle, config, &kind.attribs[0], &code)
		if handle != nil {
			return &Context{lib: l, dpy: dpy, handle: handle, robust: kind.robust}, nil
		}
		errs = append(errs, &Error{Op: "eglCreateContext", Code: int32(code)})
	}
	return nil, errors.Join(errs...)
}

// config returns no configuration where that is allowed, and otherwise any that
// can render with OpenGL: nothing is ever drawn.
func (l *library) config(dpy *display) (unsafe.Pointer, error) {
	if dpy.extensions["EGL_KHR_no_config_context"] || dpy.extensions["EGL_MESA_configless_context"] {
		return nil, nil
	}
	// A surface type of 0 accepts configurations without any surface; the default
	// would demand windows.
	attribs := []C.int32_t{attrSurfaceType, 0, attrRenderableType, bitOpenGL, attrNone}
	var config unsafe.Pointer
	var count, code C.int32_t
	if C.attn_egl_choose(&l.api, dpy.handle, &attribs[0], &config, &count, &code) == 0 {
		return nil, &Error{Op: "eglChooseConfig", Code: int32(code)}
	}
	if count == 0 {
		return nil, errors.New("egl: no configuration for OpenGL and no EGL_KHR_no_config_context")
	}
	return config, nil
}

func (d *display) atLeast15() bool { return d.major > 1 || d.major == 1 && d.minor >= 5 }

// kind is one set of context attributes.
type kind struct {
	attribs []C.int32_t
	robust  bool
}

// kinds returns the attributes to try, in order. The last set is the plain one.
func (d *display) kinds(opt Options) []kind {
	base := []C.int32_t{attrMajor, 4, attrMinor, 3, attrProfileMask, bitCore}
	if opt.Debug {
		if d.atLeast15() {
			base = append(base, attrDebug, 1)
		} else {
			base = append(base, attrFlagsKHR, flagDebugKHR)
		}
	}
	with := func(extra ...C.int32_t) []C.int32_t {
		return append(append(base[:len(base):len(base)], extra...), attrNone)
	}
	var list []kind
	if opt.Robust {
		list = append(list, kind{with(attrResetStrategy, loseContextOnReset), true})
		// Some drivers know the extension's name of the attribute only.
		if d.extensions["EGL_EXT_create_context_robustness"] {
			list = append(list, kind{with(attrResetStrategyEXT, loseContextOnReset), true})
		}
	}
	return append(list, kind{with(), false})
}

// Robust reports whether the context tells of resets of the GPU.
func (c *Context) Robust() bool { return c.robust }

// MakeCurrent makes the context current on the calling thread, which the caller
// must have locked with [runtime.LockOSThread]. It fails with EGL_BAD_ACCESS
// while another thread has it.
func (c *Context) MakeCurrent() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.handle == nil {
		return errClosed
	}
	var code C.int32_t
	if C.attn_egl_make_current(&c.lib.api, c.dpy.handle, c.handle, &code) == 0 {
		return &Error{Op: "eglMakeCurrent", Code: int32(code)}
	}
	return nil
}

// Release makes the context no longer current on the calling thread. It does
// nothing where the context is not current.
func (c *Context) Release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.release()
}

func (c *Context) release() error {
	if c.handle == nil {
		return nil
	}
	var code C.int32_t
	if C.attn_egl_release(&c.lib.api, c.dpy.handle, c.handle, &code) == 0 {
		return &Error{Op: "eglMakeCurrent", Code: int32(code)}
	}
	return nil
}

// ProcAddress returns the entry point of an OpenGL function, or nil. An answer
// other than nil does not mean that the driver supports the function: GLVND
// makes an entry point for any name. Ask for the version and the extensions.
//
// EGL 1.5 section 3.12 makes entry points independent of the display and the
// context.
func (c *Context) ProcAddress(name string) unsafe.Pointer {
	if p := c.lib.lookup(name); p != nil {
		return p
	}
	if handle := glLibrary(); handle != nil {
		return symbol(handle, name)
	}
	return nil
}

// Close destroys the context, after releasing it from the calling thread. A
// context that is current on another thread lives until it is released there.
// Closing twice does nothing.
func (c *Context) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.handle == nil {
		return nil
	}
	err := c.release()
	var code C.int32_t
	if C.attn_egl_destroy(&c.lib.api, c.dpy.handle, c.handle, &code) == 0 {
		err = errors.Join(err, &Error{Op: "eglDestroyContext", Code: int32(code)})
	}
	c.handle = nil
	return err
}
