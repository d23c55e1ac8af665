package attention

import "fmt"

// Shape holds the sizes of a problem.
type Shape struct {
	Batch    int // B
	Heads    int // Hq, query heads
	KVHeads  int // Hkv, key and value heads; divides Heads
	QueryLen int // Lq
	KeyLen   int // Lk, including what per-batch lengths cut off
	Dim      int // D, width of queries and keys
	ValueDim int // Dv, width of values and outputs
}

// Operands says which tensors a call has and how they are stored.
type Operands struct {
	Q, K, V, O DType // float types; K and V, each by itself, also Q8_0
	Bias       DType // NoType without a bias
	Masked     bool  // a boolean mask is given
	Lengths    bool  // per-batch key lengths are given
	LSE        bool  // the log-sum-exp is wanted

	Resident Residents // tensors that lie in the Memory of a device
}

func (o Operands) validate() error {
	const floats, cached = "f32, f16 or bf16", "f32, f16, bf16 or q8_0"
	for _, t := range []struct {
		name string
		got  DType
		want string
		also DType // allowed beside the float types
	}{
		{"Q", o.Q, floats, Float32}, {"K", o.K, cached, Q8_0}, {"V", o.V, cached, Q8_0},
		{"O", o.O, floats, Float32}, {"bias", o.Bias, floats, NoType},
	} {
		if !t.got.IsFloat() && t.got != t.also {
			return &TypeError{Arg: t.name, Got: t.got, Want: t.want}
		}
	}
	return nil
}

// Problem is all of a call but its data: sizes, options and storage types. It is
// comparable, so that it can be the key of a cache. [NewCall] makes valid ones.
type Problem struct {
	Shape
	Options
	Operands
}

// Validate reports the first storage type, size or option that no call can have.
func (p Problem) Validate() error {
	if err := p.Operands.validate(); err != nil {
		return err
	}
	sizes := []struct {
		name     string
		got, min int
	}{
		{"batch", p.Batch, 0}, {"heads", p.Heads, 1}, {"kv heads", p.KVHeads, 1},
		{"query length", p.QueryLen, 0}, {"key length", p.KeyLen, 0},
		{"dim", p.Dim, 1}, {"value dim", p.ValueDim, 1},
	}
	for _, s := range sizes {
		if s.got < s.min || s.got > limit {
			return &RangeError{Arg: s.name, Got: s.got, Min: s.min, Max: limit}
		}
	}
	if p.Heads%p.KVHeads != 0 {
		return &ShapeError{Arg: "Q", Axis: "head", Got: p.Heads, Want: p.KVHeads, Why: "must be a multiple of the kv heads"}
	}
	return p.Options.validate()
}

// Group returns the number of query heads that share a KV head.
func (p Problem) Group() int { return p.Heads / p.KVHeads }

// Fits reports whether a plan made for p serves a call of problem q: everything
// equal but the lengths and the batch, which may be smaller.
func (p Problem) Fits(q Problem) bool {
	if q.Batch > p.Batch || q.QueryLen > p.QueryLen || q.KeyLen > p.KeyLen {
		return false
	}
	q.Batch, q.QueryLen, q.KeyLen = p.Batch, p.QueryLen, p.KeyLen
	return p == q
}

// Capacity returns p with its batch and key length rounded up to powers of two, and
// its query length too unless it is a short one. A loop whose keys grow by one, or a
// server whose batches vary, then asks for few different plans.
func (p Problem) Capacity() Problem {
	p.Batch = roundUp(p.Batch, 1)
	p.KeyLen = roundUp(p.KeyLen, 64)
	if p.QueryLen > 16 {
		p.QueryLen = roundUp(p.QueryLen, 64)
	}
	return p
}

// roundUp returns the smallest power of two that is at least n and least.
func roundUp(n, least int) int {
	size := least
	for size < n && size < limit {
		size *= 2
	}
	return size
}

// String is a compact name such as
// b1 hq32 hkv8 lq1 lk4096 d128 dv128 f32/f16/f16/f32 causal=bottom-right.
func (p Problem) String() string {
	s := fmt.Sprintf("b%d hq%d hkv%d lq%d lk%d d%d dv%d %v/%v/%v/%v",
		p.Batch, p.Heads, p.KVHeads, p.QueryLen, p.KeyLen, p.Dim, p.ValueDim, p.Q, p.K, p.V, p.O)
	if p.Scale != 0 {
		s += fmt.Sprintf(" scale=%g", p.Scale)
	}
	if p.Softcap != 0 {
		s += fmt.Sprintf(" softcap=%g", p.Softcap)
	}
	if p.Causal != Off {
		s += " causal=" + p.Causal.String()
	}
	if p.Window.Align != Off {
		s += fmt.Sprintf(" window=%d:%d@%v", p.Window.Left, p.Window.Right, p.Window.Align)
	}
	if p.Bias != NoType {
		s += " bias=" + p.Bias.String()
	}
	for _, flag := range []struct {
		on   bool
		name string
	}{{p.Masked, "mask"}, {p.Lengths, "lengths"}, {p.LSE, "lse"}} {
		if flag.on {
			s += " " + flag.name
		}
	}
	if p.Resident != 0 {
		s += fmt.Sprintf(" resident=%v", p.Resident)
	}
	return s
}
