//go:build cgo && !nogpu && (windows || (linux && glfw))

package glfw

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention/internal/gl"
)

// TestMain runs all tests on one thread, for GLFW's sake.
func TestMain(m *testing.M) {
	jobs := make(chan func())
	run = func(f func()) {
		done := make(chan struct{})
		jobs <- func() { defer close(done); f() }
		<-done
	}
	go func() {
		runtime.LockOSThread()
		for f := range jobs {
			f()
		}
	}()
	os.Exit(m.Run())
}

// run runs f on the thread that owns GLFW.
var run func(f func())

// required reports whether the test has to go on without a window system.
func required() bool { return os.Getenv("ATTN_REQUIRE") == "gpu" }

func TestContextLife(t *testing.T) {
	for _, opt := range []Options{{}, {Debug: true}, {Robust: true}, {Debug: true, Robust: true}} {
		var c *Context
		var errs []error
		var info gl.Info
		run(func() {
			var err error
			if c, err = Open(opt); err != nil {
				errs = append(errs, err)
				return
			}
			errs = append(errs, c.Release(), c.MakeCurrent())
			loaded, err := gl.Load(c.ProcAddress)
			errs = append(errs, err)
			if err == nil {
				info = loaded.Info()
				p, err := loaded.CompileCompute("#version 430 core\nlayout(local_size_x = 1) in;\nvoid main() {}\n")
				errs = append(errs, err)
				loaded.Use(p)
				errs = append(errs, loaded.Dispatch(1, 1, 1), loaded.Finish())
				loaded.DeleteProgram(p)
				loaded.Close()
			}
			errs = append(errs, c.Release(), c.MakeCurrent(), c.Close(), c.Close(), c.Release())
		})
		err := errors.Join(errs...)
		if errors.Is(err, ErrUnavailable) && !required() {
			t.Skipf("NO GLFW TESTED: %v", err)
		}
		require.NoError(t, err, "%+v", opt)
		t.Logf("%+v: %s, robust %v", opt, info.Renderer, info.Robust)
		require.True(t, info.Major > 4 || info.Major == 4 && info.Minor >= 3)
		run(func() { err = c.MakeCurrent() })
		require.ErrorIs(t, err, errClosed)
	}
}

// Without a current context GLFW panics; here the answer is nil.
func TestProcAddressWithoutContext(t *testing.T) {
	var c *Context
	var err, closed error
	found := false
	run(func() {
		if c, err = Open(Options{}); err == nil {
			found = c.ProcAddress("glDispatchCompute") != nil
			closed = c.Close()
		}
	})
	if errors.Is(err, ErrUnavailable) && !required() {
		t.Skipf("NO GLFW TESTED: %v", err)
	}
	require.NoError(t, err)
	require.False(t, found)
	require.NoError(t, closed)
}

func TestGuard(t *testing.T) {
	planted := errors.New("planted")
	require.ErrorIs(t, guard("op", func() error { panic(planted) }), planted)
	require.EqualError(t, guard("op", func() error { panic("word") }), "glfw: op: word")
	require.EqualError(t, guard("op", func() error { return planted }), "glfw: op: planted")
	require.NoError(t, guard("op", func() error { return nil }))
}
