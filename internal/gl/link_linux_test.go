//go:build linux && cgo && !nogpu

package gl

import (
	"debug/elf"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The test binary links this package and go-gl. Nothing of OpenGL or X11 may be
// among the libraries that it needs to start, and go-gl's symbol must not be
// visible to libraries that are loaded later.
func TestNoHardLinkToOpenGL(t *testing.T) {
	f, err := elf.Open("/proc/self/exe")
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	needed, err := f.ImportedLibraries()
	require.NoError(t, err)
	t.Log(needed)
	// libdl and libpthread are parts of glibc before 2.34; net asks for libresolv;
	// a race detector for libm.
	libc := regexp.MustCompile(`^(libc|libdl|libpthread|libresolv|libm|ld-linux.*|ld-musl.*|libc\.musl.*)\.so(\.\d+)?$`)
	for _, name := range needed {
		require.Regexp(t, libc, name)
	}
	exported, err := f.DynamicSymbols()
	require.NoError(t, err)
	for _, s := range exported {
		require.NotEqual(t, "glXGetProcAddress", s.Name)
	}
}
