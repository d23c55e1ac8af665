package cpu

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

var randomSeed = flag.Uint64("cpu.seed", 0, "first seed of TestRandomProblems")

// TestRandomProblems compares random problems over the whole option space. To
// replay one: go test ./cpu -run TestRandomProblems/seed=N$ -cpu.seed=N.
func TestRandomProblems(t *testing.T) {
	backend, oracle := New(Options{Threads: 2}), NewReference()
	for seed := *randomSeed; seed < *randomSeed+150; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			s := randomSpec(rand.New(rand.NewPCG(seed, 9)))
			call := makeCall(t, s)
			t.Log(call.Problem)
			run(t, backend, call)
			want := recall(t, call, false)
			run(t, oracle, want)
			requireClose(t, want.Out.O, call.Out.O, 2e-5)
			requireClose(t, want.Out.LSE, call.Out.LSE, 2e-5)
		})
	}
}

func randomSpec(random *rand.Rand) spec {
	group, kvHeads := 1+random.IntN(5), 1+random.IntN(3)
	s := spec{lse: true, strided: random.IntN(3) == 0, masked: random.IntN(4) == 0,
		shape: shape(1+random.IntN(3), group*kvHeads, kvHeads, random.IntN(90), random.IntN(200), 1+random.IntN(40), 1+random.IntN(40))}
	if random.IntN(2) == 0 {
		s.shape.QueryLen, s.shape.KeyLen = 1+random.IntN(4), random.IntN(1300)
	}
	float := func() attention.DType { return []attention.DType{f32, f16, bf16}[random.IntN(3)] }
	s.q, s.k, s.v = float(), float(), float()
	if random.IntN(3) == 0 {
		s.bias, s.biasHoles = float(), random.IntN(2) == 0
		full := []int{s.shape.Batch, s.shape.Heads, s.shape.QueryLen, s.shape.KeyLen}
		for axis := range full {
			if random.IntN(2) == 0 {
				full[axis] = 1
			}
		}
		s.biasShape = full
	}
	if random.IntN(3) == 0 {
		s.options.Softcap = 1 + 10*random.Float32()
	}
	if random.IntN(3) == 0 {
		s.options.Scale = random.Float32()*2 - 1
	}
	align := attention.Align(1 + random.IntN(3))
	if random.IntN(3) == 0 {
		s.options.Window = attention.Window{Left: random.IntN(100) - 1, Right: random.IntN(100) - 1, Align: align}
	}
	if random.IntN(2) == 0 {
		s.options.Causal = align
	}
	positioned := s.options.Causal != attention.Off || s.options.Window.Align != attention.Off
	lengths := random.IntN(2) == 0
	for range s.shape.Batch {
		if lengths {
			s.lengths = append(s.lengths, random.IntN(s.shape.KeyLen+1))
		}
		if positioned && align == attention.PerBatch {
			s.offsets = append(s.offsets, random.IntN(400)-100)
		}
	}
	if random.IntN(5) == 0 {
		s.k = attention.Q8_0
	}
	if random.IntN(5) == 0 {
		s.v = attention.Q8_0
	}
	return s
}

func TestRandomSpecsCoverTheFeatures(t *testing.T) {
	var seen attention.Features
	for seed := range uint64(150) {
		seen |= makeCall(t, randomSpec(rand.New(rand.NewPCG(seed, 9)))).Problem.Features()
	}
	require.Equal(t, attention.AllFeatures.String(), seen.String())
}
