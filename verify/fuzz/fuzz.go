// Package fuzz makes conformance cases out of numbers: every seed is a case
// somewhere in the whole space of options, sizes, types, layouts and data.
package fuzz

import (
	"fmt"
	"math/rand/v2"

	"github.com/glattn/attention"
	"github.com/glattn/attention/verify"
)

// maxFLOPs bounds a case, so that a million of them are affordable.
const maxFLOPs = 8_000_000

// FromSeed returns the case of a seed, always the same. The case is valid:
// [verify.Build] accepts it.
func FromSeed(seed uint64) verify.Case {
	g := generator{rand.New(rand.NewPCG(seed, 0x61747466757a7a))}
	c := verify.Case{Name: fmt.Sprintf("seed-%d", seed), Why: "a random case", Seed: g.Uint64()}
	g.sizes(&c)
	g.options(&c)
	g.operands(&c)
	g.types(&c)
	g.layout(&c)
	g.fill(&c)
	g.blocks(&c)
	return c
}

type generator struct{ *rand.Rand }

// oneIn is true once in n times.
func (g generator) oneIn(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

// widths are few common ones and all of their neighbours.
var widths = []int{1, 2, 3, 7, 8, 15, 16, 17, 21, 31, 32, 40, 59, 64, 65, 72, 80, 96, 111, 128, 160, 192, 256, 320, 576}

func (g generator) length() int {
	switch g.IntN(8) {
	case 0:
		return 1
	case 1:
		return g.IntN(3)
	case 2:
		return max(0, 16*(1+g.IntN(12))+g.IntN(3)-1) // at a tile's edge
	case 3:
		return g.IntN(700)
	}
	return g.IntN(150)
}

func (g generator) sizes(c *verify.Case) {
	kv := pick(g, 1, 1, 2, 3, 4)
	s := attention.Shape{
		Batch: 1 + g.IntN(3), KVHeads: kv, Heads: kv * pick(g, 1, 1, 2, 3, 4),
		QueryLen: g.length(), KeyLen: g.length(), Dim: pick(g, widths...), ValueDim: 0,
	}
	if g.oneIn(40) {
		s.Batch = 0
	}
	s.ValueDim = s.Dim
	if g.oneIn(4) {
		s.ValueDim = pick(g, widths...)
	}
	c.Shape = s
	for c.FLOPs() > maxFLOPs {
		switch {
		case c.Shape.Heads > c.Shape.KVHeads:
			c.Shape.Heads = c.Shape.KVHeads
		case c.Shape.Batch > 1:
			c.Shape.Batch--
		case c.Shape.QueryLen >= c.Shape.KeyLen:
			c.Shape.QueryLen /= 2
		default:
			c.Shape.KeyLen /= 2
		}
	}
}

func (g generator) options(c *verify.Case) {
	o := &c.Options
	if g.oneIn(4) {
		o.Scale = float32(0.05 + 0.4*g.Float64())
		if g.oneIn(3) {
			o.Scale = -o.Scale
		}
	}
	if g.oneIn(4) {
		o.Softcap = pick[float32](g, 0.5, 1, 8, 30, 50)
	}
	align := pick(g, attention.TopLeft, attention.BottomRight, attention.PerBatch)
	if g.oneIn(3) {
		o.Causal = align
	}
	if g.oneIn(4) {
		side := func() int { return pick(g, -1, 0, 1, g.IntN(20), g.IntN(200)) }
		o.Window = attention.Window{Left: side(), Right: side(), Align: align}
	}
	if o.Causal == attention.PerBatch || o.Window.Align == attention.PerBatch {
		c.Offsets = make([]int, c.Shape.Batch)
		for b := range c.Offsets {
			c.Offsets[b] = pick(g, 0, c.Shape.KeyLen-c.Shape.QueryLen, g.IntN(200)-100, g.IntN(1<<20))
		}
	}
}

var axes = []string{"bhqk", "hqk", "bqk", "qk", "bk", "k", "bq", "hq", "1"}

func (g generator) operands(c *verify.Case) {
	if g.oneIn(4) {
		c.BiasAxes = pick(g, axes...)
		c.Fill.Bias = pick(g, verify.BiasNormal, verify.BiasNormal, verify.BiasRow40000, verify.BiasRowInf, verify.BiasHoles, verify.BiasZero, verify.BiasALiBi)
	}
	if g.oneIn(4) {
		c.MaskAxes = pick(g, axes...)
	}
	if g.oneIn(3) {
		c.Lengths = make([]int, c.Shape.Batch)
		for b := range c.Lengths {
			c.Lengths[b] = pick(g, c.Shape.KeyLen, g.IntN(c.Shape.KeyLen+1), g.IntN(c.Shape.KeyLen+1), 0)
		}
	}
	c.NoLSE = g.oneIn(4)
}

func (g generator) types(c *verify.Case) {
	const f32, f16, bf16 = attention.Float32, attention.Float16, attention.BFloat16
	any3 := func() attention.DType { return pick(g, f32, f16, bf16) }
	c.Types.Bias = pick(g, f32, f32, f16, bf16)
	switch g.IntN(8) {
	case 0, 1:
		c.Types.Q, c.Types.K, c.Types.V, c.Types.O = any3(), any3(), any3(), any3()
	case 2:
		t := pick(g, f16, bf16)
		c.Types.Q, c.Types.K, c.Types.V, c.Types.O = t, t, t, t
	}
}

// blocks stores K, V or both in q8_0. It draws last, so that the other seeds keep
// the cases they had before there was q8_0.
func (g generator) blocks(c *verify.Case) {
	if c.Layout == verify.LayoutPacked || !g.oneIn(6) {
		return
	}
	which := g.IntN(4)
	if which != 0 {
		c.Types.K = attention.Q8_0
	}
	if which != 1 {
		c.Types.V = attention.Q8_0
	}
}

func (g generator) layout(c *verify.Case) {
	c.Layout = pick(g, verify.LayoutBHSD, verify.LayoutBHSD, verify.LayoutBSHD, verify.LayoutSubview, verify.LayoutColumns,
		verify.LayoutReversed, verify.LayoutAbsurd, verify.LayoutMixed, verify.LayoutInterleave, verify.LayoutShared, verify.LayoutRepeated)
	s := c.Shape
	if s.QueryLen == s.KeyLen && s.Dim == s.ValueDim && c.Types.Q == c.Types.K && c.Types.Q == c.Types.V && g.oneIn(2) {
		c.Layout = verify.LayoutPacked
	}
}

func (g generator) fill(c *verify.Case) {
	if g.oneIn(3) {
		c.Fill.Data = pick(g, verify.Peaked, verify.Huge, verify.Equal, verify.LastKey, verify.Ascending, verify.Integers, verify.SharpValues)
	}
	if c.Layout == verify.LayoutShared || c.Layout == verify.LayoutRepeated {
		return // a key that one entry may not see is another's: poison would be seen
	}
	switch g.IntN(6) {
	case 0, 1, 2:
		c.Fill.Poison = verify.MaskedNaN
	case 3:
		c.Fill.Poison = pick(g, verify.Masked1000, verify.SomeNaN, verify.OneValueNaN, verify.QueryNaN, verify.PaddingNaN, verify.InfiniteKey)
		if c.BiasAxes != "" && g.oneIn(3) {
			c.Fill.Poison = verify.InfiniteBias
		}
	}
}
