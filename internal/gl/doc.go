// Package gl is the OpenGL 4.3 compute that the GPU backend needs, typed and with
// errors: buffers, compute programs, dispatches, fences, timers, reflection,
// debug messages. It is the only package that imports go-gl.
//
// A [Context] belongs to the OS thread on which the OpenGL context is current;
// all of its methods, but [Context.Inject], must be called there.
//
// # Errors
//
// Operations that the driver may refuse for want of memory, or that compile, ask
// glGetError themselves and return an error. Bindings and dispatches do not: the
// question costs a round trip to the driver's thread, and a decode step has
// microseconds. Their arguments are checked here against the limits and the sizes
// of the buffers; what only the driver can find shows up in the next
// [Context.Check], or at once in debug mode.
//
// A loss of the context, once found, is what every operation returns from then on,
// without asking the driver, which may have forgotten it. Tests put [Faults] between
// a Context and its driver to make chosen calls fail.
//
// # Building
//
// The real binding needs cgo on Linux or Windows. Elsewhere, and with the build
// tag nogpu, the same API exists and [Load] fails with [ErrUnavailable], so that
// the packages above need no build tags. On Linux nothing links libGL:
// procaddr_linux.go says how.
package gl
