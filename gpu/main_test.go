package gpu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/env"
)

// shared are the backends that tests of this binary have in common, by what makes
// them different: opening a context and compiling kernels is most of their cost.
var shared = struct {
	sync.Mutex
	backends map[string]*Backend
	caches   []string
}{backends: map[string]*Backend{}}

func TestMain(m *testing.M) {
	code := m.Run()
	for name, b := range shared.backends {
		if err := b.Close(); err != nil {
			fmt.Fprintf(os.Stderr, "close of backend %s: %v\n", name, err)
			code = 1
		}
	}
	for _, dir := range shared.caches {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// noDevice ends a test for which no device could be opened: as a failure where
// ATTN_REQUIRE asks for one.
func noDevice(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, attention.ErrUnavailable) && !env.RequireGPU() {
		t.Skipf("NO GPU TESTED: %v", err)
	}
	require.NoError(t, err)
}

// sharedBackend returns the backend of that name, opened by its first user. It
// stays open until all tests are done.
func sharedBackend(t testing.TB, name string, opt Options) *Backend {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if b := shared.backends[name]; b != nil {
		return b
	}
	dir, err := os.MkdirTemp("", "attention-gpu-test-*")
	require.NoError(t, err)
	shared.caches = append(shared.caches, dir)
	opt.Device, opt.CacheDir = -1, dir
	b, err := Open(context.Background(), opt)
	noDevice(t, err)
	shared.backends[name] = b
	return b
}

// anyBackend returns the shared backend that chooses kernels by itself.
func anyBackend(t testing.TB) *Backend { return sharedBackend(t, "auto", Options{}) }

// ownBackend opens a backend that only this test uses and closes it afterwards.
func ownBackend(t testing.TB, opt Options) *Backend {
	t.Helper()
	if opt.CacheDir == "" {
		opt.CacheDir = t.TempDir()
	}
	opt.Device = -1
	b, err := Open(context.Background(), opt)
	noDevice(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// onThread runs f on the backend's GL thread, with a t that it may fail by.
func onThread(t testing.TB, b *Backend, f func(t require.TestingT)) {
	t.Helper()
	require.NoError(t, b.thread.do(context.Background(), func() error {
		f(threadT{t})
		return nil
	}))
}

// threadT fails by a panic, which the thread turns into an error: FailNow of a
// test may be called on the test's own goroutine only, and would end this one.
type threadT struct{ testing.TB }

func (threadT) FailNow() { panic("failed, see above") }
