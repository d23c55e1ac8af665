package kernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGeneratedNEON makes the assembly of arm64 anew, on any processor, and compares. Its
// generator needs the standard library only.
func TestGeneratedNEON(t *testing.T) {
	dir := t.TempDir()
	assembly, stubs := filepath.Join(dir, "kernel_arm64.s"), filepath.Join(dir, "stubs_arm64.go")
	command := exec.Command("go", "run", "./_neon", "-out", assembly, "-stubs", stubs)
	command.Env = append(os.Environ(), "GOOS=", "GOARCH=", "CGO_ENABLED=0") // the generator runs here
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
	for _, name := range []string{assembly, stubs} {
		fresh, err := os.ReadFile(name)
		require.NoError(t, err)
		kept, err := os.ReadFile(filepath.Base(name))
		require.NoError(t, err)
		require.True(t, string(fresh) == string(kept), "%s is out of date: run the command of _neon/main.go", filepath.Base(name))
	}
}
