package gpu

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/gl"
)

func TestDevices(t *testing.T) {
	list, err := Devices()
	noDevice(t, err)
	require.NotEmpty(t, list)
	for n, d := range list {
		require.Equal(t, n, d.Index)
		require.NotEmpty(t, d.Platform)
	}
	_, err = Open(context.Background(), Options{Device: len(list), CacheDir: t.TempDir()})
	require.ErrorIs(t, err, attention.ErrUnavailable, "no such device")
}

func TestOpenHonoursContexts(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Open(ctx, Options{Device: -1, CacheDir: t.TempDir()})
	require.ErrorIs(t, err, context.Canceled)
}

func TestDeviceInfo(t *testing.T) {
	b := anyBackend(t)
	i := b.Device()
	require.Equal(t, "gpu", b.Name())
	require.NotEmpty(t, i.Vendor)
	require.NotEmpty(t, i.Renderer)
	require.NotEmpty(t, i.Version)
	require.NotEmpty(t, i.GLSL)
	require.GreaterOrEqual(t, i.MaxSharedBytes, 32<<10)
	require.GreaterOrEqual(t, i.MaxInvocations, 1024)
	require.GreaterOrEqual(t, i.MaxSSBOBytes, int64(1<<24))
	require.LessOrEqual(t, i.MaxSSBOBytes, int64(math.MaxInt32), "shaders count in ints")
	require.Equal(t, i.Software, b.Software())
}

func TestRefusals(t *testing.T) {
	b := anyBackend(t)
	good := newTestCall(t, callSpec{}).Problem
	for name, change := range map[string]func(*attention.Problem){
		"dim 577":         func(p *attention.Problem) { p.Dim = 577 },
		"value dim 10000": func(p *attention.Problem) { p.ValueDim = 10000 },
	} {
		p := good
		change(&p)
		var refused *attention.UnsupportedError
		require.ErrorAs(t, b.Supports(p), &refused)
		require.Equal(t, attention.UnsupportedError{Backend: "gpu", Feature: name, Limit: "at most 576"}, *refused)
		_, err := b.Plan(context.Background(), p)
		require.ErrorIs(t, err, attention.ErrUnsupported, name)
	}
	p := good
	p.KeyLen, p.Batch = 1<<29, 1
	if b.Software() {
		require.ErrorIs(t, b.Supports(p), attention.ErrUnsupported, "more partial results than loops can go through")
	}
	p.KeyLen, p.Bias = 1<<20, attention.Float32
	require.NoError(t, b.Supports(p), "biases beyond any buffer")
	large := b.limits.MaxSSBOBytes
	b.limits.MaxSSBOBytes = 1 << 12
	require.ErrorIs(t, b.Supports(p), attention.ErrUnsupported, "not even a step fits")
	b.limits.MaxSSBOBytes = large
	require.NoError(t, b.Supports(good))
}

// TestNoErrorStateIsLeftBehind checks OpenGL's own error flag around calls.
func TestNoErrorStateIsLeftBehind(t *testing.T) {
	b := anyBackend(t)
	for _, s := range []callSpec{{}, {bias: true, mask: true}, {lq: 1}, {d: 7, dv: 5}} {
		requireClean(t, b)
		c := newTestCall(t, s)
		require.NoError(t, runOn(context.Background(), b, c))
		requireRight(t, c)
		requireClean(t, b)
	}
}

// TestDebugContextIsSilent: its complaints would fail the calls.
func TestDebugContextIsSilent(t *testing.T) {
	b := ownBackend(t, Options{Debug: true})
	for _, s := range []callSpec{{bias: true, mask: true, options: attention.Options{Softcap: 3}}, {lq: 1}} {
		c := newTestCall(t, s)
		require.NoError(t, runOn(context.Background(), b, c))
		requireRight(t, c)
		require.Empty(t, b.messages)
	}
	c := newTestCall(t, callSpec{})
	require.NoError(t, b.thread.do(context.Background(), func() error {
		b.note(gl.DebugMessage{Type: "performance", Text: "chat"})
		return nil
	}))
	require.Empty(t, b.messages, "advice is no mistake")
	b.note(gl.DebugMessage{Type: "error", Text: "of an earlier call"})
	require.NoError(t, runOn(context.Background(), b, c), "what an earlier call caused is not this one's")
}

// TestDebugMessagesAreErrors makes OpenGL complain during a call.
func TestDebugMessagesAreErrors(t *testing.T) {
	b := ownBackend(t, Options{Debug: true})
	onThread(t, b, func(t require.TestingT) {
		b.messages = nil
		b.c.Use(gl.Program(54321))
		require.Error(t, b.c.Check("test"), "no such program")
		require.NotEmpty(t, b.messages)
	})
	c := newTestCall(t, callSpec{})
	require.NoError(t, runOn(context.Background(), b, c))
}

