package verify

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// q8Mistakes are what a kernel can get wrong about q8_0, done to a block and the one
// behind it.
var q8Mistakes = map[string]func(block, next []byte){
	"a scale one ULP off":             func(block, _ []byte) { block[0]++ },
	"the scale of the next block":     func(block, next []byte) { copy(block[:2], next) },
	"the scale in another byte order": func(block, _ []byte) { block[0], block[1] = block[1], block[0]&0x3f },
	"a value one off":                 func(block, _ []byte) { block[2+16]++ },
	"negative values as positive ones": func(block, _ []byte) {
		for n := range block[2:] {
			block[2+n] &= 0x7f
		}
	},
	"the last value not read": func(block, _ []byte) { block[len(block)-1] = 0 },
}

// TestQ8MistakesAreCaught spoils each block for the computation, but not for the
// check.
func TestQ8MistakesAreCaught(t *testing.T) {
	names := []string{"q8-decode-d80", "q8-f16", "q8-keys", "q8-d40-dv96", "q8-values", "q8-d576-dv512"}
	if testing.Short() {
		names = names[:2]
	}
	for _, name := range names {
		d := solved(t, name)
		for mistake, spoil := range q8Mistakes {
			for _, arg := range []string{"K", "V"} {
				in := d.In
				tensor := map[string]*attention.Tensor{"K": &in.K, "V": &in.V}[arg]
				if tensor.DType() != attention.Q8_0 {
					continue
				}
				t.Run(name+"/"+mistake+"/"+arg, func(t *testing.T) {
					*tensor = spoiled(*tensor, spoil)
					call, err := attention.NewCall(d.Case.Options, in, d.Out)
					require.NoError(t, err)
					compute(t, call)
					_, err = d.Check()
					require.ErrorIs(t, err, ErrMismatch)
				})
			}
		}
	}
}

// spoiled returns a copy of x with a mistake in each block.
func spoiled(x attention.Tensor, spoil func(block, next []byte)) attention.Tensor {
	const size = attention.Q8_0BlockBytes
	blocks := slices.Clone(x.Uint8s())
	for at := 0; at+2*size <= len(blocks); at += size {
		spoil(blocks[at:at+size], blocks[at+size:])
	}
	return attention.NewQ8_0(blocks, len(blocks)).WithStrides(x.Shape(), x.Strides(), x.Offset())
}

// TestQ8CasesAreFilled asks what the cases rely on: values near those of float32,
// padding that would show, and guards that are NaN.
func TestQ8CasesAreFilled(t *testing.T) {
	c, ok := CaseNamed("q8-prefill-d80")
	require.True(t, ok)
	quantized, err := Build(c)
	require.NoError(t, err)
	c.Types = Types{}
	exact, err := Build(c)
	require.NoError(t, err)
	shape := quantized.In.K.Shape()
	each(shape, func(b, h, i, d int) {
		require.InDelta(t, exact.In.K.At(b, h, i, d), quantized.In.K.At(b, h, i, d), 4.5/127/2+0.003)
	})
	padding := quantized.In.K.WithStrides([4]int{shape[0], shape[1], shape[2], 96}, quantized.In.K.Strides(), quantized.In.K.Offset())
	require.Greater(t, padding.At(1, 1, 69, 80), 0.5)
	require.Greater(t, padding.At(0, 0, 0, 95), 0.5)
	guard := quantized.In.K.WithStrides([4]int{1, 1, 1, 32}, [4]int{0, 0, 0, 1}, quantized.In.K.Offset()-32)
	require.True(t, math.IsNaN(guard.At(0, 0, 0, 31)))
}

func TestQ8PoisonIsInTheScale(t *testing.T) {
	c, ok := CaseNamed("q8-poison-lengths")
	require.True(t, ok)
	d, err := Build(c)
	require.NoError(t, err)
	kinds := map[string]int{}
	for j := 41; j < 90; j++ {
		for x := range 64 {
			v := d.In.K.At(0, 0, j, x)
			require.False(t, finite(v))
			if math.IsNaN(v) {
				kinds["NaN"]++
			} else {
				kinds["Inf"]++
			}
		}
	}
	require.Greater(t, kinds["NaN"], 100)
	require.Greater(t, kinds["Inf"], 100)
	require.True(t, finite(d.In.K.At(0, 0, 40, 63)))
}
