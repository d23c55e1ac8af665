package cpu

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

func bits(t attention.Tensor) []uint32 {
	var all []uint32
	each(t, func(b, h, i, d int) { all = append(all, math.Float32bits(float32(t.At(b, h, i, d)))) })
	return all
}

func TestBitsDoNotDependOnThreadsOrRepeats(t *testing.T) {
	for _, lq := range []int{1, 3, 100} {
		call := makeCall(t, spec{shape: shape(2, 6, 2, lq, 1100, 16, 16), lse: true})
		var first []uint32
		for _, threads := range []int{1, 2, 3, 8} {
			for range 5 {
				again := recall(t, call, false)
				run(t, New(Options{Threads: threads}), again)
				got := append(bits(again.Out.O), bits(again.Out.LSE)...)
				if first == nil {
					first = got
				}
				require.True(t, slices.Equal(first, got), "lq=%d threads=%d", lq, threads)
			}
		}
	}
}

func TestBitsDoNotDependOnBatch(t *testing.T) {
	for _, lq := range []int{1, 3, 100} {
		all := makeCall(t, spec{shape: shape(3, 4, 2, lq, 700, 16, 16), lengths: []int{700, 300, 513}, lse: true})
		run(t, New(Options{}), all)
		for b := range 3 {
			in := attention.Inputs{Lengths: all.In.Lengths[b : b+1]}
			for from, to := range map[*attention.Tensor]*attention.Tensor{&all.In.Q: &in.Q, &all.In.K: &in.K, &all.In.V: &in.V} {
				*to = from.Slice(attention.AxisBatch, b, b+1)
			}
			alone := recall(t, &attention.Call{Problem: all.Problem, In: in}, false)
			run(t, New(Options{}), alone)
			require.Equal(t, bits(all.Out.O.Slice(attention.AxisBatch, b, b+1)), bits(alone.Out.O), "lq=%d batch=%d", lq, b)
			require.Equal(t, bits(all.Out.LSE.Slice(attention.AxisBatch, b, b+1)), bits(alone.Out.LSE))
		}
	}
}

// alone copies one batch entry into storage of its own, that ends where the entry does
// or goes on with NaN.
func alone(t attention.Tensor, b int, more int) attention.Tensor {
	s := t.Shape()
	data := make([]float32, s[1]*s[2]*s[3]+more)
	for n := range data {
		data[n] = float32(math.NaN())
	}
	to := attention.NewFloat32(data, 1, s[1], s[2], s[3])
	each(to, func(_, h, i, d int) { to.Set(0, h, i, d, t.At(b, h, i, d)) })
	return to
}

// TestBitsDoNotDependOnWhatLiesBehind compares batch entries with the same ones alone in
// storage that ends with them, or goes on with NaN: widths that are no whole vectors are
// read beyond the end of rows.
func TestBitsDoNotDependOnWhatLiesBehind(t *testing.T) {
	for _, width := range []int{1, 5, 8, 21, 40, 72, 111} {
		for _, lk := range []int{3, 4, 5, 100, 513} {
			for _, masked := range []bool{false, true} {
				for _, lq := range []int{1, 20} {
					all := makeCall(t, spec{shape: shape(2, 2, 1, lq, lk, width, width), masked: masked, lse: true})
					each(all.In.V, func(b, h, i, d int) { // of the second entry
						if b == 1 && i == 0 {
							all.In.V.Set(b, h, i, d, math.NaN())
						}
					})
					run(t, New(Options{}), all)
					for _, more := range []int{0, 64} {
						in := attention.Inputs{Q: alone(all.In.Q, 0, more), K: alone(all.In.K, 0, more), V: alone(all.In.V, 0, more)}
						if masked {
							in.Mask = all.In.Mask.Slice(attention.AxisBatch, 0, 1)
						}
						one := recall(t, &attention.Call{Problem: all.Problem, In: in}, false)
						run(t, New(Options{}), one)
						require.Equal(t, bits(all.Out.O.Slice(attention.AxisBatch, 0, 1)), bits(one.Out.O), "width=%d lk=%d lq=%d masked=%v more=%d", width, lk, lq, masked, more)
					}
				}
			}
		}
	}
}

