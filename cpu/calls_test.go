package cpu

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// spec describes a random call: sizes, options, and which operands it has.
type spec struct {
	shape      attention.Shape
	options    attention.Options
	q, k, v, o attention.DType // float32 if left out
	bias       attention.DType
	biasShape  []int // full if left out
	biasHoles  bool  // a third of the bias is −Inf
	masked     bool
	lengths    []int
	offsets    []int
	lse        bool
	strided    bool // dim stride 3, gaps between rows
	spread     float64
}

func makeCall(t testing.TB, s spec) *attention.Call {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	p := s.shape
	if s.spread == 0 {
		s.spread = 1
	}
	in := attention.Inputs{
		Q:       randomTensor(random, s.q, s.strided, s.spread, p.Batch, p.Heads, p.QueryLen, p.Dim),
		K:       randomTensor(random, s.k, s.strided, 1, p.Batch, p.KVHeads, p.KeyLen, p.Dim),
		V:       randomTensor(random, s.v, s.strided, 1, p.Batch, p.KVHeads, p.KeyLen, p.ValueDim),
		Lengths: s.lengths, Offsets: s.offsets,
	}
	if s.bias != attention.NoType {
		shape := s.biasShape
		if shape == nil {
			shape = []int{p.Batch, p.Heads, p.QueryLen, p.KeyLen}
		}
		in.Bias = randomTensor(random, s.bias, s.strided, 1, shape...)
		if s.biasHoles {
			each(in.Bias, func(b, h, i, d int) {
				if random.IntN(3) == 0 {
					in.Bias.Set(b, h, i, d, math.Inf(-1))
				}
			})
		}
	}
	if s.masked {
		in.Mask = attention.Zeros(attention.Bool, p.Batch, p.Heads, p.QueryLen, p.KeyLen)
		for n := range in.Mask.Bools() {
			in.Mask.Bools()[n] = random.IntN(3) > 0
		}
	}
	return recall(t, &attention.Call{Problem: attention.Problem{Options: s.options, Operands: attention.Operands{O: s.o, LSE: s.lse}}, In: in}, s.strided)
}

// recall returns a call with the options and inputs of c and fresh outputs
// filled with NaN, so that an element left unwritten shows.
func recall(t testing.TB, c *attention.Call, strided bool) *attention.Call {
	t.Helper()
	q, v := c.In.Q.Shape(), c.In.V.Shape()
	out := attention.Outputs{O: blank(c.Problem.O, strided, q[0], q[1], q[2], v[3])}
	if c.Problem.LSE {
		out.LSE = blank(attention.Float32, strided, q[0], q[1], q[2], 1)
	}
	fresh, err := attention.NewCall(c.Problem.Options, c.In, out)
	require.NoError(t, err)
	return fresh
}

func blank(dtype attention.DType, strided bool, shape ...int) attention.Tensor {
	if dtype == attention.NoType {
		dtype = attention.Float32
	}
	t := attention.Zeros(dtype, shape...)
	if strided {
		t = spaced(dtype, shape...)
	}
	each(t, func(b, h, i, d int) { t.Set(b, h, i, d, math.NaN()) })
	return t
}

// spaced returns a tensor laid out [batch, sequence, head, dim] with dim stride 3.
func spaced(dtype attention.DType, shape ...int) attention.Tensor {
	full := [4]int{1, 1, 1, 1}
	copy(full[4-len(shape):], shape)
	b, h, l, d := full[0], full[1], full[2], full[3]
	return attention.Zeros(dtype, b, l, h, 3*d+5).WithStrides(full, [4]int{l * h * (3*d + 5), 3*d + 5, h * (3*d + 5), 3}, 2)
}

func randomTensor(random *rand.Rand, dtype attention.DType, strided bool, spread float64, shape ...int) attention.Tensor {
	if dtype == attention.Q8_0 {
		return quantizedKeys(random, shape...) // whose numbers are set block by block
	}
	t := blank(dtype, strided, shape...)
	each(t, func(b, h, i, d int) { t.Set(b, h, i, d, spread*random.NormFloat64()) })
	return t
}

func each(t attention.Tensor, visit func(b, h, i, d int)) {
	shape := t.Shape()
	for b := range shape[0] {
		for h := range shape[1] {
			for i := range shape[2] {
				for d := range shape[3] {
					visit(b, h, i, d)
				}
			}
		}
	}
}

func run(t testing.TB, backend attention.Backend, c *attention.Call) {
	t.Helper()
	plan, err := backend.Plan(t.Context(), c.Problem)
	require.NoError(t, err)
	defer func() { require.NoError(t, plan.Close()) }()
	require.NoError(t, plan.Run(t.Context(), c))
}
