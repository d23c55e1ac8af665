package verify

import (
	"fmt"
	"math"
	"slices"

	"github.com/glattn/attention"
)

// Bit patterns of the memory around and inside a case's tensors. All are NaN, so
// that a read where none belongs shows in the output.
const (
	guardF32, blankF32   = 0x7fc0dead, 0x7fc0b1a4
	guardF16, blankF16   = 0x7e5d, 0x7e4b
	guardBF16, blankBF16 = 0x7fdd, 0x7fcb
	guardBool            = true // a mask that is read too far admits a key
	guardByte            = 0x7e // of q8_0 blocks: a scale of 0x7e7e
)

// guard is the least number of elements on either side of a buffer: whole blocks.
const guard = 2 * attention.Q8_0Block

// slab is one allocation. Elements that no view covers are guards.
type slab struct {
	name     string
	dtype    attention.DType
	f32      []float32
	u16      []uint16
	bools    []bool
	u8       []byte           // whole blocks
	output   bool             // outputs may change where owned
	owned    []bool           // outputs: which elements the view covers
	tensor   attention.Tensor // outputs: the view
	original *slab            // a copy made before the first run
}

func newSlab(name string, dtype attention.DType, n int) *slab {
	s := &slab{name: name, dtype: dtype}
	switch dtype {
	case attention.Float32:
		s.f32 = slices.Repeat([]float32{math.Float32frombits(guardF32)}, n)
	case attention.Float16:
		s.u16 = slices.Repeat([]uint16{guardF16}, n)
	case attention.BFloat16:
		s.u16 = slices.Repeat([]uint16{guardBF16}, n)
	case attention.Bool:
		s.bools = slices.Repeat([]bool{guardBool}, n)
	case attention.Q8_0:
		s.u8 = slices.Repeat([]byte{guardByte}, dtype.Bytes(n))
	}
	return s
}

// view returns the tensor with the given sizes, strides and base in the slab.
func (s *slab) view(shape, strides [4]int, offset int) attention.Tensor {
	var t attention.Tensor
	switch s.dtype {
	case attention.Float32:
		t = attention.NewFloat32(s.f32, len(s.f32))
	case attention.Float16:
		t = attention.NewFloat16(s.u16, len(s.u16))
	case attention.BFloat16:
		t = attention.NewBFloat16(s.u16, len(s.u16))
	case attention.Bool:
		t = attention.NewBool(s.bools, len(s.bools))
	case attention.Q8_0:
		t = attention.NewQ8_0(s.u8, len(s.u8)/attention.Q8_0BlockBytes*attention.Q8_0Block)
	}
	return t.WithStrides(shape, strides, offset)
}

// bits returns element n as it lies in memory; of blocks, byte n.
func (s *slab) bits(n int) uint32 {
	switch s.dtype {
	case attention.Float32:
		return math.Float32bits(s.f32[n])
	case attention.Float16, attention.BFloat16:
		return uint32(s.u16[n])
	case attention.Q8_0:
		return uint32(s.u8[n])
	}
	if s.bools[n] {
		return 1
	}
	return 0
}

func (s *slab) len() int { return len(s.f32) + len(s.u16) + len(s.bools) + len(s.u8) }

// own marks the elements of t as the output's and blanks them.
func (s *slab) own(t attention.Tensor) {
	s.output, s.tensor = true, t
	s.owned = make([]bool, s.len())
	each(t.Shape(), func(b, h, i, d int) { s.owned[t.Index(b, h, i, d)] = true })
	s.blank()
}

// blank fills the owned elements with a NaN that no computation makes.
func (s *slab) blank() {
	for n, mine := range s.owned {
		if !mine {
			continue
		}
		switch s.dtype {
		case attention.Float32:
			s.f32[n] = math.Float32frombits(blankF32)
		case attention.Float16:
			s.u16[n] = blankF16
		case attention.BFloat16:
			s.u16[n] = blankBF16
		}
	}
}

func (s *slab) blankBits() uint32 {
	switch s.dtype {
	case attention.Float32:
		return blankF32
	case attention.Float16:
		return blankF16
	}
	return blankBF16
}

func (s *slab) clone() *slab {
	c := *s
	c.f32, c.u16, c.bools, c.u8 = slices.Clone(s.f32), slices.Clone(s.u16), slices.Clone(s.bools), slices.Clone(s.u8)
	c.original = nil
	return &c
}

// checkBytes compares the memory with the original: all of an input, and all but
// the owned elements of an output.
func (s *slab) checkBytes() error {
	for n := range s.len() {
		if s.output && s.owned[n] {
			continue
		}
		if got, want := s.bits(n), s.original.bits(n); got != want {
			what := "an input or a guard changed"
			if s.output {
				what = "a write outside the output"
			}
			return fmt.Errorf("verify: %w: buffer %s, element %d of %d: bits %#x, were %#x (%s)", ErrMismatch, s.name, n, s.len(), got, want, what)
		}
	}
	return nil
}

// checkWritten fails at the first owned element that still is blank.
func (s *slab) checkWritten() error {
	for n, mine := range s.owned {
		if mine && s.bits(n) == s.blankBits() {
			return fmt.Errorf("verify: %w: buffer %s, element %d of %d was not written", ErrMismatch, s.name, n, s.len())
		}
	}
	return nil
}

// checkBlank fails at the first owned element that is not blank any more.
func (s *slab) checkBlank() error {
	for n, mine := range s.owned {
		if mine && s.bits(n) != s.blankBits() {
			return fmt.Errorf("verify: %w: buffer %s, element %d of %d was written by a call that failed", ErrMismatch, s.name, n, s.len())
		}
	}
	return nil
}

// isNaN reports whether bits are a NaN of the slab's type. NaN payloads are not
// part of a result.
func (s *slab) isNaN(bits uint32) bool {
	switch s.dtype {
	case attention.Float32:
		return bits&0x7fffffff > 0x7f800000
	case attention.Float16:
		return bits&0x7fff > 0x7c00
	case attention.BFloat16:
		return bits&0x7fff > 0x7f80
	}
	return false
}
