//go:build !linux || !cgo || nogpu

package egl

import (
	"fmt"
	"unsafe"
)

// Context is an OpenGL context without a window. This build has none.
type Context struct{ _ struct{} }

func unavailable() error {
	return fmt.Errorf("%w: this build has no EGL (it needs linux, cgo, and no tag nogpu)", ErrUnavailable)
}

// Devices fails with [ErrUnavailable].
func Devices() ([]Device, error) { return nil, unavailable() }

// Open fails with [ErrUnavailable].
func Open(Device, Options) (*Context, error) { return nil, unavailable() }

// MakeCurrent fails with [ErrUnavailable].
func (c *Context) MakeCurrent() error { return unavailable() }

// Release fails with [ErrUnavailable].
func (c *Context) Release() error { return unavailable() }

// ProcAddress returns nil.
func (c *Context) ProcAddress(string) unsafe.Pointer { return nil }

// Robust returns false.
func (c *Context) Robust() bool { return false }

// Close does nothing.
func (c *Context) Close() error { return nil }
