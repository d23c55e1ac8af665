package attention

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProblemIsAKey(t *testing.T) {
	cache := map[Problem]int{baseProblem: 1}
	same := baseProblem
	require.Equal(t, 1, cache[same])
	same.Softcap = 30
	require.Zero(t, cache[same])
}

func TestFits(t *testing.T) {
	plan := baseProblem
	plan.Batch, plan.QueryLen, plan.KeyLen = 2, 16, 64
	for name, c := range map[string]struct {
		change func(*Problem)
		want   bool
	}{
		"itself":       {func(*Problem) {}, true},
		"empty":        {func(p *Problem) { p.Batch, p.QueryLen, p.KeyLen = 0, 0, 0 }, true},
		"fewer keys":   {func(p *Problem) { p.KeyLen = 63 }, true},
		"more keys":    {func(p *Problem) { p.KeyLen = 65 }, false},
		"more queries": {func(p *Problem) { p.QueryLen = 17 }, false},
		"more batches": {func(p *Problem) { p.Batch = 3 }, false},
		"heads":        {func(p *Problem) { p.Heads, p.KVHeads = 1, 1 }, false},
		"dim":          {func(p *Problem) { p.Dim = 4 }, false},
		"option":       {func(p *Problem) { p.Causal = TopLeft }, false},
		"scale":        {func(p *Problem) { p.Scale = 2 }, false},
		"dtype":        {func(p *Problem) { p.K = Float16 }, false},
		"lse":          {func(p *Problem) { p.LSE = true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			call := plan
			c.change(&call)
			require.Equal(t, c.want, plan.Fits(call))
		})
	}
}

func TestValidateChecksTypes(t *testing.T) {
	require.NoError(t, baseProblem.Validate())
	const floats, cached = "f32, f16 or bf16", "f32, f16, bf16 or q8_0"
	want := map[string]string{"Q": floats, "K": cached, "V": cached, "O": floats, "bias": floats}
	for arg, change := range map[string]func(*Problem, DType){
		"Q":    func(p *Problem, t DType) { p.Q = t },
		"K":    func(p *Problem, t DType) { p.K = t },
		"V":    func(p *Problem, t DType) { p.V = t },
		"O":    func(p *Problem, t DType) { p.O = t },
		"bias": func(p *Problem, t DType) { p.Bias = t },
	} {
		for _, dtype := range []DType{NoType, Float32, Float16, BFloat16, Bool, Q8_0, 99} {
			p := baseProblem
			change(&p, dtype)
			if dtype.IsFloat() || arg == "bias" && dtype == NoType || (arg == "K" || arg == "V") && dtype == Q8_0 {
				require.NoError(t, p.Validate(), "%s %v", arg, dtype)
				continue
			}
			var wrong *TypeError
			require.ErrorAs(t, p.Validate(), &wrong, "%s %v", arg, dtype)
			require.Equal(t, TypeError{Arg: arg, Got: dtype, Want: want[arg]}, *wrong)
		}
	}
}

func TestCapacity(t *testing.T) {
	p := baseProblem
	plans := map[Problem]bool{}
	for n := 0; n <= 5000; n++ {
		p.QueryLen, p.KeyLen = 1, n
		capacity := p.Capacity()
		require.NoError(t, capacity.Validate())
		require.True(t, capacity.Fits(p))
		require.Equal(t, capacity, capacity.Capacity(), "a capacity is its own")
		require.Equal(t, 1, capacity.QueryLen, "decoding keeps its one query")
		plans[capacity] = true
	}
	require.Len(t, plans, 8) // 64, 128, …, 8192
	for _, c := range [][2]int{{0, 0}, {16, 16}, {17, 64}, {65, 128}, {limit - 1, limit}, {limit, limit}} {
		p.QueryLen = c[0]
		require.Equal(t, c[1], p.Capacity().QueryLen)
		require.True(t, p.Capacity().Fits(p))
	}
}

func TestProblemString(t *testing.T) {
	p := Problem{Shape: Shape{1, 32, 8, 1, 4096, 128, 64}, Operands: Operands{Q: Float32, K: Float16, V: BFloat16, O: Float32}}
	require.Equal(t, "b1 hq32 hkv8 lq1 lk4096 d128 dv64 f32/f16/bf16/f32", p.String())
	p.Options = Options{Scale: 0.5, Softcap: 30, Causal: BottomRight, Window: Window{Left: 127, Right: -1, Align: BottomRight}}
	p.Bias, p.Masked, p.Lengths, p.LSE = Float16, true, true, true
	require.Equal(t, "b1 hq32 hkv8 lq1 lk4096 d128 dv64 f32/f16/bf16/f32 scale=0.5 softcap=30 causal=bottom-right"+
		" window=127:-1@bottom-right bias=f16 mask lengths lse", p.String())
}

func TestAlignNames(t *testing.T) {
	for _, a := range []Align{Off, TopLeft, BottomRight, PerBatch} {
		got, err := ParseAlign(a.String())
		require.NoError(t, err)
		require.Equal(t, a, got)
	}
	require.Equal(t, "align(7)", Align(7).String())
	_, err := ParseAlign("true")
	require.ErrorIs(t, err, ErrInvalid)
	require.ErrorContains(t, err, "known: off, top-left, bottom-right, per-batch")
}

func TestPairsAgainstCounting(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		call := randomCall(t, random)
		p := call.Problem
		var want int64
		for b := range p.Batch {
			for h := range p.Heads {
				for i := range p.QueryLen {
					for j := range p.KeyLen {
						if allowedByRule(p, call.In, b, i, j) && (!p.Masked || call.In.Mask.At(b, h, i, j) != 0) {
							want++
						}
					}
				}
			}
		}
		require.Equal(t, want, call.Pairs(), "%v", p)
	}
}

func TestFLOPsAndBytes(t *testing.T) {
	p := Problem{Shape: Shape{2, 4, 2, 3, 5, 8, 6}, Operands: Operands{Q: Float32, K: Float16, V: BFloat16, O: Float16}}
	require.EqualValues(t, 2*(8+6)*100, p.FLOPs(100))
	bytes := int64(2*4*3*8*4 + 2*2*5*8*2 + 2*2*5*6*2 + 2*4*3*6*2)
	require.Equal(t, bytes, p.Bytes())
	p.LSE = true
	require.Equal(t, bytes+2*4*3*4, p.Bytes())
}

func TestScore(t *testing.T) {
	p := baseProblem
	require.InDelta(t, 1/math.Sqrt(8), p.EffectiveScale(), 0)
	require.InDelta(t, 3/math.Sqrt(8)+0.25, p.score(3, 0.25), 1e-15)
	p.Scale = 2
	require.Equal(t, 2.0, p.EffectiveScale())
	require.Equal(t, 6.5, p.score(3, 0.5))
	p.Softcap = 5
	require.InDelta(t, 5*math.Tanh(6.0/5)+100, p.score(3, 100), 1e-13, "the cap comes before the bias")
	require.InDelta(t, 5, p.score(1e9, 0), 1e-12)
	inf := math.Inf(1)
	require.Equal(t, -inf, p.score(math.NaN(), -inf), "a masked key hides its NaN")
	require.Equal(t, -inf, p.score(inf, -inf))
	require.True(t, math.IsNaN(p.score(math.NaN(), 0)))
	require.Equal(t, inf, p.score(0, inf))
	p.Scale = -1
	require.Equal(t, -1.0, p.EffectiveScale())
}
