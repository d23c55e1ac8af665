package gpu

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBinaryCacheKeepsWhatItStores(t *testing.T) {
	c := openBinaryCache(filepath.Join(t.TempDir(), "made", "here"))
	_, _, ok := c.load("k")
	require.False(t, ok)
	c.store("k", 0x8741, []byte("binary"))
	format, data, ok := c.load("k")
	require.True(t, ok)
	require.Equal(t, uint32(0x8741), format)
	require.Equal(t, "binary", string(data))
	c.store("k", 2, []byte("newer"))
	_, data, _ = c.load("k")
	require.Equal(t, "newer", string(data))
	c.remove("k")
	_, _, ok = c.load("k")
	require.False(t, ok)
	left, err := os.ReadDir(c.dir)
	require.NoError(t, err)
	require.Empty(t, left, "no temporary files stay")
}

func TestBinaryCacheRefusesDamage(t *testing.T) {
	for _, tc := range []struct {
		name   string
		damage func([]byte) []byte
	}{
		{"empty", func([]byte) []byte { return nil }},
		{"header only", func(b []byte) []byte { return b[:36] }},
		{"cut short", func(b []byte) []byte { return b[:len(b)-1] }},
		{"a bit flipped", func(b []byte) []byte { b[len(b)/2+18] ^= 4; return b }},
		{"longer", func(b []byte) []byte { return append(b, 0) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := openBinaryCache(t.TempDir())
			c.store("k", 1, []byte("a binary of some length, longer than its header"))
			file, err := os.ReadFile(c.path("k"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(c.path("k"), tc.damage(file), 0o600))
			_, _, ok := c.load("k")
			require.False(t, ok)
		})
	}
}

func TestBinaryCacheWithoutAFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, c := range []*binaryCache{nil, openBinaryCache(filepath.Join(file, "below")), {dir: filepath.Join(t.TempDir(), "gone")}} {
		c.store("k", 1, []byte("x"))
		_, _, ok := c.load("k")
		require.False(t, ok)
		c.remove("k")
	}
}

// binaries returns the paths of the stored binaries, none where the driver has no
// format for them.
func binaries(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.bin"))
	require.NoError(t, err)
	return paths
}

// compileOnce opens a backend on the folder, computes a call and closes it. With
// refuse the driver compiles nothing, so that only binaries can help.
func compileOnce(t *testing.T, dir string, refuse bool) error {
	t.Helper()
	b := ownBackend(t, Options{CacheDir: dir})
	if refuse {
		b.c.Inject("CompileCompute", errPlanted)
	}
	c := newTestCall(t, callSpec{})
	err := runOn(context.Background(), b, c)
	require.NoError(t, b.Close())
	return err
}

func TestProgramsComeFromTheCache(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, compileOnce(t, dir, false))
	stored := binaries(t, dir)
	if len(stored) == 0 {
		b := anyBackend(t)
		onThread(t, b, func(t require.TestingT) {
			prog, err := b.programs.get(fullVariant(KernelRows))
			require.NoError(t, err)
			_, _, err = b.c.Binary(prog.id)
			require.Error(t, err, "the driver has binaries, but none was stored")
		})
		t.Skipf("this driver (%s) keeps no program binaries", b.Device().Renderer)
	}
	require.NoError(t, compileOnce(t, dir, true), "the second backend compiles nothing")
	for _, path := range stored { // whole by the checksum, but no program
		c := openBinaryCache(dir)
		key := filepath.Base(path)
		c.store(key[:len(key)-len(".bin")], 0x1234, []byte("a binary of another driver version"))
	}
	require.NoError(t, compileOnce(t, dir, false), "a stale binary is compiled anew")
	require.NoError(t, compileOnce(t, dir, true), "and stored again")
	for _, path := range stored {
		require.NoError(t, os.Truncate(path, 50))
	}
	require.NoError(t, compileOnce(t, dir, false), "a damaged one too")
}
