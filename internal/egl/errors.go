package egl

import "fmt"

// Error is a failed EGL call.
type Error struct {
	Op   string // the EGL function
	Code int32  // what eglGetError returned
}

// Name returns EGL's name of the code, such as EGL_BAD_MATCH.
func (e *Error) Name() string {
	if name, ok := errorNames[e.Code]; ok {
		return name
	}
	return fmt.Sprintf("0x%04X", e.Code)
}

func (e *Error) Error() string { return "egl: " + e.Op + ": " + e.Name() }

// errorNames holds the codes of EGL 1.5 section 3.1 and of
// EGL_EXT_device_base and EGL_EXT_output_base.
var errorNames = map[int32]string{
	// A function that failed without saying why: some drivers forget to.
	0x3000: "EGL_SUCCESS",
	0x3001: "EGL_NOT_INITIALIZED",
	0x3002: "EGL_BAD_ACCESS",
	0x3003: "EGL_BAD_ALLOC",
	0x3004: "EGL_BAD_ATTRIBUTE",
	0x3005: "EGL_BAD_CONFIG",
	0x3006: "EGL_BAD_CONTEXT",
	0x3007: "EGL_BAD_CURRENT_SURFACE",
	0x3008: "EGL_BAD_DISPLAY",
	0x3009: "EGL_BAD_MATCH",
	0x300A: "EGL_BAD_NATIVE_PIXMAP",
	0x300B: "EGL_BAD_NATIVE_WINDOW",
	0x300C: "EGL_BAD_PARAMETER",
	0x300D: "EGL_BAD_SURFACE",
	0x300E: "EGL_CONTEXT_LOST",
	0x322B: "EGL_BAD_DEVICE_EXT",
	0x322D: "EGL_BAD_OUTPUT_LAYER_EXT",
	0x322E: "EGL_BAD_OUTPUT_PORT_EXT",
}
