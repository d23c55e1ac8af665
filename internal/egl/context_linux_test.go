//go:build linux && cgo && !nogpu

package egl

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// firstDevice returns the best device, or skips; with ATTN_REQUIRE=gpu it fails.
func firstDevice(t *testing.T) Device {
	t.Helper()
	devices, err := Devices()
	if err != nil && os.Getenv("ATTN_REQUIRE") != "gpu" {
		require.ErrorIs(t, err, ErrUnavailable)
		t.Skipf("NO GPU TESTED: %v", err)
	}
	require.NoError(t, err)
	require.NotEmpty(t, devices)
	return devices[0]
}

func TestDevicesOpen(t *testing.T) {
	firstDevice(t)
	devices, err := Devices()
	require.NoError(t, err)
	opened := 0
	for _, d := range devices {
		t.Logf("%v software=%v", d, d.Software)
		c, err := Open(d, Options{Debug: true, Robust: true})
		if err != nil {
			// A listed device may still refuse OpenGL 4.3, but then EGL says why.
			var failed *Error
			require.ErrorAs(t, err, &failed)
			t.Logf("%v: %v", d, err)
			continue
		}
		opened++
		require.NoError(t, c.Close())
	}
	require.Positive(t, opened, "no listed device could be opened")
}

func TestContextLife(t *testing.T) {
	d := firstDevice(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, opt := range []Options{{}, {Debug: true}, {Robust: true}, {Debug: true, Robust: true}} {
		c, err := Open(d, opt)
		require.NoError(t, err, "%+v", opt)
		require.False(t, c.Robust() && !opt.Robust)
		require.NoError(t, c.Release(), "release before it is current")
		require.NoError(t, c.MakeCurrent())
		require.NoError(t, c.MakeCurrent(), "current again")
		require.NotNil(t, c.ProcAddress("glDispatchCompute"))
		require.NoError(t, c.Release())
		require.NoError(t, c.MakeCurrent())
		require.NoError(t, c.Close(), "closed while current")
		require.NoError(t, c.Close(), "closed twice")
		require.NoError(t, c.Release())
		require.ErrorIs(t, c.MakeCurrent(), errClosed)
	}
}

// A context that is current here cannot be made current there, and EGL's reason
// must arrive although it belongs to another thread than the test's.
func TestCurrentOnAnotherThread(t *testing.T) {
	d := firstDevice(t)
	c, err := Open(d, Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	require.NoError(t, c.MakeCurrent())
	there := func() error {
		result := make(chan error)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			result <- errors.Join(c.MakeCurrent(), c.Release())
		}()
		return <-result
	}
	var failed *Error
	require.ErrorAs(t, there(), &failed)
	require.Equal(t, "EGL_BAD_ACCESS", failed.Name())
	require.NoError(t, c.Release())
	require.NoError(t, there())
}

func TestOpenUnknownDevice(t *testing.T) {
	firstDevice(t)
	for _, d := range []Device{
		{Platform: "wayland"},
		{},
		{Platform: PlatformDevice, Index: -1},
		{Platform: PlatformDevice, Index: 1000},
	} {
		_, err := Open(d, Options{})
		require.ErrorIs(t, err, ErrUnavailable, "%+v", d)
	}
}

// Robust contexts try the notification first and the plain context last.
func TestKinds(t *testing.T) {
	old := &display{major: 1, minor: 4, extensions: map[string]bool{"EGL_EXT_create_context_robustness": true}}
	kinds := old.kinds(Options{Robust: true, Debug: true})
	require.Len(t, kinds, 3)
	require.True(t, kinds[0].robust && kinds[1].robust && !kinds[2].robust)
	for _, k := range kinds {
		require.EqualValues(t, attrNone, k.attribs[len(k.attribs)-1])
		require.Contains(t, int32s(k), int32(attrFlagsKHR))
	}
	require.Contains(t, int32s(kinds[0]), int32(attrResetStrategy))
	require.Contains(t, int32s(kinds[1]), int32(attrResetStrategyEXT))
	require.NotContains(t, int32s(kinds[2]), int32(attrResetStrategy))

	recent := &display{major: 1, minor: 5}
	require.Len(t, recent.kinds(Options{}), 1)
	require.Contains(t, int32s(recent.kinds(Options{Debug: true})[0]), int32(attrDebug))
}

func int32s(k kind) []int32 {
	var list []int32
	for _, a := range k.attribs {
		list = append(list, int32(a))
	}
	return list
}
