package bench

import (
	"fmt"
	"math"
	"strings"

	"github.com/glattn/attention"
)

// Spec is a problem as text describes it: what [attention.Problem] says, and the
// position of query 0 where the alignment is per batch.
type Spec struct {
	Name    string // of a named workload, else empty
	Problem attention.Problem
	Offset  int // of every batch entry, with the alignment per-batch only
}

// SpecError reports a key of a spec that is unknown, given twice, missing, or
// has a value outside the allowed set. It is an [attention.ErrInvalid].
type SpecError struct {
	Key, Value string
	Why        string // such as "want 1 to 576"
}

// Error names the key, the value and what is allowed.
func (e *SpecError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("bench: shape %q: %s", e.Value, e.Why)
	}
	if e.Value == "" {
		return fmt.Sprintf("bench: shape: %s: %s", e.Key, e.Why)
	}
	return fmt.Sprintf("bench: shape: %s=%s: %s", e.Key, e.Value, e.Why)
}

// Is makes errors.Is(err, attention.ErrInvalid) true.
func (e *SpecError) Is(target error) bool { return target == attention.ErrInvalid }

// ParseSpec reads a spec: key=value pairs separated by commas, in any order, such
// as
//
//	b=1,hq=32,hkv=8,lq=1,lk=4096,d=128,dv=128,dtype=f32,kv=f16,causal=bottom-right,window=-1:-1
//
// [SpecKeys] lists the keys. The error is a [SpecError].
func ParseSpec(text string) (Spec, error) {
	d := draft{given: map[string]string{}, window: attention.Window{Left: -1, Right: -1}}
	if strings.TrimSpace(text) == "" {
		return Spec{}, &SpecError{Value: text, Why: "is empty; keys are " + knownKeys()}
	}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" || value == "" {
			return Spec{}, &SpecError{Value: pair, Why: "is not key=value; keys are " + knownKeys()}
		}
		if err := d.take(name, value); err != nil {
			return Spec{}, err
		}
	}
	return d.finish()
}

// draft is a spec while its keys come in.
type draft struct {
	spec   Spec
	given  map[string]string
	align  attention.Align
	window attention.Window
	kv     attention.DType
}

func (d *draft) take(name, value string) error {
	k, ok := keyNamed(name)
	if !ok {
		return &SpecError{Key: name, Value: value, Why: "unknown key; keys are " + knownKeys()}
	}
	for _, clash := range append([]string{name}, k.excludes...) {
		if old, twice := d.given[clash]; twice {
			return &SpecError{Key: name, Value: value, Why: fmt.Sprintf("given beside %s=%s", clash, old)}
		}
	}
	d.given[name] = value
	if !k.set(d, value) {
		return &SpecError{Key: name, Value: value, Why: "want " + k.want}
	}
	return nil
}

func (d *draft) has(names ...string) bool {
	for _, name := range names {
		if _, ok := d.given[name]; ok {
			return true
		}
	}
	return false
}

// finish fills in what was left out and checks what keys say together.
func (d *draft) finish() (Spec, error) {
	p := &d.spec.Problem
	for _, need := range []struct{ key, or string }{{"hq", "h"}, {"lq", "l"}, {"lk", "l"}, {"d", "d"}} {
		if !d.has(need.key, need.or) {
			return Spec{}, &SpecError{Key: need.key, Why: "is missing; b, hkv, dv and dtype have defaults, hq (or h), lq and lk (or l), d have none"}
		}
	}
	if p.Batch == 0 {
		p.Batch = 1
	}
	if p.KVHeads == 0 {
		p.KVHeads = p.Heads
	}
	if p.ValueDim == 0 {
		p.ValueDim = p.Dim
	}
	if p.Q == attention.NoType {
		p.Q = attention.Float32
	}
	if p.O == attention.NoType {
		p.O = p.Q
	}
	if d.kv == attention.NoType {
		d.kv = p.Q
	}
	p.K, p.V = d.kv, d.kv
	if p.Heads%p.KVHeads != 0 {
		return Spec{}, &SpecError{Key: "hkv", Value: fmt.Sprint(p.KVHeads), Why: fmt.Sprintf("want a divisor of hq=%d", p.Heads)}
	}
	if err := d.position(); err != nil {
		return Spec{}, err
	}
	if err := d.spec.checkSize(); err != nil {
		return Spec{}, err
	}
	if err := p.Validate(); err != nil {
		return Spec{}, &SpecError{Value: d.spec.String(), Why: err.Error()}
	}
	return d.spec, nil
}