// TestInfiniteKeys puts an infinite number into a key, which makes scores of ±Inf
// without any mask, and NaN into its value, which scores of −Inf must not meet.
func TestInfiniteKeys(t *testing.T) {
	for _, lq := range []int{1, 20, 32, 100} {
		for _, lk := range []int{40, 600} {
			for _, dtype := range []attention.DType{f32, f16} {
				for _, causal := range []attention.Align{attention.Off, attention.BottomRight} {
					for _, x := range []float64{math.Inf(1), math.Inf(-1)} {
						call := makeCall(t, spec{shape: shape(1, 1, 1, lq, lk, 40, 24), v: dtype, lse: true, options: attention.Options{Causal: causal}})
						each(call.In.Q, func(b, h, i, d int) { call.In.Q.Set(b, h, i, d, math.Abs(call.In.Q.At(b, h, i, d))) })
						call.In.K.Set(0, 0, 3, 5, x)
						call.In.V.Set(0, 0, 3, 7, math.NaN())
						want := recall(t, call, false)
						run(t, NewReference(), want)
						run(t, New(Options{}), call)
						requireClose(t, want.Out.O, call.Out.O, 2e-5)
						requireClose(t, want.Out.LSE, call.Out.LSE, 2e-5)
					}
				}
			}
		}
	}
}

func TestOnePlanServesManyCallsAtOnce(t *testing.T) {
	large := makeCall(t, spec{shape: shape(2, 4, 2, 8, 1200, 16, 16)})
	plan, err := New(Options{Threads: 2}).Plan(t.Context(), large.Problem)
	require.NoError(t, err)
	var calls sync.WaitGroup
	for n := range 6 {
		call := makeCall(t, spec{shape: shape(1+n%2, 4, 2, 1+n, 200*(1+n), 16, 16)})
		require.True(t, large.Problem.Fits(call.Problem))
		want := recall(t, call, false)
		run(t, NewReference(), want)
		calls.Go(func() {
			for range 5 {
				if err := plan.Run(t.Context(), call); err != nil {
					t.Error(err)
				}
			}
			each(want.Out.O, func(b, h, i, d int) {
				if x, y := want.Out.O.At(b, h, i, d), call.Out.O.At(b, h, i, d); !agree(x, y, 2e-5) {
					t.Errorf("call %d: want %v, got %v", n, x, y)
				}
			})
		})
	}
	calls.Wait()
}

// TestCancelTakesEffectSoon allows ten times what an idle machine takes at most, 10 ms.
func TestCancelTakesEffectSoon(t *testing.T) {
	for _, c := range []struct {
		name string
		spec spec
	}{
		{"panels", spec{shape: shape(1, 8, 8, 2048, 2048, 64, 64)}},
		{"wide panels with everything", spec{shape: shape(1, 2, 1, 1024, 2048, 576, 576), masked: true, bias: f16, options: attention.Options{Softcap: 30}}},
		{"rows", spec{shape: shape(8, 32, 8, 1, 2048, 128, 128), k: f16, v: f16}},
		{"wide rows", spec{shape: shape(4, 16, 4, 4, 4096, 576, 512)}},
		{"blocks", spec{shape: shape(8, 32, 8, 1, 2048, 128, 128), k: attention.Q8_0, v: attention.Q8_0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			call := makeCall(t, c.spec)
			plan, err := New(Options{}).Plan(t.Context(), call.Problem)
			require.NoError(t, err)
			for range 5 {
				var cancelled atomic.Int64
				start := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Millisecond, func() { cancelled.Store(int64(time.Since(start))); cancel() })
				for err = nil; err == nil; { // calls of a few milliseconds, until one is hit
					err = plan.Run(ctx, call)
				}
				took := time.Since(start) - time.Duration(cancelled.Load())
				require.ErrorIs(t, err, context.Canceled)
				t.Log(took)
				require.Less(t, took, 100*time.Millisecond)
			}
		})
	}
}

// TestManyCallsAtOnce runs small calls from many goroutines over one plan: none may
// see the numbers of another.
func TestManyCallsAtOnce(t *testing.T) {
	var calls sync.WaitGroup
	backend := New(Options{})
	for _, lq := range []int{1, 20} {
		first := makeCall(t, spec{shape: shape(1, 4, 2, lq, 64, 32, 32)})
		plan, err := backend.Plan(t.Context(), first.Problem)
		require.NoError(t, err)
		run(t, backend, first)
		want := bits(first.Out.O)
		for range 32 {
			call := recall(t, first, false)
			calls.Go(func() {
				for range 50 {
					if err := plan.Run(t.Context(), call); err != nil {
						t.Error(err)
					}
				}
				if !slices.Equal(want, bits(call.Out.O)) {
					t.Errorf("lq=%d: other bits than alone", lq)
				}
			})
		}
	}
	calls.Wait()
}

