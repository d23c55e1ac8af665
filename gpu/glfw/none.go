//go:build !cgo || nogpu || (!windows && !(linux && glfw))

package glfw

import (
	"fmt"
	"unsafe"
)

// Context is an OpenGL context with a hidden window. This build has none.
type Context struct{ _ struct{} }

func unavailable() error {
	return fmt.Errorf("%w: this build has no GLFW (it needs cgo, no tag nogpu, and on Linux the tag glfw)", ErrUnavailable)
}

// Open fails with [ErrUnavailable].
func Open(Options) (*Context, error) { return nil, unavailable() }

// MakeCurrent fails with [ErrUnavailable].
func (c *Context) MakeCurrent() error { return unavailable() }

// Release fails with [ErrUnavailable].
func (c *Context) Release() error { return unavailable() }

// ProcAddress returns nil.
func (c *Context) ProcAddress(string) unsafe.Pointer { return nil }

// Close does nothing.
func (c *Context) Close() error { return nil }
