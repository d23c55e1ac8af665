// Package egl opens OpenGL 4.3 core contexts that need no window and no X server.
//
// libEGL is loaded with dlopen when it is first asked for, so that a program
// that links this package starts, and runs on the CPU, on a machine without any
// OpenGL library. Everything here then fails with [ErrUnavailable].
//
// Three kinds of display are tried: the devices of EGL_EXT_platform_device (the
// way to a GPU on a server, each one selectable), Mesa's surfaceless platform,
// and the default display.
//
// The package works on Linux with cgo. Elsewhere, and with the build tag nogpu,
// the same functions exist and report [ErrUnavailable].
package egl
