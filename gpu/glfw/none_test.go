//go:build !cgo || nogpu || (!windows && !(linux && glfw))

package glfw

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWithoutGLFW(t *testing.T) {
	_, err := Open(Options{})
	require.ErrorIs(t, err, ErrUnavailable)
}
