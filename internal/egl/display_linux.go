//go:build linux && cgo && !nogpu

package egl

// #include "egl_linux.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// EGL's numbers, from EGL 1.5 and the named extensions.
const (
	platformDevice      = 0x313F // EGL_EXT_platform_device
	platformSurfaceless = 0x31DD // EGL_MESA_platform_surfaceless

	nameVendor     = 0x3053
	nameExtensions = 0x3055
	nameDRMFile    = 0x3233 // EGL_EXT_device_drm
	nameRenderer   = 0x335F // EGL_EXT_device_query_name
)

type displayKey struct {
	platform string
	index    int
}

// display is an initialised EGLDisplay. It is never terminated: EGL hands out
// one display per device to the whole process and does not count its users, so
// eglTerminate would pull the contexts of others, ours and the program's own,
// from under them.
type display struct {
	handle       unsafe.Pointer
	major, minor int
	extensions   map[string]bool
}

// Devices returns every display that a context could be opened on, best first:
// hardware devices, Mesa's surfaceless platform, software devices, the default
// display. Displays are initialised, contexts are not created. The error, which
// wraps [ErrUnavailable], comes with an empty list and tells what each attempt
// met.
func Devices() ([]Device, error) {
	l, err := load()
	if err != nil {
		return nil, err
	}
	candidates, err := l.candidates()
	errs := []error{err}
	var devices []Device
	for _, d := range candidates {
		dpy, err := l.display(d)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		devices = append(devices, l.describe(d, dpy))
	}
	if len(devices) == 0 {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, errors.Join(errs...))
	}
	sortDevices(devices)
	return devices, nil
}

// candidates lists what is worth trying, without touching a driver. The list is
// valid beside an error.
func (l *library) candidates() ([]Device, error) {
	handles, err := l.deviceHandles()
	var list []Device
	for i, h := range handles {
		exts := words(C.GoString(C.attn_egl_device_string(&l.api, h, nameExtensions)))
		d := Device{Index: i, Platform: PlatformDevice, Software: exts["EGL_MESA_device_software"]}
		switch {
		case exts["EGL_EXT_device_query_name"]:
			d.Name = C.GoString(C.attn_egl_device_string(&l.api, h, nameRenderer))
		case exts["EGL_EXT_device_drm"]:
			d.Name = C.GoString(C.attn_egl_device_string(&l.api, h, nameDRMFile))
		}
		list = append(list, d)
	}
	if l.extensions["EGL_MESA_platform_surfaceless"] && l.api.get_platform_display != nil {
		list = append(list, Device{Platform: PlatformSurfaceless})
	}
	return append(list, Device{Platform: PlatformDefault}), err
}

// deviceHandles returns the EGLDeviceEXT handles in EGL's order; none where the
// device platform is not supported.
func (l *library) deviceHandles() ([]unsafe.Pointer, error) {
	enumerable := l.extensions["EGL_EXT_device_enumeration"] || l.extensions["EGL_EXT_device_base"]
	if !enumerable || !l.extensions["EGL_EXT_platform_device"] || l.api.get_platform_display == nil ||
		l.api.query_devices == nil || l.api.query_device_string == nil {
		return nil, nil
	}
	var count, code C.int32_t
	if C.attn_egl_devices(&l.api, 0, nil, &count, &code) == 0 {
		return nil, &Error{Op: "eglQueryDevicesEXT", Code: int32(code)}
	}
	if count == 0 {
		return nil, nil
	}
	handles := make([]unsafe.Pointer, count)
	if C.attn_egl_devices(&l.api, count, &handles[0], &count, &code) == 0 {
		return nil, &Error{Op: "eglQueryDevicesEXT", Code: int32(code)}
	}
	return handles[:min(int(count), len(handles))], nil
}

// display returns the initialised display of a device.
func (l *library) display(d Device) (*display, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := displayKey{d.Platform, d.Index}
	if dpy, ok := l.displays[key]; ok {
		return dpy, nil
	}
	dpy, err := l.initialise(d)
	if err != nil {
		return nil, fmt.Errorf("egl: display %v: %w", d, err)
	}
	l.displays[key] = dpy
	return dpy, nil
}

func (l *library) initialise(d Device) (*display, error) {
	var platform C.uint
	var native unsafe.Pointer
	switch d.Platform {
	case PlatformDevice:
		handles, err := l.deviceHandles()
		if err != nil {
			return nil, err
		}
		if d.Index < 0 || d.Index >= len(handles) {
			return nil, fmt.Errorf("egl: device index %d of %d", d.Index, len(handles))
		}
		platform, native = platformDevice, handles[d.Index]
	case PlatformSurfaceless:
		if !l.extensions["EGL_MESA_platform_surfaceless"] || l.api.get_platform_display == nil {
			return nil, errors.New("egl: no EGL_MESA_platform_surfaceless")
		}
		platform = platformSurfaceless
	case PlatformDefault:
	default:
		return nil, fmt.Errorf("egl: platform %q is none of %q, %q, %q", d.Platform, PlatformDevice, PlatformSurfaceless, PlatformDefault)
	}
	var code, major, minor C.int32_t
	handle := C.attn_egl_display(&l.api, platform, native, &code)
	if handle == nil {
		return nil, &Error{Op: "eglGetPlatformDisplay", Code: int32(code)}
	}
	if C.attn_egl_initialize(&l.api, handle, &major, &minor, &code) == 0 {
		return nil, &Error{Op: "eglInitialize", Code: int32(code)}
	}
	return &display{
		handle: handle, major: int(major), minor: int(minor),
		extensions: words(C.GoString(C.attn_egl_query_string(&l.api, handle, nameExtensions))),
	}, nil
}

// describe completes a device by what only an initialised display knows.
func (l *library) describe(d Device, dpy *display) Device {
	if dpy.extensions["EGL_MESA_query_driver"] && l.api.get_display_driver_name != nil {
		driver := C.GoString(C.attn_egl_driver_name(&l.api, dpy.handle))
		// Mesa's names of its software drivers; a GPU has the name of its kernel driver.
		d.Software = d.Software || driver == "swrast" || driver == "kms_swrast"
		if d.Name == "" {
			d.Name = driver
		}
	}
	if d.Name == "" {
		d.Name = C.GoString(C.attn_egl_query_string(&l.api, dpy.handle, nameVendor))
	}
	return d
}
