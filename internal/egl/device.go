package egl

import (
	"errors"
	"fmt"
	"slices"
)

// ErrUnavailable reports that no EGL display can be had: the library is missing,
// no display could be opened, or this build contains no EGL at all. The error
// that wraps it says which.
var ErrUnavailable = errors.New("egl: unavailable")

// The values of [Device.Platform].
const (
	PlatformDevice      = "device"      // EGL_EXT_platform_device
	PlatformSurfaceless = "surfaceless" // EGL_MESA_platform_surfaceless
	PlatformDefault     = "default"     // EGL_DEFAULT_DISPLAY
)

// Device names a display that a context can be opened on.
type Device struct {
	// Index is the position among the devices of EGL_EXT_platform_device; 0 on
	// the other platforms. It is not the index that CUDA or the system uses.
	Index int
	// Platform is one of the Platform constants.
	Platform string
	// Name is what the driver calls the device: a renderer, a driver or a device
	// file. It is for people to read and may be the same for two devices.
	Name string
	// Software is set where EGL says that the device is a software rasteriser.
	// A false is not a promise: the renderer string of a context decides.
	Software bool
}

// String identifies the device for logs and error messages.
func (d Device) String() string {
	s := d.Platform
	if d.Platform == PlatformDevice {
		s = fmt.Sprintf("%s %d", s, d.Index)
	}
	if d.Name != "" {
		s += " (" + d.Name + ")"
	}
	return s
}

// Options says what kind of context is wanted.
type Options struct {
	// Debug asks for a debug context, which reports mistakes through KHR_debug.
	Debug bool
	// Robust asks for notice when the GPU is reset. A driver that refuses gives a
	// context without it; see [Context.Robust]. Bounds-checked buffer access is
	// never asked for, because it slows down every load of a shader.
	Robust bool
}

// rank orders devices: hardware by name of device first, since that is the only
// kind that can be chosen among several; the default display last, since it may
// belong to a window system that somebody else uses.
func (d Device) rank() int {
	switch {
	case d.Platform == PlatformDevice && !d.Software:
		return 0
	case d.Platform == PlatformSurfaceless:
		return 1
	case d.Platform == PlatformDevice:
		return 2
	default:
		return 3
	}
}

// sortDevices puts the best device first and keeps EGL's order among equals.
func sortDevices(devices []Device) {
	slices.SortStableFunc(devices, func(a, b Device) int { return a.rank() - b.rank() })
}