func TestClosed(t *testing.T) {
	call := makeCall(t, spec{shape: shape(1, 1, 1, 2, 2, 2, 2)})
	backend := New(Options{})
	plan, err := backend.Plan(t.Context(), call.Problem)
	require.NoError(t, err)
	other, err := backend.Plan(t.Context(), call.Problem)
	require.NoError(t, err)
	require.NoError(t, plan.Close())
	require.ErrorIs(t, plan.Run(t.Context(), call), attention.ErrClosed)
	require.NoError(t, other.Run(t.Context(), call))
	require.NoError(t, backend.Close())
	require.ErrorIs(t, other.Run(t.Context(), call), attention.ErrClosed)
	_, err = backend.Plan(t.Context(), call.Problem)
	require.ErrorIs(t, err, attention.ErrClosed)
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	for _, lq := range []int{1, 100} {
		call := makeCall(t, spec{shape: shape(1, 4, 2, lq, 1100, 16, 16), k: f16, lse: true})
		plan, err := New(Options{Threads: 2}).Plan(t.Context(), call.Problem)
		require.NoError(t, err)
		ctx := t.Context()
		count := testing.AllocsPerRun(20, func() {
			if err := plan.Run(ctx, call); err != nil {
				t.Error(err)
			}
		})
		if !raceEnabled { // the race detector makes sync.Pool forget
			require.Zero(t, count, "lq=%d", lq)
		}
	}
}

// TestHelpersEnd lets helpers of many calls at once go from call to call, and then
// counts goroutines: none may stay.
func TestHelpersEnd(t *testing.T) {
	before := runtime.NumGoroutine()
	backend := New(Options{Threads: 4})
	call := makeCall(t, spec{shape: shape(2, 8, 8, 1, 2048, 64, 64)})
	run(t, backend, call)
	want := bits(call.Out.O)
	plan, err := backend.Plan(t.Context(), call.Problem)
	require.NoError(t, err)
	var callers sync.WaitGroup
	for range 3 {
		own := recall(t, call, false)
		callers.Go(func() {
			for range 100 {
				if err := plan.Run(t.Context(), own); err != nil {
					t.Error(err)
				}
				if !slices.Equal(want, bits(own.Out.O)) {
					t.Error("other bits than alone")
				}
			}
		})
	}
	callers.Wait()
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 5*time.Second, time.Millisecond) // and the one of Eventually
	for n := range backend.crew.seats {
		require.Nil(t, backend.crew.seats[n].worker.Load())
	}
}

// TestPanicsReachTheCaller breaks the contract of Run: the lengths change after
// the call was checked. The panic must be one that the caller can recover.
func TestPanicsReachTheCaller(t *testing.T) {
	for _, lq := range []int{1, 100} {
		for _, backend := range []attention.Backend{New(Options{Threads: 2}), NewReference()} {
			call := makeCall(t, spec{shape: shape(2, 4, 4, lq, 1100, 16, 16), lengths: []int{1100, 1100}})
			plan, err := backend.Plan(t.Context(), call.Problem)
			require.NoError(t, err)
			call.In.Lengths[0], call.In.Lengths[1] = 1<<20, 1<<20
			call.In.K, call.In.V = call.In.K.Slice(attention.AxisSequence, 0, 1), call.In.V.Slice(attention.AxisSequence, 0, 1)
			call.Problem.KeyLen = 1 << 20
			value := func() (value any) {
				defer func() { value = recover() }()
				_ = plan.Run(t.Context(), call)
				return nil
			}()
			var caught *workerPanic
			require.IsType(t, caught, value, "%s lq=%d", backend.Name(), lq)
			caught = value.(*workerPanic)
			require.ErrorContains(t, caught, "out of range")
			require.Regexp(t, `cpu\.\(\*worker\)\.main|cpu\.ReferenceRow`, string(caught.stack), "the stack is that of the goroutine")

			fine := makeCall(t, spec{shape: shape(2, 4, 4, lq, 1100, 16, 16), lengths: []int{1100, 1100}})
			require.NoError(t, plan.Run(t.Context(), fine), "the plan stays usable")
		}
	}
}
