//go:build linux && cgo && !nogpu

package gl

/*
// go-gl calls one function of libGL, glXGetProcAddress, to find all the others,
// and asks the linker for libGL because of it. Defining the symbol here leaves
// nothing that libGL would have to resolve, and --as-needed then drops libGL (and
// with it X11) from the libraries that the program needs to start.
//
// It is hidden, so that it cannot stand in for the real one when something else
// in the process, such as GLFW, loads libGL. go-gl calls it only from gl.Init,
// which this package does not use; it works nevertheless.
#cgo LDFLAGS: -Wl,--as-needed -ldl
#include <dlfcn.h>
#include <stddef.h>

__attribute__((visibility("hidden")))
void (*glXGetProcAddress(const unsigned char *name))(void) {
	typedef void (*function)(void);
	static const char *const libraries[] = {"libGL.so.1", "libGL.so", "libOpenGL.so.0"};
	for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
		void *handle = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
		if (!handle) continue;
		function (*find)(const unsigned char *) = (function (*)(const unsigned char *))dlsym(handle, "glXGetProcAddressARB");
		function found = find ? find(name) : NULL;
		if (!found) found = (function)dlsym(handle, (const char *)name);
		if (found) return found;
	}
	return NULL;
}
*/
import "C"
