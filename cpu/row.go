package cpu

import (
	"math"

	"github.com/glattn/attention"
)

// Row is one row of attention in float64 with everything on the way to it. Its
// buffers are reused by the next [ReferenceRow] call with the same Row.
type Row struct {
	Scores  []float64 // [Lk] scores as they enter the softmax; −Inf where not allowed
	Weights []float64 // [Lk] softmax weights; 0 where not allowed
	Allowed []bool    // [Lk] which keys take part: admitted by the mask, and score not −Inf
	O       []float64 // [Dv] the output
	LSE     float64   // ln Σ exp(score); −Inf if Empty
	AbsQK   []float64 // [Lk] Σ_d |q_d·k_d|, unscaled, infinite and NaN products left out; 0 where masked
	AbsPV   []float64 // [Dv] Σ_j w_j·|v_jd| over allowed keys, infinite and NaN products left out
	Empty   bool      // no key is allowed: O is 0

	query, key, value []float64
	outputs           []sum
}

// ReferenceRow computes row i of batch entry b and query head h into row:
//
//	scores[j]  = Call.Score(Σ_d q_d·k_jd)
//	weights[j] = exp(scores[j] − m) / Σ_j exp(scores[j] − m)      m = max_j scores[j]
//	o[d]       = Σ_j weights[j]·v_jd
//	lse        = m + ln Σ_j exp(scores[j] − m)
//
// in float64 with compensated sums, inputs widened exactly. K and V are not
// read at keys that the mask or a bias of −Inf excludes, nor V where the score
// is −Inf. A NaN score makes weights, O and LSE NaN; else a +Inf score makes
// weights and O NaN, and LSE +Inf.
func ReferenceRow(call *attention.Call, b, h, i int, row *Row) {
	row.reset(call.Problem)
	row.score(call, b, h, i)
	row.softmax()
	row.weigh(call, b, h)
}

// reset sizes the buffers for p and makes the row one with nothing allowed.
func (r *Row) reset(p attention.Problem) {
	for _, buffer := range []*[]float64{&r.Scores, &r.Weights, &r.AbsQK} {
		*buffer = resized(*buffer, p.KeyLen)
		clear(*buffer)
	}
	for j := range r.Scores {
		r.Scores[j] = math.Inf(-1)
	}
	r.Allowed = resized(r.Allowed, p.KeyLen)
	clear(r.Allowed)
	r.O, r.AbsPV = resized(r.O, p.ValueDim), resized(r.AbsPV, p.ValueDim)
	clear(r.O)
	clear(r.AbsPV)
	r.query, r.key, r.value = resized(r.query, p.Dim), resized(r.key, p.Dim), resized(r.value, p.ValueDim)
	r.outputs = resized(r.outputs, p.ValueDim)
	clear(r.outputs)
	r.LSE, r.Empty = math.Inf(-1), true
}

func (r *Row) score(call *attention.Call, b, h, i int) {
	p := call.Problem
	mask := call.Mask(b, h)
	first, end := mask.KeyRange(i, i+1)
	widen64(r.query, call.In.Q, b, h, i)
	for j := first; j < end; j++ {
		if call.In.Mask.Present() && call.In.Mask.At(b, h, i, j) == 0 {
			continue
		}
		if call.In.Bias.Present() && math.IsInf(call.In.Bias.At(b, h, i, j), -1) {
			continue // the key is not read
		}
		widen64(r.key, call.In.K, b, h/p.Group(), j)
		product, magnitude := dot(r.query, r.key)
		r.Scores[j], r.AbsQK[j] = call.Score(b, h, i, j, product), magnitude
		r.Allowed[j] = !math.IsInf(r.Scores[j], -1)
		r.Empty = r.Empty && !r.Allowed[j]
	}
}

func (r *Row) softmax() {
	if r.Empty {
		return
	}
	top := math.Inf(-1)
	for _, s := range r.Scores {
		top = max(top, s) // NaN if any score is
	}
	var total sum
	for j, s := range r.Scores {
		if r.Allowed[j] {
			r.Weights[j] = math.Exp(s - top) // NaN if the maximum is NaN, and at a +Inf score
			total.add(r.Weights[j])
		}
	}
	r.LSE = top + math.Log(total.value())
	if math.IsInf(top, 1) {
		r.LSE = top // the total is NaN by Inf − Inf, and so are the weights
	}
	for j := range r.Weights {
		if r.Allowed[j] {
			r.Weights[j] /= total.value()
		}
	}
}

func (r *Row) weigh(call *attention.Call, b, h int) {
	if r.Empty {
		return
	}
	for j, w := range r.Weights {
		if !r.Allowed[j] {
			continue
		}
		widen64(r.value, call.In.V, b, h/call.Problem.Group(), j)
		for d, v := range r.value {
			product := w * v
			r.outputs[d].add(product)
			if size := math.Abs(product); size <= math.MaxFloat64 {
				r.AbsPV[d] += size
			}
		}
	}
	for d := range r.O {
		r.O[d] = r.outputs[d].value()
	}
}

// widen64 reads the elements [b, h, i, :] of t into dst, exactly.
func widen64(dst []float64, t attention.Tensor, b, h, i int) {
	at, stride := t.Index(b, h, i, 0), t.Strides()[attention.AxisDim]
	switch t.DType() {
	case attention.Float32:
		data := t.Float32s()
		for d := range dst {
			dst[d] = float64(data[at+d*stride])
		}
	case attention.Float16:
		data := t.Uint16s()
		for d := range dst {
			dst[d] = float64(attention.Float16ToFloat32(data[at+d*stride]))
		}
	case attention.BFloat16:
		data := t.Uint16s()
		for d := range dst {
			dst[d] = float64(attention.BFloat16ToFloat32(data[at+d*stride]))
		}
	case attention.Q8_0:
		for d := range dst {
			dst[d] = t.At(b, h, i, d) // the scale for each number again: plain, as the oracle is to be
		}
	}
}

// resized returns a slice of n elements, buffer's own memory if it suffices.
func resized[T any](buffer []T, n int) []T {
	if cap(buffer) < n {
		return make([]T, n)
	}
	return buffer[:n]
}