// TestNaNPassesSoftcap: min and max of shaders drop NaN, which an allowed key must
// bring to the output.
func TestNaNPassesSoftcap(t *testing.T) {
	for _, k := range kernelsUnderTest {
		b := sharedBackend(t, k.name, k.opt)
		for _, lq := range []int{1, 19} {
			c := newTestCall(t, callSpec{lq: lq, options: attention.Options{Softcap: 5, Causal: attention.BottomRight}})
			last := c.Problem.KeyLen - 1
			c.In.K.Set(1, 1, last, 3, math.NaN())
			require.NoError(t, runOn(context.Background(), b, c))
			for h := range c.Problem.Heads {
				for i := range lq {
					want := h >= 2 && i == lq-1 // the heads of KV head 1, and the query that sees the last key
					require.Equal(t, want, math.IsNaN(c.Out.O.At(1, h, i, 0)), "%s: head %d, query %d of %d", k.name, h, i, lq)
					require.Equal(t, want, math.IsNaN(c.Out.LSE.At(1, h, i, 0)), "%s: head %d, query %d of %d", k.name, h, i, lq)
				}
			}
		}
	}
}

// TestManyBatchEntries: work groups along an axis are counted in 16 bits on some
// devices.
func TestManyBatchEntries(t *testing.T) {
	b := anyBackend(t)
	c := newTestCall(t, callSpec{batch: 70_000, heads: 1, kvHeads: 1, lq: 1, lk: 2, d: 1})
	require.NoError(t, runOn(context.Background(), b, c))
	requireRight(t, c)
}

func TestPlanServesShorterCalls(t *testing.T) {
	b := anyBackend(t)
	large := newTestCall(t, callSpec{lk: 90}).Problem
	plan, err := b.Plan(context.Background(), large)
	require.NoError(t, err)
	require.Equal(t, b.variant(large).String(), plan.String())
	for _, lk := range []int{1, 2, 31, 90} {
		c := newTestCall(t, callSpec{lk: lk})
		require.True(t, large.Fits(c.Problem))
		require.NoError(t, plan.Run(context.Background(), c))
		requireRight(t, c)
	}
	require.NoError(t, plan.Close())
}

func TestTwoBackendsInOneProcess(t *testing.T) {
	first, second := ownBackend(t, Options{}), ownBackend(t, Options{})
	c := newTestCall(t, callSpec{})
	require.NoError(t, runOn(context.Background(), first, c))
	bits := outputBits(c)
	require.NoError(t, runOn(context.Background(), second, c))
	require.Equal(t, bits, outputBits(c))
	require.NoError(t, first.Close())
	blank(c)
	require.NoError(t, runOn(context.Background(), second, c), "closing one leaves the other alone")
	require.Equal(t, bits, outputBits(c))
}

// TestConcurrentCalls runs different calls from many goroutines on one backend and
// on one plan.
func TestConcurrentCalls(t *testing.T) {
	b := anyBackend(t)
	specs := []callSpec{{}, {bias: true}, {lq: 1}, {mask: true, d: 12}}
	var group sync.WaitGroup
	for n, s := range specs {
		s.seed = uint64(n)
		want := newTestCall(t, s)
		require.NoError(t, runOn(context.Background(), b, want))
		requireRight(t, want)
		plan, err := b.Plan(context.Background(), want.Problem)
		require.NoError(t, err)
		for range 4 {
			c := newTestCall(t, s)
			group.Go(func() {
				for range 5 {
					blank(c)
					if err := plan.Run(context.Background(), c); err != nil {
						t.Error(err)
					}
					if got := outputBits(c); !equalBits(got, outputBits(want)) {
						t.Errorf("%+v: other bits than alone", s)
					}
				}
			})
		}
	}
	group.Wait()
}

func equalBits(a, b []uint32) bool {
	for n := range a {
		if a[n] != b[n] {
			return false
		}
	}
	return len(a) == len(b)
}

