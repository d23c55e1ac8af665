package verify

import (
	"math"
	"math/rand/v2"

	"github.com/glattn/attention"
)

// Streams of random numbers, one for each tensor.
const (
	streamQ = iota + 1
	streamK
	streamV
	streamBias
	streamMask
)

const (
	peakedSigma = 12    // of the logits
	hugeLogit   = 65504 // the largest float16
	lastLogit   = 40    // of the last key, in LastKey
	topLogit    = 60    // of the last key, in Ascending
)

func (b *builder) fill() {
	c, in := b.data.Case, b.data.In
	random := c.source(streamQ)
	fillTensor(in.Q, c.queryRule(random))
	random = c.source(streamK)
	fillTensor(in.K, c.keyRule(random))
	random = c.source(streamV)
	fillTensor(in.V, c.valueRule(random))
	if in.Bias.Present() {
		random = c.source(streamBias)
		fillTensor(in.Bias, c.biasRule(random))
	}
	if in.Mask.Present() {
		random = c.source(streamMask)
		fillTensor(in.Mask, c.maskRule(random))
	}
}

type rule func(b, h, i, d int) float64

func fillTensor(t attention.Tensor, value rule) {
	if t.DType() != attention.Q8_0 {
		each(t.Shape(), func(b, h, i, d int) { t.Set(b, h, i, d, value(b, h, i, d)) })
		return
	}
	row := make([]float32, t.Shape()[attention.AxisDim])
	each(t.Shape(), func(b, h, i, d int) {
		row[d] = float32(value(b, h, i, d))
		if d == len(row)-1 {
			t.SetRow(b, h, i, row)
			spoilPadding(t, b, h, i)
		}
	})
}

// spoilPadding gives what pads a row to whole blocks the largest value there is.
func spoilPadding(t attention.Tensor, b, h, i int) {
	width := t.Shape()[attention.AxisDim]
	last := t.Index(b, h, i, width-1)
	end := last/attention.Q8_0Block*attention.Q8_0BlockBytes + attention.Q8_0BlockBytes
	for n := 1 + last%attention.Q8_0Block; n < attention.Q8_0Block; n++ {
		t.Uint8s()[end-attention.Q8_0Block+n] = 127
	}
}

func normal(random *rand.Rand) rule {
	return func(_, _, _, _ int) float64 { return random.NormFloat64() }
}

func sparseInteger(random *rand.Rand) rule {
	return func(_, _, _, _ int) float64 {
		value := []float64{-2, -1, 1, 2}[random.IntN(4)]
		if random.IntN(5) > 0 {
			return 0
		}
		return value
	}
}

func (c Case) scale() float64 {
	return attention.Problem{Shape: c.Shape, Options: c.Options}.EffectiveScale()
}

// hugeEntry is the size of each entry of q and k for which scale·q·k is ±65504.
func (c Case) hugeEntry() float64 {
	return math.Sqrt(hugeLogit / (math.Abs(c.scale()) * float64(c.Shape.Dim)))
}

func (c Case) queryRule(random *rand.Rand) rule {
	switch c.Fill.Data {
	case Peaked:
		factor := peakedSigma / (math.Abs(c.scale()) * math.Sqrt(float64(c.Shape.Dim)))
		return func(_, _, _, _ int) float64 { return factor * random.NormFloat64() }
	case Huge:
		entry := c.hugeEntry()
		return func(_, _, i, d int) float64 { return entry * float64(1-2*((i+d)%2)) }
	case LastKey, Ascending:
		return func(_, _, _, _ int) float64 { return 1 + 0.1*random.NormFloat64() }
	case Integers:
		return sparseInteger(random)
	}
	return normal(random)
}

func (c Case) keyRule(random *rand.Rand) rule {
	toward := 1 / (c.scale() * float64(c.Shape.Dim)) // entries of a key that scores about 1 with queries of ones
	switch c.Fill.Data {
	case Huge:
		entry := c.hugeEntry()
		var share float64
		return func(_, _, _, d int) float64 {
			if d == 0 { // −1, −1/2, … 1: ties at both ends and logits in between
				share = float64(random.IntN(5)-2) / 2
			}
			return share * entry * float64(1-2*(d%2))
		}
	case Equal:
		row := make([]float64, c.Shape.Dim)
		for d := range row {
			row[d] = random.NormFloat64()
		}
		return func(_, _, _, d int) float64 { return row[d] }
	case LastKey:
		return func(b, _, j, _ int) float64 {
			if j == c.keyLen(b)-1 {
				return lastLogit * toward
			}
			return toward * random.NormFloat64()
		}
	case Ascending:
		step := topLogit / float64(max(c.Shape.KeyLen, 1))
		return func(_, _, j, _ int) float64 { return toward * step * float64(j) }
	case Integers:
		return sparseInteger(random)
	}
	return normal(random)
}

func (c Case) valueRule(random *rand.Rand) rule {
	switch c.Fill.Data {
	case Integers:
		return sparseInteger(random)
	case SharpValues:
		return func(_, _, _, _ int) float64 {
			return random.NormFloat64() * math.Ldexp(1, random.IntN(27)-13)
		}
	}
	return normal(random)
}

func (c Case) keyLen(b int) int {
	if c.Lengths != nil {
		return c.Lengths[b]
	}
	return c.Shape.KeyLen
}

func (c Case) biasRule(random *rand.Rand) rule {
	switch c.Fill.Bias {
	case BiasRow40000:
		return func(_, _, i, _ int) float64 {
			value := random.NormFloat64()
			if i%3 == 1 {
				return -40000
			}
			return value
		}
	case BiasRowInf:
		return func(_, _, i, _ int) float64 {
			value := random.NormFloat64()
			if i%3 == 1 {
				return math.Inf(-1)
			}
			return value
		}
	case BiasHoles:
		return func(_, _, _, _ int) float64 {
			value := random.NormFloat64()
			if random.IntN(3) == 0 {
				return math.Inf(-1)
			}
			return value
		}
	case BiasZero:
		return func(_, _, _, _ int) float64 { return 0 }
	case BiasALiBi:
		return func(_, h, i, j int) float64 { return -math.Ldexp(math.Abs(float64(i-j)), -h-1) }
	}
	return normal(random)
}

// maskRule admits seven keys of ten; every fifth query, if queries have rows of
// their own, sees nothing.
func (c Case) maskRule(random *rand.Rand) rule {
	ownRows := c.broadcast(c.MaskAxes)[2] > 1
	return func(_, _, i, _ int) float64 {
		admitted := random.IntN(10) < 7
		if ownRows && i%5 == 3 || !admitted {
			return 0
		}
		return 1
	}
}
