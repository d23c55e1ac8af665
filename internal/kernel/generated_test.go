package kernel

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGenerated makes the assembly anew and compares. The generator is a module
// of its own: a machine that can have its one dependency neither from a module
// cache nor from a proxy skips, unless CI is set.
func TestGenerated(t *testing.T) {
	ci := os.Getenv("CI") != ""
	if testing.Short() && !ci {
		t.Skip("NOT CHECKED that the assembly is what _asm generates: short tests build no generator")
	}
	if out, err := exec.Command("go", "-C", "_asm", "mod", "download").CombinedOutput(); err != nil {
		if ci {
			t.Fatalf("the generator's module cannot be had: %v\n%s", err, out)
		}
		t.Skipf("NOT CHECKED that the assembly is what _asm generates: its module cannot be had: %v\n%s", err, out)
	}
	dir := t.TempDir()
	assembly, stubs := filepath.Join(dir, "kernel_amd64.s"), filepath.Join(dir, "stubs_amd64.go")
	out, err := exec.Command("go", "-C", "_asm", "run", ".", "-out", assembly, "-stubs", stubs, "-pkg", "kernel").CombinedOutput()
	require.NoError(t, err, string(out))
	for _, name := range []string{assembly, stubs} {
		fresh, err := os.ReadFile(name)
		require.NoError(t, err)
		kept, err := os.ReadFile(filepath.Base(name))
		require.NoError(t, err)
		_, fresh, _ = bytes.Cut(fresh, []byte("\n")) // the first line holds the paths of the command
		_, kept, _ = bytes.Cut(kept, []byte("\n"))
		require.True(t, bytes.Equal(fresh, kept), "%s is out of date: run the command of _asm/main.go", filepath.Base(name))
	}
}
