package attention

import "fmt"

// Inputs are the tensors a call reads.
type Inputs struct {
	Q Tensor // [B, Hq, Lq, D]
	K Tensor // [B, Hkv, Lk, D], any float type or Q8_0
	V Tensor // [B, Hkv, Lk, Dv], any float type or Q8_0

	// Bias, if present, is added to the scores. It broadcasts right-aligned to
	// [B, Hq, Lq, Lk]: an axis of size 1 serves all. −Inf masks.
	Bias Tensor
	// Mask, if present, is a Bool tensor that broadcasts like Bias; true = attend.
	Mask Tensor
	// Lengths, if not nil, gives the number of keys of each batch entry, 0 to Lk.
	Lengths []int
	// Offsets gives the position of query 0 of each batch entry; required by, and
	// only allowed with, the PerBatch alignment.
	Offsets []int
}

// Outputs are the tensors a call writes. They must not overlap the inputs or
// each other.
type Outputs struct {
	O   Tensor // [B, Hq, Lq, Dv], any float type
	LSE Tensor // optional, float32 [B, Hq, Lq, 1]
}

// Call is a problem with its data, validated: backends receive nothing else.
// Bias and mask are stretched to [B, Hq, Lq, Lk] by strides of 0, and axes of
// size 1 have stride 0 whatever the caller wrote there.
type Call struct {
	Problem Problem
	In      Inputs
	Out     Outputs
}

