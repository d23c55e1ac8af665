// Package glfw opens OpenGL 4.3 core contexts behind a hidden window, by GLFW 3.3.
// It is the way to a GPU on Windows, and to the one behind a desktop's window
// system. On a server, and wherever EGL works, no window is needed.
//
// On Linux the package links libX11 and its extensions, so that a program which
// contains it does not start without them. There it is built with the tag glfw
// only, and needs the headers of X11 and OpenGL: libx11-dev, libxrandr-dev,
// libxi-dev, libxcursor-dev, libxinerama-dev, libxxf86vm-dev and libgl-dev on
// Debian, or xorg-dev, which brings the X11 part of them. On Windows it is always
// there. In all other builds, without cgo, and with the tag nogpu, [Open] fails
// with [ErrUnavailable].
//
// # Threads
//
// GLFW wants windows made and destroyed by one thread, the same for all of them:
// call [Open] and [Context.Close] on one locked thread. On Windows and X11 that
// may be any thread. MakeCurrent, ProcAddress and Release belong to the thread
// that is to run OpenGL, which is best the same one.
package glfw

import "errors"

// ErrUnavailable reports that GLFW cannot give a context: no window system, no
// driver with OpenGL 4.3, or a build without GLFW. The error that wraps it says
// which.
var ErrUnavailable = errors.New("glfw: unavailable")

// Options says what kind of context is wanted.
type Options struct {
	// Debug asks for a debug context, which reports mistakes through KHR_debug.
	Debug bool
	// Robust asks for notice when the GPU is reset. GLFW cannot ask for it without
	// asking for bounds-checked buffer access too, which may slow shaders down. A
	// driver that refuses gives a context without either.
	Robust bool
}