// TestCloseDuringWork closes a backend under calls: each gives its result or
// ErrClosed, and nothing after that.
func TestCloseDuringWork(t *testing.T) {
	for range 3 {
		b := ownBackend(t, Options{})
		c := newTestCall(t, callSpec{})
		plan, err := b.Plan(context.Background(), c.Problem)
		require.NoError(t, err)
		var group sync.WaitGroup
		for n := range 4 {
			c := newTestCall(t, callSpec{seed: uint64(n)})
			group.Go(func() {
				for {
					err := plan.Run(context.Background(), c)
					if errors.Is(err, attention.ErrClosed) {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		time.Sleep(5 * time.Millisecond)
		for range 2 {
			group.Go(func() {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		require.ErrorIs(t, plan.Run(context.Background(), c), attention.ErrClosed)
		_, err = b.Plan(context.Background(), c.Problem)
		require.ErrorIs(t, err, attention.ErrClosed)
		_, err = b.MeasureRoofs(context.Background())
		require.ErrorIs(t, err, attention.ErrClosed)
		require.NoError(t, b.Close(), "closed again")
	}
}

func TestRunHonoursContexts(t *testing.T) {
	b := anyBackend(t)
	c := newTestCall(t, callSpec{})
	plan, err := b.Plan(context.Background(), c.Problem)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	blank(c)
	require.ErrorIs(t, plan.Run(ctx, c), context.Canceled)
	for _, v := range c.Out.O.Float32s() {
		require.True(t, math.IsNaN(float64(v)), "nothing was written")
	}
	_, err = b.Plan(ctx, c.Problem)
	require.ErrorIs(t, err, context.Canceled)

	onThread(t, b, func(t require.TestingT) { // so that the call takes many dispatches
		for _, prog := range b.programs.made {
			prog.pace = pace{flops: 1}
		}
	})
	long := newTestCall(t, callSpec{batch: 64, lq: 64, lk: 256})
	ctx, cancel = context.WithTimeout(context.Background(), 2*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, runOn(ctx, b, long), context.DeadlineExceeded, "between dispatches")
	requireClean(t, b)
	require.NoError(t, plan.Run(context.Background(), c), "and the backend goes on")
	requireRight(t, c)
}

// TestNothingLeaks opens, uses and closes backends and counts what is left.
func TestNothingLeaks(t *testing.T) {
	cycle := func() {
		b, err := Open(context.Background(), Options{Device: -1, CacheDir: t.TempDir()})
		noDevice(t, err)
		c := newTestCall(t, callSpec{})
		require.NoError(t, runOn(context.Background(), b, c))
		require.NoError(t, b.Close())
	}
	cycle()
	before := runtime.NumGoroutine()
	for range 3 {
		cycle()
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) { // the last of them may be on its way out
		time.Sleep(time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before, "goroutines")
}

// TestCallsLeakNoBuffers counts the buffers that live.
func TestCallsLeakNoBuffers(t *testing.T) {
	b := ownBackend(t, Options{})
	live := func() (n int) {
		onThread(t, b, func(require.TestingT) {
			for name := range gl.Buffer(2000) {
				if b.c.BufferSize(name) > 0 {
					n++
				}
			}
		})
		return n
	}
	specs := []callSpec{{}, {bias: true, mask: true}, {lq: 1, lk: 300}}
	use := func() {
		for _, s := range specs {
			require.NoError(t, runOn(context.Background(), b, newTestCall(t, s)))
		}
	}
	use()
	before := live()
	for range 5 {
		use()
	}
	b.c.Inject("Dispatch", errPlanted)
	require.ErrorIs(t, runOn(context.Background(), b, newTestCall(t, specs[1])), errPlanted)
	b.c.Inject("Dispatch", nil)
	require.Equal(t, before, live(), "a steady state")
	onThread(t, b, func(require.TestingT) {
		b.buffers.drop()
		b.returns.drop()
	})
	require.Equal(t, 1, live(), "all but the parameters are lent and given back")
}

func TestMeasureRoofs(t *testing.T) {
	if testing.Short() {
		t.Skip("seconds of measuring")
	}
	b := anyBackend(t)
	roofs, err := b.MeasureRoofs(context.Background())
	require.NoError(t, err)
	for name, rate := range map[string]float64{"fma": roofs.FMAGFLOPs, "read": roofs.ReadGBs, "upload": roofs.UploadGBs, "download": roofs.DownloadGBs} {
		require.Greater(t, rate, 0.01, name)
		require.Less(t, rate, 1e6, name)
	}
	requireClean(t, b)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = b.MeasureRoofs(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// providerSpy counts how often it is closed and opens nothing.
type providerSpy struct{ closed int }

func (p *providerSpy) MakeCurrent() error                { return attention.ErrUnavailable }
func (p *providerSpy) Release() error                    { return nil }
func (p *providerSpy) ProcAddress(string) unsafe.Pointer { return nil }
func (p *providerSpy) Close() error                      { p.closed++; return nil }

func TestOpenClosesTheGivenContext(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for name, ctx := range map[string]context.Context{"refused": context.Background(), "cancelled": cancelled} {
		t.Run(name, func(t *testing.T) {
			spy := &providerSpy{}
			_, err := Open(ctx, Options{Context: spy})
			require.Error(t, err)
			require.Equal(t, 1, spy.closed)
		})
	}
}
