package gpu

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/egl"
	"github.com/glattn/attention/internal/gl"
)

// owned is a context that belongs to the test and is current on its thread.
type owned struct {
	egl    *egl.Context
	closed int
}

func (o *owned) MakeCurrent() error                     { return nil }
func (o *owned) Release() error                         { return nil }
func (o *owned) ProcAddress(name string) unsafe.Pointer { return o.egl.ProcAddress(name) }
func (o *owned) Close() error                           { o.closed++; return nil }

// ownContext makes a context current on the test's thread, with state of its own:
// a program, buffers and textures at all the places that the backend uses, and an
// error that nobody asked for.
func ownContext(t *testing.T) (*owned, *gl.Context) {
	t.Helper()
	devices, err := egl.Devices()
	noDevice(t, translate(err))
	c, err := egl.Open(devices[0], egl.Options{Robust: true})
	noDevice(t, translate(err))
	runtime.LockOSThread()
	t.Cleanup(func() {
		require.NoError(t, c.Close())
		runtime.UnlockOSThread()
	})
	require.NoError(t, c.MakeCurrent())
	mine, err := gl.Load(c.ProcAddress)
	require.NoError(t, err)
	t.Cleanup(mine.Close)
	src, err := probeSource("probe/mask.comp")
	require.NoError(t, err)
	p, err := mine.CompileCompute(src.text)
	require.NoError(t, err)
	for n := range uint32(8) {
		b, err := mine.CreateBuffer(1024, "mine", gl.UsageUpload)
		require.NoError(t, err)
		require.NoError(t, mine.BindStorage(n, b, int64(n%2)*256, 512))
		require.NoError(t, mine.BindUniform(n+1, b, 0, 256)) // among them what the linked programs say, see TestOwnBindingsAreSaved
		view, err := mine.CreateTexels(b, 0, 64, gl.TexelsFloat4)
		require.NoError(t, err)
		mine.BindTexels(n%4, view)
	}
	mine.Use(p)
	require.NoError(t, mine.Check("the test's own"))
	return &owned{egl: c}, mine
}

func foreignOptions(t *testing.T, provider ContextProvider, run func(func())) Options {
	return Options{Context: provider, Run: run, CacheDir: t.TempDir(), Kernel: KernelRows, Tile: smallTile}
}

// TestOwnThreadAndContext uses the backend on the program's OpenGL thread alone.
func TestOwnThreadAndContext(t *testing.T) {
	provider, mine := ownContext(t)
	before := mine.Save()
	b, err := Open(context.Background(), foreignOptions(t, provider, func(work func()) { work() }))
	require.NoError(t, err)
	require.Equal(t, before, mine.Save(), "Open")
	c := newTestCall(t, callSpec{mask: true, bias: true})
	for range 3 {
		mine.Use(54321) // an error of the program's
		require.NoError(t, runOn(context.Background(), b, c), "is not the call's")
		requireRight(t, c)
		require.Equal(t, before, mine.Save(), "a call")
		require.NoError(t, mine.Check("a call"))
	}
	require.NoError(t, b.Close())
	require.NoError(t, b.Close())
	require.Equal(t, before, mine.Save(), "Close")
	require.Equal(t, 1, provider.closed)
	require.ErrorIs(t, runOn(context.Background(), b, c), attention.ErrClosed)
	require.NoError(t, mine.Check("Close"))
}

