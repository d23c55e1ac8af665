//go:build linux && cgo && !nogpu

package egl

/*
// -ldl is for glibc before 2.34; --as-needed drops it where libc has dlopen.
#cgo LDFLAGS: -Wl,--as-needed -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include "egl_linux.h"

// The reason of a failure belongs to the thread that failed, hence one call.
static void *attn_egl_dlopen(const char *name, const char **reason) {
	void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!handle) *reason = dlerror();
	return handle;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"unsafe"
)

// library is libEGL, loaded once and never unloaded: drivers leave threads and
// exit handlers behind that would run in unmapped memory.
type library struct {
	api        C.attn_egl
	extensions map[string]bool // the client extensions

	mu       sync.Mutex
	displays map[displayKey]*display
}

// load opens libEGL and finds its functions.
var load = sync.OnceValues(func() (*library, error) {
	handle, err := openAny("libEGL.so.1", "libEGL.so")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	l := &library{displays: map[displayKey]*display{}}
	if err := l.fill(handle); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	// Without EGL_EXT_client_extensions the answer is an error and the set empty.
	l.extensions = words(C.GoString(C.attn_egl_query_string(&l.api, nil, nameExtensions)))
	return l, nil
})

// fill sets the function table from the library and lists all that is missing.
func (l *library) fill(handle unsafe.Pointer) error {
	api := &l.api
	core := []struct {
		field unsafe.Pointer
		name  string
	}{
		{unsafe.Pointer(&api.get_proc_address), "eglGetProcAddress"},
		{unsafe.Pointer(&api.get_error), "eglGetError"},
		{unsafe.Pointer(&api.query_string), "eglQueryString"},
		{unsafe.Pointer(&api.get_display), "eglGetDisplay"},
		{unsafe.Pointer(&api.initialize), "eglInitialize"},
		{unsafe.Pointer(&api.bind_api), "eglBindAPI"},
		{unsafe.Pointer(&api.query_api), "eglQueryAPI"},
		{unsafe.Pointer(&api.choose_config), "eglChooseConfig"},
		{unsafe.Pointer(&api.create_context), "eglCreateContext"},
		{unsafe.Pointer(&api.destroy_context), "eglDestroyContext"},
		{unsafe.Pointer(&api.make_current), "eglMakeCurrent"},
		{unsafe.Pointer(&api.get_current_context), "eglGetCurrentContext"},
	}
	var missing []string
	for _, f := range core {
		p := symbol(handle, f.name)
		if p == nil {
			missing = append(missing, f.name)
		}
		*(*unsafe.Pointer)(f.field) = p
	}
	if len(missing) > 0 {
		return fmt.Errorf("egl: libEGL lacks %s", strings.Join(missing, ", "))
	}
	optional := []struct {
		field unsafe.Pointer
		name  string
	}{
		{unsafe.Pointer(&api.get_platform_display), "eglGetPlatformDisplayEXT"},
		{unsafe.Pointer(&api.query_devices), "eglQueryDevicesEXT"},
		{unsafe.Pointer(&api.query_device_string), "eglQueryDeviceStringEXT"},
		{unsafe.Pointer(&api.get_display_driver_name), "eglGetDisplayDriverName"},
	}
	for _, f := range optional {
		*(*unsafe.Pointer)(f.field) = l.lookup(f.name)
	}
	return nil
}

// lookup asks eglGetProcAddress, which answers for extensions too.
func (l *library) lookup(name string) unsafe.Pointer {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	return C.attn_egl_lookup(&l.api, cname)
}

// glLibrary is where OpenGL's own entry points lie. Only a libEGL before 1.5
// needs it: eglGetProcAddress there may know extensions only. libOpenGL comes
// first because libGL pulls in X11.
var glLibrary = sync.OnceValue(func() unsafe.Pointer {
	handle, err := openAny("libOpenGL.so.0", "libGL.so.1", "libGL.so")
	if err != nil {
		return nil
	}
	return handle
})

// openAny opens the first of the shared libraries that exists, or says why each
// could not be opened.
func openAny(names ...string) (unsafe.Pointer, error) {
	var errs []error
	for _, name := range names {
		cname := C.CString(name)
		var reason *C.char
		handle := C.attn_egl_dlopen(cname, &reason)
		C.free(unsafe.Pointer(cname))
		if handle != nil {
			return handle, nil
		}
		errs = append(errs, fmt.Errorf("egl: %s", C.GoString(reason)))
	}
	return nil, errors.Join(errs...)
}

func symbol(handle unsafe.Pointer, name string) unsafe.Pointer {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	return C.dlsym(handle, cname)
}

// words splits an extension string.
func words(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}
