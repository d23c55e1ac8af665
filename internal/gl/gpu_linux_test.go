//go:build linux && cgo && !nogpu

package gl

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention/internal/egl"
)

// open gives the test a context that is current on its thread, which stays
// locked until the test ends. Without a device the test is skipped; with
// ATTN_REQUIRE=gpu it fails.
func open(t *testing.T, opt egl.Options) *Context {
	t.Helper()
	c, closer, err := load(opt)
	if errors.Is(err, egl.ErrUnavailable) && os.Getenv("ATTN_REQUIRE") != "gpu" {
		t.Skipf("NO GPU TESTED: %v", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, c.Check("the end of the test"), "an error was left behind")
		require.NoError(t, closer())
		require.NoError(t, closer(), "closed twice")
	})
	return c
}

// load opens a context on the best device and makes it current on the calling
// thread, which it locks until the closer is called.
func load(opt egl.Options) (c *Context, closer func() error, err error) {
	devices, err := egl.Devices()
	if err != nil {
		return nil, nil, err
	}
	provider, err := egl.Open(devices[0], opt)
	if err != nil {
		return nil, nil, err
	}
	runtime.LockOSThread()
	if err = provider.MakeCurrent(); err == nil {
		c, err = Load(provider.ProcAddress)
	}
	if err != nil {
		err = errors.Join(err, provider.Close())
		runtime.UnlockOSThread()
		return nil, nil, err
	}
	locked := true
	return c, func() error {
		c.Close()
		err := provider.Close()
		if locked {
			locked = false
			runtime.UnlockOSThread()
		}
		return err
	}, nil
}
