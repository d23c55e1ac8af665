package gpu

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/egl"
	"github.com/glattn/attention/internal/gl"
)

// ContextProvider gives the backend an OpenGL 4.3 context other than a headless
// EGL one, such as that of package gpu/glfw. The backend calls all methods on one
// thread, its own or that of Options.Run, and closes the provider.
//
// A context may be in use by the program. The backend then changes nothing but: the
// current program; the buffers at the targets copy-read, copy-write, shader-storage
// and uniform, and at storage bindings 0 to 15 and uniform bindings 0 to 8; the
// active texture unit, and the buffer textures of units 0 to 3; with Options.Debug
// the debug callback and its switches. All but the last are restored when the
// backend closes, and with Options.Run after each piece of work. Errors that the
// program left in the context are thrown away. Work must not run inside conditional
// rendering or a transform feedback, and a program that was deleted while current is
// gone when the backend uses its own.
//
// A given context that is lost stays lost: only its owner can make another, for a
// new backend. Errors are attention.ErrDeviceLost until then.
type ContextProvider interface {
	// MakeCurrent makes the context current on the calling thread.
	MakeCurrent() error
	// Release makes no context current on the calling thread.
	Release() error
	// ProcAddress returns the address of an OpenGL function, or nil.
	ProcAddress(name string) unsafe.Pointer
	// Close destroys the context.
	Close() error
}

// DeviceInfo describes a device that could be opened, before a context exists.
type DeviceInfo struct {
	Index    int    `json:"index"`    // what Options.Device selects
	Platform string `json:"platform"` // device, surfaceless or default
	Name     string `json:"name"`     // as the driver calls it, if it says
	Software bool   `json:"software"` // known to be a software rasteriser
}

// Devices lists what could be opened, best first. It creates no contexts. The
// error is an attention.ErrUnavailable.
func Devices() ([]DeviceInfo, error) {
	found, err := egl.Devices()
	if err != nil {
		return nil, translate(err)
	}
	list := make([]DeviceInfo, len(found))
	for i, d := range found {
		list[i] = DeviceInfo{Index: i, Platform: d.Platform, Name: d.Name, Software: d.Software}
	}
	return list, nil
}

// Info describes an opened device.
type Info struct {
	Vendor         string `json:"vendor"`
	Renderer       string `json:"renderer"`
	Version        string `json:"version"`
	GLSL           string `json:"glsl"`
	Software       bool   `json:"software"` // a software rasteriser such as llvmpipe
	MaxSharedBytes int    `json:"max_shared_bytes"`
	MaxSSBOBytes   int64  `json:"max_ssbo_bytes"`
	MaxInvocations int    `json:"max_invocations"`
}

// openContext returns a context that is current on the calling thread. Device -1
// tries all in order; their failures are joined.
func openContext(opt Options) (ContextProvider, *gl.Context, error) {
	if opt.Context != nil {
		c, err := current(opt.Context, opt.faults)
		if err != nil {
			return nil, nil, fmt.Errorf("gpu: given context: %w", errors.Join(translate(err), opt.Context.Close()))
		}
		return opt.Context, c, nil
	}
	devices, err := egl.Devices()
	if err != nil {
		return nil, nil, translate(err)
	}
	if opt.Device >= len(devices) {
		return nil, nil, fmt.Errorf("gpu: %w: device %d of %d", attention.ErrUnavailable, opt.Device, len(devices))
	}
	if opt.Device >= 0 {
		devices = devices[opt.Device : opt.Device+1]
	}
	var failures []error
	for _, d := range devices {
		provider, c, err := openDevice(d, opt)
		if err == nil {
			return provider, c, nil
		}
		failures = append(failures, fmt.Errorf("%v: %w", d, err))
	}
	return nil, nil, fmt.Errorf("gpu: %w: %w", attention.ErrUnavailable, errors.Join(failures...))
}

func openDevice(d egl.Device, opt Options) (ContextProvider, *gl.Context, error) {
	provider, err := egl.Open(d, egl.Options{Debug: opt.Debug, Robust: true})
	if err != nil {
		return nil, nil, err
	}
	c, err := current(provider, opt.faults)
	if err != nil {
		return nil, nil, errors.Join(err, provider.Close())
	}
	return provider, c, nil
}

func current(provider ContextProvider, faults *gl.Faults) (*gl.Context, error) {
	if err := provider.MakeCurrent(); err != nil {
		return nil, err
	}
	c, err := gl.LoadFaulty(provider.ProcAddress, faults)
	if err != nil {
		return nil, errors.Join(err, provider.Release())
	}
	return c, nil
}
