package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Rows is rows of numbers: row j starts at number j·Stride of the one slice that is
// not nil. Uint16s holds binary16, or bfloat16 if Brain is set. Blocks holds q8_0
// blocks of [Block] numbers, of which rows take whole ones: the bits of a binary16
// scale, low byte first, then an int8 each; a number is scale·int8.
type Rows struct {
	Float32s []float32
	Uint16s  []uint16
	Brain    bool
	Blocks   []byte
	Stride   int
}

// The numbers and bytes of a block.
const (
	Block      = 32
	BlockBytes = 34
)

// From returns the rows without the first n.
func (r Rows) From(n int) Rows {
	switch {
	case r.Float32s != nil:
		r.Float32s = r.Float32s[n*r.Stride:]
	case r.Uint16s != nil:
		r.Uint16s = r.Uint16s[n*r.Stride:]
	default:
		r.Blocks = r.Blocks[n*r.Stride/Block*BlockBytes:]
	}
	return r
}

// group is how many numbers row kernels read together: a vector, or a block.
func (r *Rows) group(width int) int {
	if r.Blocks != nil {
		return max(width, Block)
	}
	return width
}

// check panics unless rows rows of width numbers lie inside.
func (r *Rows) check(rows, width int) {
	have := max(len(r.Float32s), len(r.Uint16s), len(r.Blocks)/BlockBytes*Block)
	if need := span(rows, r.Stride, width); have < need {
		panic(fmt.Sprintf("kernel: index out of range: %d numbers, %d needed", have, need))
	}
	if r.Blocks != nil && (width%Block != 0 || r.Stride%Block != 0) {
		panic("kernel: rows must be whole blocks")
	}
}

// Widen converts the first numbers of row j, exactly.
func (s *Set) Widen(dst []float32, r Rows, j int) {
	if r = r.From(j); r.Float32s != nil {
		copy(dst, r.Float32s[:len(dst)])
		return
	}
	whole := len(dst) / r.group(s.Width) * r.group(s.Width)
	if r.Blocks == nil {
		r.Uint16s = r.Uint16s[:len(dst)]
	} else {
		r.Blocks = r.Blocks[:(len(dst)+Block-1)/Block*BlockBytes]
	}
	if whole > 0 {
		s.widen(dst[:whole], r)
	}
	if whole < len(dst) {
		r.Stride = whole
		widenGo(dst[whole:], r.From(1))
	}
}

// Narrow rounds to binary16, or to bfloat16 if brain is set, ties to even. NaN stays NaN.
func (s *Set) Narrow(dst []uint16, src []float32, brain bool) {
	dst = dst[:len(src)]
	whole := len(src) / s.Width * s.Width
	if whole > 0 {
		s.narrow(dst[:whole], src[:whole], brain)
	}
	if whole < len(src) {
		narrowGo(dst[whole:], src[whole:], brain)
	}
}

// Finite reports whether there is neither Inf nor NaN in the first width numbers of
// count rows.
func (s *Set) Finite(rows Rows, count, width int) bool {
	if count == 0 || width == 0 {
		return true
	}
	rows.check(count, roundUp(width, rows.blocked()))
	if rows.Blocks != nil {
		return rows.finiteScales(count, width)
	}
	whole := width / s.Width * s.Width
	if whole > 0 && s.largest(rows, whole, count) >= infinite {
		return false
	}
	for j := range count {
		for c := whole; c < width; c++ {
			if !rows.finiteAt(j*rows.Stride + c) {
				return false
			}
		}
	}
	return true
}

// The bits of +Inf, by types.
const (
	infinite      = 0x7f800000
	infinite16    = 0x7c00
	infiniteBrain = 0x7f80
)

func (r *Rows) finiteAt(n int) bool {
	switch {
	case r.Float32s != nil:
		return math.Float32bits(r.Float32s[n])&infinite != infinite
	case r.Brain:
		return r.Uint16s[n]&infiniteBrain != infiniteBrain
	}
	return r.Uint16s[n]&infinite16 != infinite16
}

func (r *Rows) finiteScales(count, width int) bool {
	for j := range count {
		for at := j * r.Stride; at < j*r.Stride+width; at += Block {
			if binary.LittleEndian.Uint16(r.Blocks[at/Block*BlockBytes:])&infinite16 == infinite16 {
				return false
			}
		}
	}
	return true
}

// blocked is what rows are a multiple of: 1 but for blocks.
func (r *Rows) blocked() int { return r.group(1) }
