package gpu

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/gl"
)

// mistakes are replacements in the shared parts of the shaders, and a variant that
// has them.
var mistakes = []struct {
	name, from, to string
	spec           callSpec
}{
	{"causal off by one", "sequence.y + i1 + reach_right)", "sequence.y + i1 + reach_right + 1)", callSpec{}},
	{"window off by one", "sequence.y + i0 - reach_left)", "sequence.y + i0 - reach_left + 1)", callSpec{}},
	{"length ignored", "min(sequence.x, ", "min(99999, ", callSpec{}},
	{"boolean mask ignored", "keep = (mask_data[", "keep = true || (mask_data[", callSpec{mask: true}},
	{"masked weights count", "return uintBitsToFloat(WEIGHT_MASKED_BITS)", "return 0.01", callSpec{}},
	{"exponential off by one per mille", "return exp2(x);", "return exp2(x * 1.001);", callSpec{}},
}

func trialKernels() []struct {
	name string
	opt  Options
} {
	return []struct {
		name string
		opt  Options
	}{
		{"rows", Options{Kernel: KernelRows, Tile: smallTile}},
		{"tiled", Options{Kernel: KernelTiled, Tile: smallTile}},
		{"decode", Options{Kernel: KernelDecode, Tile: smallTile}},
		{"naive", Options{Kernel: KernelNaive}},
	}
}

// TestSelfTestCatchesMistakes: a wrong kernel never serves a call, and the others do.
func TestSelfTestCatchesMistakes(t *testing.T) {
	kernels := trialKernels()[:3] // the naive one, which serves no call, has masked weights nowhere
	if testing.Short() {
		kernels = kernels[:1]
	}
	for _, kernel := range kernels {
		for _, m := range mistakes {
			t.Run(kernel.name+"/"+m.name, func(t *testing.T) {
				opt, wrong := kernel.opt, true
				opt.edit = func(_ Variant, shader string) string {
					if !wrong {
						return shader
					}
					return strings.ReplaceAll(shader, m.from, m.to)
				}
				b := ownBackend(t, opt)
				c := newTestCall(t, m.spec)
				v := b.variant(c.Problem)
				src, err := v.source()
				require.NoError(t, err)
				require.Contains(t, src.text, m.from, "the mistake can be planted")

				_, err = b.Plan(context.Background(), c.Problem)
				var failed *SelfTestError
				require.ErrorAs(t, err, &failed)
				require.ErrorIs(t, err, attention.ErrSelfTest)
				require.ErrorIs(t, err, attention.ErrUnsupported)
				require.Equal(t, SelfTestError{Variant: v, Device: b.Device().Renderer, Detail: failed.Detail}, *failed)
				require.Equal(t, err, b.Supports(c.Problem), "refused from now on, with the reason")
				require.Equal(t, err, b.Health().Refused[v.String()])
				requireClean(t, b)

				wrong = false // for variants that are compiled from now on
				other := newTestCall(t, callSpec{options: attention.Options{Softcap: 9}})
				require.NoError(t, runOn(context.Background(), b, other))
				requireRight(t, other)
			})
		}
	}
}

// TestSelfTestPassesRightKernels with little to spare for others, and much for these.
func TestSelfTestPassesRightKernels(t *testing.T) {
	for _, kernel := range trialKernels() {
		b := sharedBackend(t, kernel.name+" trials", kernel.opt)
		for _, s := range []callSpec{{}, {d: 1, dv: 5}, {bias: true, mask: true, options: attention.Options{Softcap: 2}}} {
			p := newTestCall(t, s).Problem
			if s.d == 0 && s.bias {
				p.K, p.V = attention.Q8_0, attention.BFloat16
			}
			v := b.variant(p)
			v.Guarded = kernel.opt.Kernel == KernelRows
			onThread(t, b, func(t require.TestingT) {
				_, err := b.programs.get(v)
				require.NoError(t, err)
				start := time.Now()
				detail, err := b.examine(v)
				require.NoError(t, err)
				require.Empty(t, detail, "%v", v)
				require.Less(t, time.Since(start), 3*time.Second)
			})
		}
	}
}

