//go:build cgo && !nogpu && (windows || (linux && glfw))

package main

import (
	"fmt"
	"unsafe"

	"github.com/glattn/attention"
	"github.com/glattn/attention/gpu"
	"github.com/glattn/attention/gpu/glfw"
)

// window opens a context behind a hidden window, where EGL has none.
var window = func() (gpu.ContextProvider, error) { return new(hidden), nil }

// hidden opens its window when it is first made current, since GLFW wants a window
// made and destroyed on one thread, which is the one that the backend runs on.
type hidden struct{ context *glfw.Context }

func (h *hidden) MakeCurrent() error {
	if h.context == nil {
		c, err := glfw.Open(glfw.Options{Robust: true})
		if err != nil {
			return fmt.Errorf("%w: %w", attention.ErrUnavailable, err)
		}
		h.context = c
	}
	return h.context.MakeCurrent()
}

func (h *hidden) Release() error {
	if h.context == nil {
		return nil
	}
	return h.context.Release()
}

func (h *hidden) ProcAddress(name string) unsafe.Pointer {
	if h.context == nil {
		return nil
	}
	return h.context.ProcAddress(name)
}

func (h *hidden) Close() error {
	if h.context == nil {
		return nil
	}
	return h.context.Close()
}
