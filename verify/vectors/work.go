package vectors

import (
	"math"

	"github.com/glattn/attention"
)

// work is a case in the terms of package attention.
type work struct {
	options          attention.Options
	q, k, v          array // [B, H, L, D]
	bias, mask       array // absent, or broadcasting to [B, Hq, Lq, Lk]
	lengths, offsets []int
	seqMajor         bool // the operator keeps its tensors as [B, L, H, D]

	output  string            // name of the attention's own output
	host    []produced        // outputs made on the host, by copying or projecting
	unbuilt map[string]string // outputs nothing produces, and the name of the missing feature
}

// produced is the computed value of an expected output.
type produced struct {
	name  string
	value array
	exact bool // nothing but copying went into it
}

// cached adds an output that is the cache after the step.
func (w *work) cached(name string, value array, exact bool) {
	w.host = append(w.host, produced{name, value, exact})
}

// call lays the tensors out and checks the problem. The output starts as NaN, so
// that an element nobody writes is seen.
func (w *work) call() (*attention.Call, error) {
	in := attention.Inputs{Q: w.view(w.q), K: w.view(w.k), V: w.view(w.v), Lengths: w.lengths, Offsets: w.offsets}
	if w.bias.present() {
		in.Bias = w.bias.tensor()
	}
	if w.mask.present() {
		in.Mask = w.mask.tensor()
	}
	shape := [4]int{w.q.shape[0], w.q.shape[1], w.q.shape[2], w.v.shape[3]}
	o := w.view(make4(w.q.dtype, shape, func(_, _, _, _ int) float64 { return math.NaN() }))
	return attention.NewCall(w.options, in, attention.Outputs{O: o})
}

// view makes a tensor [B, H, L, D] that lies in memory as the operator has it.
func (w *work) view(a array) attention.Tensor {
	if w.seqMajor {
		return exchanged(a).tensor().Transpose(attention.AxisHead, attention.AxisSequence)
	}
	return a.tensor()
}

// result reads the attention's output back in the operator's own shape.
func (w *work) result(o attention.Tensor) produced {
	s := o.Shape()
	a := array{dtype: o.DType(), shape: s[:]}
	if w.seqMajor {
		o = o.Transpose(attention.AxisHead, attention.AxisSequence)
		a.shape = []int{s[0], s[2], s[1] * s[3]}
	}
	a.values = flatten(o)
	return produced{name: w.output, value: a}
}

// position returns the alignment that puts query 0 behind past keys; a negative
// past stands for positions measured from the end of each entry's keys.
func (w *work) position(past int) attention.Align {
	switch {
	case past < 0:
		return attention.BottomRight
	case past == 0:
		return attention.TopLeft
	}
	for range w.q.shape[0] {
		w.offsets = append(w.offsets, past)
	}
	return attention.PerBatch
}
