package cpu

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// quantizedKeys returns a q8_0 tensor with random scales, zero and negative ones
// too, and random values, −128 too.
func quantizedKeys(random *rand.Rand, shape ...int) attention.Tensor {
	t := attention.Zeros(attention.Q8_0, shape...)
	blocks := t.Uint8s()
	for n := range blocks {
		blocks[n] = byte(random.Uint32())
	}
	for at := 0; at < len(blocks); at += attention.Q8_0BlockBytes {
		scale := attention.Float32ToFloat16(float32(random.NormFloat64() / 70))
		if random.IntN(9) == 0 {
			scale = 0
		}
		blocks[at], blocks[at+1] = byte(scale), byte(scale>>8)
	}
	return t
}

// widened returns a float32 tensor with the numbers of t, by what a block is.
func widened(t attention.Tensor) attention.Tensor {
	shape := t.Shape()
	wide := attention.Zeros(attention.Float32, shape[:]...)
	each(t, func(b, h, i, d int) {
		at := t.Index(b, h, i, d)
		block := t.Uint8s()[at/32*34:][:34]
		scale := reference16(uint16(block[0]) | uint16(block[1])<<8)
		wide.Set(b, h, i, d, float64(scale)*float64(int8(block[2+at%32])))
	})
	return wide
}

// TestQ8IsItsWidenedValues computes quantized calls and the same with float32
// tensors of the same numbers: no bit of the reference may differ.
func TestQ8IsItsWidenedValues(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 1))
	for _, s := range []attention.Shape{shape(2, 4, 2, 5, 37, 64, 64), shape(1, 4, 2, 1, 133, 80, 40), shape(1, 2, 2, 3, 9, 1, 33)} {
		c := makeCall(t, spec{shape: s, lse: true, options: attention.Options{Causal: attention.BottomRight}})
		c.In.K, c.In.V = quantizedKeys(random, s.Batch, s.KVHeads, s.KeyLen, s.Dim), quantizedKeys(random, s.Batch, s.KVHeads, s.KeyLen, s.ValueDim)
		quantized := recall(t, c, false)
		run(t, NewReference(), quantized)
		c.In.K, c.In.V = widened(c.In.K), widened(c.In.V)
		wide := recall(t, c, false)
		run(t, NewReference(), wide)
		require.Equal(t, bits(wide.Out.O), bits(quantized.Out.O))
		require.Equal(t, bits(wide.Out.LSE), bits(quantized.Out.LSE))
		require.False(t, math.IsNaN(wide.Out.O.At(0, 0, 0, 0)))
	}
}

// TestInfiniteScale makes a key of q8_0 whose scale is Inf visible, at widths that leave
// some of a block over.
func TestInfiniteScale(t *testing.T) {
	for _, width := range []int{32, 40, 80} {
		for _, lq := range []int{1, 20} {
			for _, lk := range []int{3, 40} {
				call := makeCall(t, spec{shape: shape(1, 1, 1, lq, lk, width, width), k: attention.Q8_0, v: attention.Q8_0})
				each(call.In.Q, func(b, h, i, d int) { call.In.Q.Set(b, h, i, d, math.Abs(call.In.Q.At(b, h, i, d))) })
				row := make([]float32, width)
				for d := range row {
					row[d] = -1e8
				}
				call.In.K.SetRow(0, 0, 2, row)
				want := recall(t, call, false)
				run(t, NewReference(), want)
				run(t, New(Options{}), call)
				requireClose(t, want.Out.O, call.Out.O, 2e-5)
			}
		}
	}
}

// TestReversedBlocks reads keys and values from last to first, and one key for all.
func TestReversedBlocks(t *testing.T) {
	for _, lq := range []int{1, 20} {
		for _, step := range []int{-1, 0, 2} {
			call := makeCall(t, spec{shape: shape(1, 2, 1, lq, 113, 64, 96), k: attention.Q8_0, v: attention.Q8_0})
			again := func(t attention.Tensor) attention.Tensor {
				s, first, n := t.Strides(), 0, 113
				if step < 0 {
					first = n - 1
				}
				if step > 1 {
					n = 57
				}
				return t.WithStrides([4]int{1, 1, n, t.Shape()[3]}, [4]int{s[0], s[1], step * s[2], s[3]}, t.Index(0, 0, first, 0))
			}
			in := call.In
			in.K, in.V = again(in.K), again(in.V)
			call = recall(t, &attention.Call{Problem: call.Problem, In: in}, false)
			want := recall(t, call, false)
			run(t, NewReference(), want)
			run(t, New(Options{}), call)
			requireClose(t, want.Out.O, call.Out.O, 2e-5)
		}
	}
}
