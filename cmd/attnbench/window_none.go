//go:build !cgo || nogpu || (!windows && !(linux && glfw))

package main

import "github.com/glattn/attention/gpu"

// window is nil: this build has no windows to draw behind.
var window func() (gpu.ContextProvider, error)