// position joins causal rule, window and alignment.
func (d *draft) position() error {
	p := &d.spec.Problem
	if d.window.Left >= 0 || d.window.Right >= 0 {
		p.Window = d.window
		p.Window.Align = attention.BottomRight
		switch {
		case p.Causal != attention.Off:
			p.Window.Align = p.Causal
		case d.has("align"):
			p.Window.Align = d.align
		}
	}
	if d.has("align") {
		switch {
		case p.Causal != attention.Off && d.align != p.Causal:
			return &SpecError{Key: "align", Value: d.align.String(), Why: "want the alignment of causal, " + p.Causal.String()}
		case p.Causal == attention.Off && p.Window.Align == attention.Off:
			return &SpecError{Key: "align", Value: d.align.String(), Why: "there is no window that it could align"}
		}
	}
	if d.has("offset") && p.Causal != attention.PerBatch && p.Window.Align != attention.PerBatch {
		return &SpecError{Key: "offset", Value: d.given["offset"], Why: "only the alignment per-batch takes an offset"}
	}
	return nil
}

// maxElements bounds each tensor, so that sizes in bytes fit an int64 with room.
const maxElements = 1 << 44

func (s Spec) checkSize() error {
	for _, t := range s.tensors() {
		if t.elements > maxElements {
			return &SpecError{Value: s.String(), Why: fmt.Sprintf("%s has %.3g elements, want at most %.3g", t.name, t.elements, float64(maxElements))}
		}
	}
	return nil
}

type tensorSize struct {
	name     string
	elements float64
	dtype    attention.DType
}

// tensors lists the tensors of a call of the spec, outputs last.
func (s Spec) tensors() []tensorSize {
	p := s.Problem
	rows := float64(p.Batch) * float64(p.Heads) * float64(p.QueryLen)
	keys := float64(p.Batch) * float64(p.KVHeads) * float64(p.KeyLen)
	list := []tensorSize{
		{"Q", rows * float64(p.Dim), p.Q}, {"K", keys * float64(p.Dim), p.K}, {"V", keys * float64(p.ValueDim), p.V},
		{"O", rows * float64(p.ValueDim), p.O},
	}
	if p.LSE {
		list = append(list, tensorSize{"LSE", rows, attention.Float32})
	}
	square := float64(p.QueryLen) * float64(p.KeyLen)
	if p.Bias != attention.NoType {
		list = append(list, tensorSize{"bias", float64(p.Heads) * square, p.Bias})
	}
	if p.Masked {
		list = append(list, tensorSize{"mask", square, attention.Bool})
	}
	return list
}

// String writes the spec such that [ParseSpec] reads it back; the name is left out.
func (s Spec) String() string {
	p := s.Problem
	var b strings.Builder
	fmt.Fprintf(&b, "b=%d,hq=%d,hkv=%d,lq=%d,lk=%d,d=%d,dv=%d,dtype=%v,kv=%v,causal=%v", p.Batch, p.Heads, p.KVHeads,
		p.QueryLen, p.KeyLen, p.Dim, p.ValueDim, p.Q, p.K, p.Causal)
	left, right := -1, -1
	if p.Window.Align != attention.Off {
		left, right = p.Window.Left, p.Window.Right
	}
	fmt.Fprintf(&b, ",window=%d:%d", left, right)
	for _, extra := range []struct {
		on   bool
		text string
	}{
		{p.Causal == attention.Off && p.Window.Align != attention.Off, "align=" + p.Window.Align.String()},
		{s.Offset != 0, fmt.Sprintf("offset=%d", s.Offset)},
		{p.O != p.Q, "o=" + p.O.String()},
		{p.Scale != 0, "scale=" + number(p.Scale)},
		{p.Softcap != 0, "softcap=" + number(p.Softcap)},
		{p.Bias != attention.NoType, "bias=" + p.Bias.String()},
		{p.Masked, "mask=true"},
		{p.LSE, "lse=true"},
	} {
		if extra.on {
			b.WriteString("," + extra.text)
		}
	}
	return b.String()
}

// Title is the name, or the spec where there is none.
func (s Spec) Title() string {
	if s.Name != "" {
		return s.Name
	}
	return s.String()
}

// FLOPs returns the operations of the problem by its causal rule and window, and
// the customary count beside it: 2·B·Hq·Lq·Lk·(D+Dv), halved for a causal rule. A
// boolean mask is data, and not counted here.
func (s Spec) FLOPs() (exact, customary float64) {
	p := s.Problem
	p.Masked = false
	one := p
	one.Batch, one.Heads, one.KVHeads = 1, 1, 1
	call := attention.Call{Problem: one, In: attention.Inputs{Offsets: []int{s.Offset}}}
	pairs := float64(call.Pairs()) * float64(p.Batch) * float64(p.Heads)
	width := 2 * float64(p.Dim+p.ValueDim)
	customary = width * float64(p.Batch) * float64(p.Heads) * float64(p.QueryLen) * float64(p.KeyLen)
	if p.Causal != attention.Off {
		customary /= 2
	}
	return width * pairs, math.Round(customary)
}
