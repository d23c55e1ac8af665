package verify

import (
	"fmt"

	"github.com/glattn/attention"
)

// Snapshot is a copy of the outputs' memory at one moment.
type Snapshot struct{ outputs []*slab }

// Snapshot copies the outputs' memory.
func (d *Filled) Snapshot() Snapshot {
	var s Snapshot
	for _, out := range d.outputs() {
		s.outputs = append(s.outputs, out.clone())
	}
	return s
}

func (d *Filled) outputs() []*slab {
	var list []*slab
	for _, s := range d.slabs {
		if s.output {
			list = append(list, s)
		}
	}
	return list
}

// CheckSame compares all outputs with an earlier snapshot of the same case, bit by
// bit; only the payloads of NaNs may differ. The error is an [ErrMismatch].
func (d *Filled) CheckSame(old Snapshot) error {
	for batch := range d.Case.Shape.Batch {
		if err := d.checkSameEntry(old, batch); err != nil {
			return err
		}
	}
	return nil
}

// checkSameEntry is CheckSame for one batch entry.
func (d *Filled) checkSameEntry(old Snapshot, batch int) error {
	for k, s := range d.outputs() {
		var err error
		eachOfEntry(s.tensor, batch, func(at int, index [4]int) {
			if got, want := s.bits(at), old.outputs[k].bits(at); err == nil && got != want && !(s.isNaN(got) && s.isNaN(want)) {
				err = fmt.Errorf("verify: %w: %s%v: bits %#x, before %#x", ErrMismatch, s.name, index, got, want)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// entry returns the call of one batch entry alone, writing to the same memory.
func (d *Filled) entry(batch int) (*attention.Call, error) {
	one := func(t attention.Tensor) attention.Tensor {
		if !t.Present() || t.Shape()[attention.AxisBatch] == 1 {
			return t
		}
		return t.Slice(attention.AxisBatch, batch, batch+1)
	}
	in := attention.Inputs{Q: one(d.In.Q), K: one(d.In.K), V: one(d.In.V), Bias: one(d.In.Bias), Mask: one(d.In.Mask)}
	if d.In.Lengths != nil {
		in.Lengths = d.In.Lengths[batch : batch+1]
	}
	if d.In.Offsets != nil {
		in.Offsets = d.In.Offsets[batch : batch+1]
	}
	return attention.NewCall(d.Case.Options, in, attention.Outputs{O: one(d.Out.O), LSE: one(d.Out.LSE)})
}

func eachOfEntry(t attention.Tensor, batch int, visit func(at int, index [4]int)) {
	shape := t.Shape()
	shape[0] = 1
	each(shape, func(_, h, i, d int) { visit(t.Index(batch, h, i, d), [4]int{batch, h, i, d}) })
}
