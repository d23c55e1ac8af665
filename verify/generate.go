package verify

import (
	"fmt"
	"math/rand/v2"

	"github.com/glattn/attention"
)

// Filled is a case made ready to run, with what is needed to prove afterwards that
// nothing but the outputs changed.
type Filled struct {
	Case Case
	In   attention.Inputs  // as a caller would write them, odd strides included
	Out  attention.Outputs // blank: NaN with a payload of our own
	Call *attention.Call

	slabs []*slab
}

type builder struct{ data *Filled }

// Build allocates and fills the tensors of a case, each inside guard bands, and
// validates the call. The same case makes the same bytes on every machine. The
// error is the one of [attention.NewCall].
func Build(c Case) (*Filled, error) {
	b := &builder{data: &Filled{Case: c}}
	b.allocate()
	b.fill()
	call, err := attention.NewCall(c.Options, b.data.In, b.data.Out)
	if err != nil {
		return nil, fmt.Errorf("verify: case %s: %w", c.Name, err)
	}
	b.data.Call = call
	b.poison()
	for _, s := range b.data.slabs {
		s.original = s.clone()
	}
	return b.data, nil
}

func (b *builder) allocate() {
	c := b.data.Case
	s := c.Shape
	in, out := &b.data.In, &b.data.Out
	if c.Layout == LayoutPacked {
		in.Q, in.K, in.V = b.placePacked()
	} else {
		in.Q = b.place("Q", orFloat32(c.Types.Q), [4]int{s.Batch, s.Heads, s.QueryLen, s.Dim}, c.layoutOf("Q"))
		in.K = b.place("K", orFloat32(c.Types.K), [4]int{s.Batch, s.KVHeads, s.KeyLen, s.Dim}, c.layoutOf("K"))
		in.V = b.place("V", orFloat32(c.Types.V), [4]int{s.Batch, s.KVHeads, s.KeyLen, s.ValueDim}, c.layoutOf("V"))
	}
	if c.Layout == LayoutShared || c.Layout == LayoutRepeated {
		in.K, in.V = shareKV(in.K, c.Layout), shareKV(in.V, c.Layout)
	}
	if c.BiasAxes != "" {
		in.Bias = b.place("bias", orFloat32(c.Types.Bias), c.broadcast(c.BiasAxes), c.layoutOf("bias"))
	}
	if c.MaskAxes != "" {
		in.Mask = b.place("mask", attention.Bool, c.broadcast(c.MaskAxes), c.layoutOf("mask"))
	}
	in.Lengths, in.Offsets = c.Lengths, c.Offsets
	out.O = b.place("O", orFloat32(c.Types.O), [4]int{s.Batch, s.Heads, s.QueryLen, s.ValueDim}, c.layoutOf("O"))
	if !c.NoLSE {
		out.LSE = b.place("LSE", attention.Float32, [4]int{s.Batch, s.Heads, s.QueryLen, 1}, c.layoutOf("LSE"))
	}
}

// broadcast returns the sizes of a bias or mask that has only the named axes.
func (c Case) broadcast(axes string) [4]int {
	shape := [4]int{1, 1, 1, 1}
	for _, name := range axes {
		switch name {
		case 'b':
			shape[0] = c.Shape.Batch
		case 'h':
			shape[1] = c.Shape.Heads
		case 'q':
			shape[2] = c.Shape.QueryLen
		case 'k':
			shape[3] = c.Shape.KeyLen
		}
	}
	return shape
}

// source returns the random numbers of one tensor. Each has a stream of its own,
// so that adding a mask to a case leaves its keys as they were.
func (c Case) source(stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(c.Seed, stream))
}

// Blank makes the outputs as they were before the first run.
func (d *Filled) Blank() {
	for _, s := range d.slabs {
		s.blank()
	}
}

// CheckBytes compares the memory of all buffers with what it was: inputs whole,
// outputs outside the elements that the views cover. The error is an [ErrMismatch].
func (d *Filled) CheckBytes() error {
	for _, s := range d.slabs {
		if err := s.checkBytes(); err != nil {
			return err
		}
	}
	return nil
}

// CheckWritten fails at an output element that was never written.
func (d *Filled) CheckWritten() error {
	for _, s := range d.slabs {
		if err := s.checkWritten(); err != nil {
			return err
		}
	}
	return nil
}

// CheckBlank fails at an output element that was written: a call that returns an
// error before it starts must leave the outputs alone.
func (d *Filled) CheckBlank() error {
	for _, s := range d.slabs {
		if err := s.checkBlank(); err != nil {
			return err
		}
	}
	return nil
}
