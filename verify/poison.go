package verify

import (
	"encoding/binary"
	"math"

	"github.com/glattn/attention"
)

// poison overwrites what Fill.Poison names. It needs the validated call, whose
// bias and mask are stretched.
func (b *builder) poison() {
	call := b.data.Call
	s := call.Problem.Shape
	if s.Batch == 0 || s.QueryLen == 0 || s.KeyLen == 0 {
		return
	}
	middle := s.KeyLen / 2
	switch b.data.Case.Fill.Poison {
	case MaskedNaN:
		b.poisonUnseen(specials)
	case Masked1000:
		b.poisonUnseen([]float64{1000})
	case PaddingNaN:
		for batch := range s.Batch {
			for g := range s.KVHeads {
				for j := b.data.Case.keyLen(batch); j < s.KeyLen; j++ {
					b.poisonKey(batch, g, j, specials)
				}
			}
		}
	case SomeNaN:
		b.poisonKey(0, 0, middle, []float64{math.NaN()})
	case OneValueNaN:
		poisonElement(call.In.V, 0, 0, middle, s.ValueDim/2, math.NaN())
	case InfiniteKey:
		poisonElement(call.In.K, 0, 0, middle, 0, math.Inf(1))
	case QueryNaN:
		call.In.Q.Set(0, 0, s.QueryLen/2, s.Dim-1, math.NaN())
	case InfiniteBias:
		call.In.Bias.Set(0, 0, s.QueryLen/2, middle, math.Inf(1))
	}
}

var specials = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}

// poisonUnseen poisons every key that no query of any head sees.
func (b *builder) poisonUnseen(values []float64) {
	s := b.data.Call.Problem.Shape
	for batch := range s.Batch {
		for g := range s.KVHeads {
			for j := range s.KeyLen {
				if !b.seen(batch, g, j) {
					b.poisonKey(batch, g, j, values)
				}
			}
		}
	}
}

func (b *builder) seen(batch, g, j int) bool {
	call := b.data.Call
	p := call.Problem
	for h := g * p.Group(); h < (g+1)*p.Group(); h++ {
		mask := call.Mask(batch, h)
		for i := range p.QueryLen {
			if mask.Keep(i, j) && !(call.In.Bias.Present() && math.IsInf(call.In.Bias.At(batch, h, i, j), -1)) {
				return true
			}
		}
	}
	return false
}

func (b *builder) poisonKey(batch, g, j int, values []float64) {
	for _, t := range []attention.Tensor{b.data.Call.In.K, b.data.Call.In.V} {
		for d := range t.Shape()[attention.AxisDim] {
			poisonElement(t, batch, g, j, d, values[(j+d)%len(values)])
		}
	}
}

// poisonElement sets one element. In q8_0 that is the scale of its block, and if the
// value is finite also the int8: to the largest, which the scale makes the value.
func poisonElement(t attention.Tensor, b, h, i, d int, value float64) {
	if t.DType() != attention.Q8_0 {
		t.Set(b, h, i, d, value)
		return
	}
	const largest = 127
	at := t.Index(b, h, i, d)
	block := t.Uint8s()[at/attention.Q8_0Block*attention.Q8_0BlockBytes:]
	if finite(value) {
		value /= largest
		block[2+at%attention.Q8_0Block] = largest
	}
	binary.LittleEndian.PutUint16(block, attention.Float32ToFloat16(float32(value)))
}
