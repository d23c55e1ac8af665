package egl

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestErrorNamesTheCode(t *testing.T) {
	require.EqualError(t, &Error{Op: "eglCreateContext", Code: 0x3009}, "egl: eglCreateContext: EGL_BAD_MATCH")
	require.EqualError(t, &Error{Op: "eglFoo", Code: 0x1234}, "egl: eglFoo: 0x1234")
}

func TestSortDevices(t *testing.T) {
	devices := []Device{
		{Platform: PlatformDefault},
		{Platform: PlatformDevice, Index: 0, Software: true},
		{Platform: PlatformSurfaceless},
		{Platform: PlatformDevice, Index: 1},
		{Platform: PlatformDevice, Index: 2},
	}
	sortDevices(devices)
	var got []string
	for _, d := range devices {
		got = append(got, d.String())
	}
	require.Equal(t, []string{"device 1", "device 2", "surfaceless", "device 0", "default"}, got)
}

func TestDeviceString(t *testing.T) {
	require.Equal(t, "device 3 (Radeon)", Device{Platform: PlatformDevice, Index: 3, Name: "Radeon"}.String())
	require.Equal(t, "surfaceless (swrast)", Device{Platform: PlatformSurfaceless, Name: "swrast"}.String())
}
