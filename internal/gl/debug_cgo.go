//go:build cgo && !nogpu && (linux || windows)

package gl

/*
#include <stdint.h>

#if defined(_WIN32) && !defined(__x86_64__) && !defined(__aarch64__)
#define ATTN_APIENTRY __stdcall
#else
#define ATTN_APIENTRY
#endif

typedef void (ATTN_APIENTRY *attn_debug_proc)(uint32_t, uint32_t, uint32_t, uint32_t, int32_t, const char *, const void *);

extern void attnDebugMessage(uint32_t source, uint32_t kind, uint32_t id, uint32_t severity, int32_t length, char *text, uintptr_t handler);

static void ATTN_APIENTRY attn_debug(uint32_t source, uint32_t kind, uint32_t id, uint32_t severity, int32_t length, const char *text, const void *user) {
	attnDebugMessage(source, kind, id, severity, length, (char *)text, (uintptr_t)user);
}

// glDebugMessageCallback keeps an integer for us where it expects a pointer.
static void attn_set_debug(void *function, uintptr_t handler) {
	((void (ATTN_APIENTRY *)(attn_debug_proc, const void *))function)(handler ? attn_debug : 0, (const void *)handler);
}
*/
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

type debugHandler func(source, kind, id, severity uint32, text string)

// debugInstaller replaces go-gl's DebugMessageCallback, whose callback is one
// variable for the whole process: two contexts would share the handler and race
// for it.
func debugInstaller(proc func(string) unsafe.Pointer) func(func(source, kind, id, severity uint32, text string)) func() {
	install := proc("glDebugMessageCallback") // core in 4.3
	if install == nil {
		return nil
	}
	return func(handler func(source, kind, id, severity uint32, text string)) func() {
		if handler == nil {
			C.attn_set_debug(install, 0)
			return func() {}
		}
		h := cgo.NewHandle(debugHandler(handler))
		C.attn_set_debug(install, C.uintptr_t(h))
		return h.Delete
	}
}

//export attnDebugMessage
func attnDebugMessage(source, kind, id, severity C.uint32_t, length C.int32_t, text *C.char, handler C.uintptr_t) {
	message := C.GoString(text)
	if length >= 0 {
		message = C.GoStringN(text, length)
	}
	cgo.Handle(handler).Value().(debugHandler)(uint32(source), uint32(kind), uint32(id), uint32(severity), message)
}