// TestOwnThreadFromElsewhere has goroutines call the backend while the program's
// thread draws its own things and runs what it is handed.
func TestOwnThreadFromElsewhere(t *testing.T) {
	provider, mine := ownContext(t)
	before := mine.Save()
	queue := make(chan func())
	run := func(work func()) {
		done := make(chan struct{})
		queue <- func() { defer close(done); work() }
		<-done
	}
	var group sync.WaitGroup
	group.Go(func() {
		defer close(queue)
		b, err := Open(context.Background(), foreignOptions(t, provider, run))
		if err != nil {
			t.Error(err)
			return
		}
		var calls sync.WaitGroup
		for n := range 3 {
			c := newTestCall(t, callSpec{seed: uint64(n)})
			calls.Go(func() {
				for range 5 {
					if err := runOn(context.Background(), b, c); err != nil && !errors.Is(err, attention.ErrClosed) {
						t.Error(err)
					}
				}
			})
		}
		calls.Wait()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	for work := range queue {
		work()
		require.Equal(t, before, mine.Save())
	}
	group.Wait()
}

// TestWrongRun: a Run that does not do its duty gives errors.
func TestWrongRun(t *testing.T) {
	_, err := Open(context.Background(), Options{Run: func(func()) {}})
	require.ErrorIs(t, err, attention.ErrInvalid)
	provider, mine := ownContext(t)
	_, err = Open(context.Background(), foreignOptions(t, provider, func(func()) {}))
	require.ErrorIs(t, err, attention.ErrUnavailable)

	run := func(work func()) { work() }
	b, err := Open(context.Background(), foreignOptions(t, provider, func(work func()) { run(work) }))
	require.NoError(t, err)
	c := newTestCall(t, callSpec{})
	run = func(work func()) {
		done := make(chan struct{})
		go func() { // on another thread
			runtime.LockOSThread()
			work()
			close(done)
		}()
		<-done
	}
	require.ErrorIs(t, runOn(context.Background(), b, c), attention.ErrUnavailable)
	run = func(func()) { panic("planted") }
	require.ErrorContains(t, runOn(context.Background(), b, c), "planted")
	run = func(work func()) { work() }
	require.NoError(t, runOn(context.Background(), b, c))
	requireRight(t, c)

	before := mine.Save()
	err = b.thread.do(context.Background(), func() error {
		b.c.Use(0)
		panic("a mistake of ours")
	})
	require.ErrorContains(t, err, "a mistake of ours")
	require.Equal(t, before, mine.Save(), "restored all the same")
	require.NoError(t, b.Close())
}

// lent is a context that the backend makes current on its own thread.
type lent struct{ *egl.Context }

func (lent) Close() error { return nil }

// TestLentContextComesBackAsItWas, after the backend was closed.
func TestLentContextComesBackAsItWas(t *testing.T) {
	provider, mine := ownContext(t)
	before := mine.Save()
	require.NoError(t, provider.egl.Release())
	b, err := Open(context.Background(), foreignOptions(t, lent{provider.egl}, nil))
	require.NoError(t, err)
	c := newTestCall(t, callSpec{mask: true})
	require.NoError(t, runOn(context.Background(), b, c))
	requireRight(t, c)
	require.NoError(t, b.Close())
	require.NoError(t, provider.egl.MakeCurrent())
	require.Equal(t, before, mine.Save())
	require.NoError(t, mine.Check("Close"))
}

// TestGivenContextStaysLost: only its owner can make another.
func TestGivenContextStaysLost(t *testing.T) {
	provider, _ := ownContext(t)
	opt := foreignOptions(t, provider, func(work func()) { work() })
	opt.faults = gl.NewFaults()
	b, err := Open(context.Background(), opt)
	require.NoError(t, err)
	c := newTestCall(t, callSpec{})
	require.NoError(t, runOn(context.Background(), b, c))
	opt.faults.Plant(gl.FaultInnocentReset, 40)
	require.ErrorIs(t, runOn(context.Background(), b, c), attention.ErrDeviceLost)
	opt.faults.Plant(gl.FaultNone, 0)
	for range 2 {
		require.ErrorIs(t, runOn(context.Background(), b, c), attention.ErrDeviceLost)
	}
	require.Equal(t, 1, provider.closed)
	require.NoError(t, b.Close())
	require.Equal(t, 1, provider.closed)
}

// TestOwnBindingsAreSaved asks the linked programs where their parameters are.
func TestOwnBindingsAreSaved(t *testing.T) {
	b := anyBackend(t)
	onThread(t, b, func(t require.TestingT) {
		for _, k := range []Kernel{KernelTiled, KernelRows, KernelDecode} {
			prog, err := b.programs.get(fullVariant(k))
			require.NoError(t, err)
			require.Less(t, int(prog.binding), gl.SavedUniforms)
		}
	})
}