// NewCall checks everything that can be checked before work starts: types,
// sizes, strides, ranges, lengths, overlap. The error is an ErrInvalid, one of
// [ShapeError], [TypeError], [RangeError], [StrideError], [StorageError],
// [OverlapError], or the mistake of a [Tensor] that was made wrongly. The call keeps the slices of in
// and out, lists included: they must not change while it runs.
func NewCall(opts Options, in Inputs, out Outputs) (*Call, error) {
	p := Problem{Options: opts, Operands: Operands{
		Q: in.Q.dtype, K: in.K.dtype, V: in.V.dtype, O: out.O.dtype, Bias: in.Bias.dtype,
		Masked: in.Mask.Present(), Lengths: in.Lengths != nil, LSE: out.LSE.Present(),
	}}
	p.Shape = Shape{
		Batch: in.Q.shape[0], Heads: in.Q.shape[1], KVHeads: in.K.shape[1],
		QueryLen: in.Q.shape[2], KeyLen: in.K.shape[2], Dim: in.Q.shape[3], ValueDim: in.V.shape[3],
	}
	c := &Call{Problem: p, In: in, Out: out}
	c.Problem.Resident = c.residents()
	for _, check := range []func() error{c.checkTensors, c.Problem.Validate, c.checkShapes, c.checkBroadcast, c.checkLists, c.checkOverlap} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

type operand struct {
	name   string
	tensor *Tensor
}

func (c *Call) operands() []operand {
	all := []operand{{"Q", &c.In.Q}, {"K", &c.In.K}, {"V", &c.In.V}, {"bias", &c.In.Bias}, {"mask", &c.In.Mask},
		{"O", &c.Out.O}, {"LSE", &c.Out.LSE}}
	present := all[:0]
	for _, o := range all {
		if o.tensor.Present() {
			present = append(present, o)
		}
	}
	return present
}

// checkTensors checks each view against its own storage and clears the strides
// of axes of size 1, which no element ever uses.
func (c *Call) checkTensors() error {
	for _, o := range c.operands() {
		if err := o.tensor.check(o.name); err != nil {
			return err
		}
	}
	return nil
}

// check is checkTensors for one.
func (t *Tensor) check(name string) error {
	if t.err != nil {
		return fmt.Errorf("attention: %s: %w", name, t.err)
	}
	for axis, size := range t.shape {
		if size < 0 {
			return &ShapeError{Arg: name, Axis: axisNames[axis], Got: size, Want: 0, Why: "or more"}
		}
		if size == 1 {
			t.strides[axis] = 0
		}
	}
	if err := t.checkBlocks(name); err != nil {
		return err
	}
	low, high, empty, ok := t.span()
	if !ok {
		return fmt.Errorf("attention: %s: %w: sizes %v with strides %v overflow the address range", name, ErrInvalid, t.shape, t.strides)
	}
	if n := t.storageLen(); !empty && (low < 0 || high >= n) {
		return &StorageError{Arg: name, Low: low, High: high, Len: n}
	}
	return nil
}

func (c *Call) checkShapes() error {
	p := c.Problem
	if c.In.Mask.Present() && c.In.Mask.dtype != Bool {
		return &TypeError{Arg: "mask", Got: c.In.Mask.dtype, Want: "bool"}
	}
	if c.Out.LSE.Present() && c.Out.LSE.dtype != Float32 {
		return &TypeError{Arg: "LSE", Got: c.Out.LSE.dtype, Want: "f32"}
	}
	wants := []struct {
		operand
		want [4]int
		why  [4]string
	}{
		{operand{"K", &c.In.K}, [4]int{p.Batch, p.KVHeads, p.KeyLen, p.Dim}, [4]string{"batch of Q", "", "", "dim of Q"}},
		{operand{"V", &c.In.V}, [4]int{p.Batch, p.KVHeads, p.KeyLen, p.ValueDim}, [4]string{"batch of Q", "heads of K", "sequence of K", ""}},
		{operand{"O", &c.Out.O}, [4]int{p.Batch, p.Heads, p.QueryLen, p.ValueDim}, [4]string{"batch of Q", "heads of Q", "sequence of Q", "dim of V"}},
		{operand{"LSE", &c.Out.LSE}, [4]int{p.Batch, p.Heads, p.QueryLen, 1}, [4]string{"batch of Q", "heads of Q", "sequence of Q", "one number a row"}},
	}
	for _, w := range wants {
		if !w.tensor.Present() {
			continue
		}
		for axis, size := range w.want {
			if got := w.tensor.shape[axis]; got != size {
				return &ShapeError{Arg: w.name, Axis: axisNames[axis], Got: got, Want: size, Why: w.why[axis]}
			}
		}
	}
	return nil
}

func (c *Call) checkBroadcast() error {
	p := c.Problem
	full := [4]int{p.Batch, p.Heads, p.QueryLen, p.KeyLen}
	why := [4]string{"or 1, batch of Q", "or 1, heads of Q", "or 1, sequence of Q", "or 1, sequence of K"}
	for _, o := range []operand{{"bias", &c.In.Bias}, {"mask", &c.In.Mask}} {
		if !o.tensor.Present() {
			continue
		}
		for axis, size := range full {
			if got := o.tensor.shape[axis]; got != size && got != 1 {
				return &ShapeError{Arg: o.name, Axis: axisNames[axis], Got: got, Want: size, Why: why[axis]}
			}
		}
		*o.tensor = o.tensor.BroadcastTo(full)
	}
	return nil
}

func (c *Call) checkLists() error {
	p := c.Problem
	if c.In.Lengths != nil {
		if len(c.In.Lengths) != p.Batch {
			return &ShapeError{Arg: "lengths", Got: len(c.In.Lengths), Want: p.Batch, Why: "batch of Q"}
		}
		for b, n := range c.In.Lengths {
			if n < 0 || n > p.KeyLen {
				return &RangeError{Arg: fmt.Sprintf("lengths[%d]", b), Got: n, Min: 0, Max: p.KeyLen}
			}
		}
	}
	if p.align() != PerBatch {
		if c.In.Offsets != nil {
			return &ShapeError{Arg: "offsets", Got: len(c.In.Offsets), Want: 0, Why: "only the per-batch alignment takes offsets"}
		}
		return nil
	}
	if len(c.In.Offsets) != p.Batch {
		return &ShapeError{Arg: "offsets", Got: len(c.In.Offsets), Want: p.Batch, Why: "batch of Q"}
	}
	for b, n := range c.In.Offsets {
		if n < -limit || n > limit {
			return &RangeError{Arg: fmt.Sprintf("offsets[%d]", b), Got: n, Min: -limit, Max: limit}
		}
	}
	return nil
}