// TestJudge: each way to be wrong is found, and described.
func TestJudge(t *testing.T) {
	fresh := func() *attention.Call {
		c, err := trialCall(Variant{Kernel: KernelTiled, Dim4: 1, Value4: 1, K: attention.Float32, V: attention.Float32, BoolMask: true,
			Tile: Tile{ThreadsX: 4, ThreadsY: 2, Rows: 2, Keys: 4}})
		require.NoError(t, err)
		p := c.Problem
		q, k, v := floats(c.In.Q), floats(c.In.K), floats(c.In.V)
		for b := range p.Batch {
			for h := range p.Heads {
				for i := range p.QueryLen {
					kv, at := b*p.KVHeads+h/p.Group(), (b*p.Heads+h)*p.QueryLen+i
					o, lse := expected(c, b, h, i, q[at*p.Dim:], k[kv*p.KeyLen*p.Dim:], v[kv*p.KeyLen*p.ValueDim:])
					for d, x := range o {
						c.Out.O.Set(b, h, i, d, x)
					}
					c.Out.LSE.Set(b, h, i, 0, lse)
				}
			}
		}
		requireRight(t, c)
		return c
	}
	require.Empty(t, judge(fresh()))
	c := fresh()
	require.Zero(t, c.Out.O.At(0, 3, 0, 1), "the row that sees nothing")
	for _, x := range []float64{math.NaN(), math.Inf(1), 1e-3, -1e-3} {
		c := fresh()
		c.Out.O.Set(0, 3, 0, 1, x)
		require.Contains(t, judge(c), "O[0 3 0 1] is ")
		c = fresh()
		c.Out.LSE.Set(0, 3, 0, 0, x)
		require.Contains(t, judge(c), "LSE[0 3 0 0] is ")
		c = fresh()
		c.Out.O.Set(1, 2, 4, 2, c.Out.O.At(1, 2, 4, 2)+x)
		require.Contains(t, judge(c), "O[1 2 4 2] is ")
	}
}

// TestVerdictsAreRemembered: a process that comes later on the same driver runs no
// self-test, and neither trusts what failed before a day is over.
func TestVerdictsAreRemembered(t *testing.T) {
	mistake := func(_ Variant, shader string) string {
		return strings.ReplaceAll(shader, mistakes[0].from, mistakes[0].to)
	}
	for name, edit := range map[string]func(Variant, string) string{"right": nil, "wrong": mistake} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := newTestCall(t, callSpec{})
			plan := func(later time.Duration) (waits int, err error) {
				faults := gl.NewFaults()
				b := ownBackend(t, Options{Kernel: KernelRows, Tile: smallTile, CacheDir: dir, faults: faults, edit: edit})
				onThread(t, b, func(require.TestingT) {
					b.programs.disk.now = func() time.Time { return time.Now().Add(later) }
				})
				faults.Plant(gl.FaultWaitFails, -1)
				_, err = b.Plan(context.Background(), c.Problem)
				return len(faults.Calls()), err
			}
			tested, first := plan(0)
			require.Positive(t, tested, "the self-test waits for the device")
			waits, err := plan(time.Hour)
			require.Zero(t, waits, "no test the second time")
			waits, last := plan(25 * time.Hour)
			if edit == nil {
				require.NoError(t, first)
				require.NoError(t, err)
				require.NoError(t, last)
				require.Zero(t, waits)
				return
			}
			var failed *SelfTestError
			require.ErrorAs(t, first, &failed)
			require.False(t, failed.Earlier)
			detail := failed.Detail
			require.ErrorAs(t, err, &failed)
			require.True(t, failed.Earlier)
			require.Equal(t, detail, failed.Detail)
			require.Equal(t, tested, waits, "a failure is not for ever")
			require.ErrorAs(t, last, &failed)
			require.False(t, failed.Earlier)
		})
	}
}

func TestSelfTestCanBeSkipped(t *testing.T) {
	b := ownBackend(t, Options{SkipSelfTest: true, Kernel: KernelRows, Tile: smallTile, edit: func(_ Variant, shader string) string {
		return strings.ReplaceAll(shader, mistakes[0].from, mistakes[0].to)
	}})
	require.NoError(t, runOn(context.Background(), b, newTestCall(t, callSpec{})))
}
