package attention

import "fmt"

// Align says where the first query stands among the keys, which is what the
// causal rule and the window are measured from: query i has position offset+i.
// The field's libraries disagree on a default, so there is none here; the zero
// value means that the rule is off.
type Align uint8

// The alignments.
const (
	// Off: the rule does not apply.
	Off Align = iota
	// TopLeft: offset 0. Query i stands at key i (PyTorch's is_causal, ONNX without a cache).
	TopLeft
	// BottomRight: offset Lk_b − Lq. The last query stands at the last key
	// (FlashAttention 2.1 and later, MLX). A negative offset is not clamped.
	BottomRight
	// PerBatch: the offset of each batch entry is given in Inputs.Offsets, such
	// as the number of keys already in a cache.
	PerBatch
)

var alignNames = [...]string{Off: "off", TopLeft: "top-left", BottomRight: "bottom-right", PerBatch: "per-batch"}

// String returns off, top-left, bottom-right or per-batch.
func (a Align) String() string {
	if int(a) < len(alignNames) {
		return alignNames[a]
	}
	return fmt.Sprintf("align(%d)", uint8(a))
}

// ParseAlign returns the alignment with the given name.
func ParseAlign(name string) (Align, error) {
	for a, n := range alignNames {
		if n == name {
			return Align(a), nil
		}
	}
	return Off, fmt.Errorf("attention: %w: unknown alignment %q (known: off, top-left, bottom-right, per-batch)", ErrInvalid, name)
}

// Window limits how far a query at position p sees: keys p−Left to p+Right, both
// included, −1 for no limit on that side. Left = 2, Right = 0 is three keys. The
// zero Window is off, because its Align is.
type Window struct {
	Left, Right int
	Align       Align // must equal Options.Causal if both are on
}

// Options are the choices of an attention call. The zero value is plain
// attention, softmax(QKᵀ/√D)·V.
type Options struct {
	// Scale multiplies q·k. 0 stands for 1/√D.
	Scale float32
	// Softcap, if positive, bounds scores to ±Softcap by softcap·tanh(s/softcap),
	// after the scale and before bias and mask.
	Softcap float32
	// Causal, unless Off, hides the keys after each query's position.
	Causal Align
	// Window, unless its Align is Off, hides the keys far from each query's position.
	Window Window
}

// align returns what positions are measured from; TopLeft if no rule needs them.
func (o Options) align() Align {
	switch {
	case o.Causal != Off:
		return o.Causal
	case o.Window.Align != Off:
		return o.Window.Align
	}
	return TopLeft
}

// limit bounds offsets, windows and lengths so that positions fit 32-bit
// integers on every device, with room to add them.
const limit = 1 << 29

func (o Options) validate() error {
	if !(o.Scale >= -maxFloat && o.Scale <= maxFloat) {
		return &RangeError{Arg: "scale", Got: o.Scale, Min: float32(-maxFloat), Max: float32(maxFloat)}
	}
	if !(o.Softcap >= 0 && o.Softcap <= maxFloat) {
		return &RangeError{Arg: "softcap", Got: o.Softcap, Min: 0, Max: float32(maxFloat)}
	}
	if o.Causal > PerBatch {
		return &RangeError{Arg: "causal", Got: o.Causal, Min: Off, Max: PerBatch}
	}
	w := o.Window
	if w.Align > PerBatch {
		return &RangeError{Arg: "window.align", Got: w.Align, Min: Off, Max: PerBatch}
	}
	if w.Align == Off {
		if w != (Window{}) {
			return &RangeError{Arg: "window.align", Got: Off, Min: TopLeft, Max: PerBatch}
		}
		return nil
	}
	if o.Causal != Off && o.Causal != w.Align {
		return &RangeError{Arg: "window.align", Got: w.Align, Min: o.Causal, Max: o.Causal}
	}
	if w.Left < -1 || w.Left > limit {
		return &RangeError{Arg: "window.left", Got: w.Left, Min: -1, Max: limit}
	}
	if w.Right < -1 || w.Right > limit {
		return &RangeError{Arg: "window.right", Got: w.Right, Min: -1, Max: limit}
	}
	return nil
}

const maxFloat = 0x1p127 * (1 + (1 - 0x1p-23)) // the largest float32
