package verify

import (
	"fmt"
	"math"
	"strings"

	"github.com/glattn/attention"
)

// Case is one conformance test: a problem, how its memory is laid out, and how to
// fill it. The same case always makes the same bytes.
type Case struct {
	Name string // unique, without spaces and slashes: the name of its subtest
	Why  string // what would break if nobody tested it

	Shape   attention.Shape
	Options attention.Options
	Types   Types
	Layout  Layout
	// BiasAxes and MaskAxes name the axes that the bias and the mask really have,
	// out of b, h, q and k; the others have size 1. "1" is a single number.
	// Empty: no bias, no mask.
	BiasAxes, MaskAxes string
	Lengths, Offsets   []int // as in attention.Inputs
	NoLSE              bool  // the log-sum-exp is not asked for

	Seed uint64
	Fill Fill
	Long bool // costs seconds on the oracle; left out of quick runs

	short bool // belongs to ShortCases
}

// Types are the storage types of a case's tensors; the zero value of each is float32.
type Types struct{ Q, K, V, O, Bias attention.DType }

// AllTypes returns Types with Q, K, V and O stored as t.
func AllTypes(t attention.DType) Types { return Types{Q: t, K: t, V: t, O: t} }

func orFloat32(t attention.DType) attention.DType {
	if t == attention.NoType {
		return attention.Float32
	}
	return t
}

// Layout is how the tensors of a case lie in memory. Whatever the layout, each
// buffer has guard bands around it.
type Layout string

// The layouts. Rows of q8_0 are whole blocks in all of them, what pads a row is as
// undefined as a gap, and LayoutColumns, which blocks cannot have, stands for
// LayoutSubview.
const (
	LayoutBHSD       Layout = ""            // [B, H, L, D], contiguous
	LayoutBSHD       Layout = "bshd"        // [B, L, H, D], contiguous
	LayoutPacked     Layout = "packed"      // Q, K, V in one [B, L, Hq+2Hkv, D] buffer; needs Lq = Lk and D = Dv
	LayoutSubview    Layout = "subview"     // gaps between rows, heads and batch entries
	LayoutColumns    Layout = "columns"     // [B, H, D, L]: the innermost stride is not 1
	LayoutReversed   Layout = "reversed"    // the sequence runs backwards: a negative stride
	LayoutAbsurd     Layout = "absurd"      // axes of size 1 have meaningless strides
	LayoutShared     Layout = "shared"      // K and V have stride 0 over batch and head
	LayoutRepeated   Layout = "repeated"    // K and V have stride 0 over the sequence: one key many times
	LayoutMixed      Layout = "mixed"       // another layout for each tensor
	LayoutInterleave Layout = "interleaved" // rows of stride 2·D: every second row belongs to somebody else
)

// Fill says what numbers a case is filled with.
type Fill struct {
	Data   Data
	Poison Poison
	Bias   BiasFill
}

// Data is how Q, K and V are drawn.
type Data string

// The ways to draw Q, K and V. Values are rounded to the storage types, those of
// q8_0 block by block.
const (
	Normal      Data = ""            // N(0,1)
	Peaked      Data = "peaked"      // logits with a standard deviation of 12
	Huge        Data = "huge"        // logits up to ±65504
	Equal       Data = "equal"       // all keys alike: all scores equal
	LastKey     Data = "last-key"    // the last key outweighs all others
	Ascending   Data = "ascending"   // each key scores higher than the one before
	Integers    Data = "integers"    // 80 % zeros, the rest of -2, -1, 1, 2
	SharpValues Data = "sharp-value" // N(0,1), values spread over 2^-20 to 2^20
)

// Poison is what is put where it must not be seen, or must be. In q8_0 tensors NaN
// and Inf stand in the scale, and so in all of a block.
type Poison string

// The poisons.
const (
	NoPoison     Poison = ""
	MaskedNaN    Poison = "masked-nan"    // NaN, +Inf and −Inf in K and V at keys that no query may see
	Masked1000   Poison = "masked-1000"   // 1000 in K and V there
	SomeNaN      Poison = "some-nan"      // NaN in a middle row of K and V: queries that see it are NaN, others not
	OneValueNaN  Poison = "one-value-nan" // NaN in one number of V: one column is NaN where it is seen
	InfiniteKey  Poison = "infinite-key"  // +Inf in one number of K: scores of +Inf and −Inf
	QueryNaN     Poison = "query-nan"     // NaN in one query: its row is NaN, the others not
	PaddingNaN   Poison = "padding-nan"   // NaN in K and V beyond each batch entry's length only
	InfiniteBias Poison = "infinite-bias" // +Inf in one number of the bias
)

// BiasFill is how the bias is drawn.
type BiasFill string

// The ways to draw a bias.
const (
	BiasNormal   BiasFill = ""          // N(0,1)
	BiasRow40000 BiasFill = "row-40000" // every third row is −40000 throughout: not masked
	BiasRowInf   BiasFill = "row-inf"   // every third row is −Inf throughout: masked
	BiasHoles    BiasFill = "holes"     // a third of the numbers is −Inf
	BiasZero     BiasFill = "zero"      // 0 throughout
	BiasALiBi    BiasFill = "alibi"     // −2^(−h)·|i − j|
)

// FLOPs returns the operations of the case without regard to masks.
func (c Case) FLOPs() int64 {
	s := c.Shape
	return 2 * int64(s.Dim+s.ValueDim) * int64(s.Batch) * int64(s.Heads) * int64(s.QueryLen) * int64(s.KeyLen)
}

// unitSigma is the standard deviation of logits up to which a case is of unit scale.
const unitSigma = 2.5

// UnitScale reports whether the absolute limit of 2e-5 applies: Q, K and V are
// N(0,1) or smaller, and the options do not make scores large.
func (c Case) UnitScale() bool {
	if c.Fill.Data != Normal && c.Fill.Data != Integers || c.Fill.Bias == BiasRow40000 {
		return false
	}
	return math.Abs(c.scale())*math.Sqrt(float64(c.Shape.Dim)) <= unitSigma
}

// String describes the case in a line.
func (c Case) String() string {
	s := c.Shape
	var b strings.Builder
	fmt.Fprintf(&b, "%s: b%d hq%d hkv%d lq%d lk%d d%d dv%d", c.Name, s.Batch, s.Heads, s.KVHeads, s.QueryLen, s.KeyLen, s.Dim, s.ValueDim)
	fmt.Fprintf(&b, " %v/%v/%v/%v", orFloat32(c.Types.Q), orFloat32(c.Types.K), orFloat32(c.Types.V), orFloat32(c.Types.O))
	if c.Options != (attention.Options{}) {
		fmt.Fprintf(&b, " %+v", c.Options)
	}
	for _, part := range []struct{ name, value string }{
		{"layout", string(c.Layout)}, {"bias", c.BiasAxes}, {"mask", c.MaskAxes}, {"data", string(c.Fill.Data)},
		{"poison", string(c.Fill.Poison)}, {"bias fill", string(c.Fill.Bias)},
	} {
		if part.value != "" {
			fmt.Fprintf(&b, " %s=%s", part.name, part.value)
		}
	}
	if c.Lengths != nil {
		fmt.Fprintf(&b, " lengths=%v", c.Lengths)
	}
	if c.Offsets != nil {
		fmt.Fprintf(&b, " offsets=%v", c.Offsets)
	}
	fmt.Fprintf(&b, " seed=%d", c.Seed)
	return b.String()
}
