package verify

import (
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
		call.In.V.Set(0, 0, middle, s.ValueDim/2, math.NaN())
	case InfiniteKey:
		call.In.K.Set(0, 0, middle, 0, math.Inf(1))
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
			t.Set(batch, g, j, d, values[(j+d)%len(values)])
		}
	}
}
