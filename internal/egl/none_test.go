//go:build !linux || !cgo || nogpu

package egl

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithoutEGL(t *testing.T) {
	devices, err := Devices()
	require.ErrorIs(t, err, ErrUnavailable)
	require.Empty(t, devices)
	_, err = Open(Device{Platform: PlatformDefault}, Options{})
	require.ErrorIs(t, err, ErrUnavailable)
}
