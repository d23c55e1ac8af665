package gpu

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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
		{"another format", func(b []byte) []byte { b[0] ^= 1; return b }},
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
			require.NoFileExists(t, c.path("k"), "it is no use to anybody")
			c.store("k", 2, []byte("new"))
			_, data, ok := c.load("k")
			require.True(t, ok)
			require.Equal(t, "new", string(data))
		})
	}
}

// TestBinaryCacheSurvivesItsFolder puts things in the way.
func TestBinaryCacheSurvivesItsFolder(t *testing.T) {
	c := openBinaryCache(t.TempDir())
	require.NoError(t, os.Mkdir(c.path("folder"), 0o700))
	c.store("folder", 1, []byte("x"))
	_, _, ok := c.load("folder")
	require.False(t, ok)
	huge, err := os.Create(c.path("huge"))
	require.NoError(t, err)
	require.NoError(t, huge.Truncate(maxBinary+1))
	require.NoError(t, huge.Close())
	_, _, ok = c.load("huge")
	require.False(t, ok, "nothing of that size is read into memory")
	c.store("large", 1, make([]byte, maxBinary))
	require.NoFileExists(t, c.path("large"))

	if os.Geteuid() == 0 {
		return // whom no permission stops
	}
	c.store("k", 1, []byte("x"))
	require.NoError(t, os.Chmod(c.path("k"), 0))
	_, _, ok = c.load("k")
	require.False(t, ok, "unreadable")
	require.NoError(t, os.Chmod(c.dir, 0o500))
	c.store("l", 1, []byte("x"))
	c.remove("k")
	_, _, ok = c.load("l")
	require.False(t, ok, "unwritable")
	require.NoError(t, os.Chmod(c.dir, 0o700))
}

func TestBinaryCacheKeepsToItsCap(t *testing.T) {
	c := openBinaryCache(t.TempDir())
	now := time.Now()
	c.now = func() time.Time { return now }
	c.cap = 10 * 136 // a file has 36 bytes before its data
	alien := filepath.Join(c.dir, "notes.txt")
	require.NoError(t, os.WriteFile(alien, make([]byte, 1000), 0o600))
	stale, fresh := filepath.Join(c.dir, tempPrefix+"1"), filepath.Join(c.dir, tempPrefix+"2")
	for path, age := range map[string]time.Duration{stale: 2 * abandoned, fresh: 0} {
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		require.NoError(t, os.Chtimes(path, now.Add(-age), now.Add(-age)))
	}
	store := func(key string) {
		c.store(key, 1, make([]byte, 100))
		now = now.Add(time.Second)
	}
	for n := range 10 {
		store(string(rune('a' + n)))
	}
	require.Len(t, binaries(t, c.dir), 10)
	_, _, ok := c.load("b") // used last now
	require.True(t, ok)
	now = now.Add(time.Second)
	store("k")
	left := map[string]bool{}
	for _, path := range binaries(t, c.dir) {
		left[filepath.Base(path)[:1]] = true
	}
	require.Equal(t, map[string]bool{"b": true, "f": true, "g": true, "h": true, "i": true, "j": true, "k": true}, left)
	require.FileExists(t, alien, "not ours")
	require.FileExists(t, fresh, "somebody may be writing it")
	require.NoFileExists(t, stale)
}

// TestBinaryCacheIsShared has several processes' worth of caches work on one folder
// that is too small for them: what is loaded is whole.
func TestBinaryCacheIsShared(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	for p := range 4 {
		c := openBinaryCache(dir)
		c.cap = 2000
		group.Go(func() {
			for n := range 200 {
				key := string(rune('a' + (n+p)%8))
				if format, data, ok := c.load(key); ok && (format != 7 || string(data) != strings.Repeat(key, 300)) {
					t.Errorf("%s holds %d: %q", key, format, data)
				}
				c.store(key, 7, []byte(strings.Repeat(key, 300)))
			}
		})
	}
	group.Wait()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.LessOrEqual(t, len(entries), 2000/336+4, "the cap, and one more for each that wrote at the same time")
}

func TestVerdictsOnDisk(t *testing.T) {
	c := openBinaryCache(t.TempDir())
	now := time.Now()
	c.now = func() time.Time { return now }
	_, known := c.verdict("k")
	require.False(t, known)
	c.judge("right", "")
	c.judge("wrong", "O is off")
	detail, known := c.verdict("right")
	require.True(t, known)
	require.Empty(t, detail)
	detail, known = c.verdict("wrong")
	require.True(t, known)
	require.Equal(t, "O is off", detail)
	now = now.Add(failureMemory + 2*time.Second)
	_, known = c.verdict("right")
	require.True(t, known)
	_, known = c.verdict("wrong")
	require.False(t, known, "a failure is tried again after a day")
	c.write("right"+verdictEnding, verdictVersion+1, make([]byte, 20))
	_, known = c.verdict("right")
	require.False(t, known, "of another self-test")
	c.write("right"+verdictEnding, verdictVersion, make([]byte, 3))
	_, known = c.verdict("right")
	require.False(t, known, "too short")
	var none *binaryCache
	none.judge("k", "")
	_, known = none.verdict("k")
	require.False(t, known)
}

func TestBinaryCacheWithoutAFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, c := range []*binaryCache{nil, openBinaryCache(filepath.Join(file, "below")), {dir: filepath.Join(t.TempDir(), "gone"), now: time.Now}} {
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
