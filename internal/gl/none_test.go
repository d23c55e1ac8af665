//go:build !cgo || nogpu || (!linux && !windows)

package gl

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestWithoutOpenGL(t *testing.T) {
	_, err := Load(func(string) unsafe.Pointer { return nil })
	require.ErrorIs(t, err, ErrUnavailable)
}
