package vectors

import (
	"fmt"

	"github.com/glattn/attention"
)

// sizes are what the com.microsoft operators share.
type sizes struct {
	batch, heads, queries int
	past, keys            int // keys includes past
	ignored               int // keys of a cache that the operator leaves out
}

func (w *work) sizes(past int) sizes {
	return sizes{batch: w.q.shape[0], heads: w.q.shape[1], queries: w.q.shape[2], past: past, keys: w.k.shape[2]}
}

// keeps says whether key j of batch entry b may be seen by query i without the
// fill value being added to its score.
type keeps func(b, i, j int) bool

// microsoftMask gathers everything that is added to scores: the fill value
// where a padding mask says so, and attention_bias. The fill value is finite: a
// row whose keys all get it is an ordinary softmax, so it must not become a mask.
func (r *reader) microsoftMask(w *work, s sizes, name string, parse func(array, sizes) (keeps, error)) {
	fill := r.number("mask_filter_value", -10000)
	var keep keeps
	if a, ok := r.optional(name); ok {
		err := a.whole(name)
		if r.check(err) {
			keep, err = parse(a, s)
			r.check(err)
		}
	}
	extra, hasExtra := r.attentionBias(s)
	if r.err != nil || (keep == nil && !hasExtra) {
		return
	}
	if keep == nil {
		w.bias = extra
		return
	}
	w.bias = make4(attention.Float32, [4]int{s.batch, s.heads, s.queries, s.keys}, func(b, h, i, j int) float64 {
		v := 0.0
		if hasExtra {
			v = extra.at(b%extra.shape[0], h%extra.shape[1], i, j) // an axis of size 1 serves all
		}
		if !keep(b, i, j) {
			v += fill
		}
		return v
	})
}

// attentionBias reads what is added to the scores, [B or 1, N or 1, S, T]. It
// also covers the keys of a cache that is ignored, which come first.
func (r *reader) attentionBias(s sizes) (bias array, ok bool) {
	a, ok := r.optional("attention_bias")
	if !ok || !r.check(a.expect("attention_bias", -1, -1, s.queries, s.ignored+s.keys)) {
		return array{}, false
	}
	if s.ignored > 0 {
		whole := a
		a = make4(a.dtype, [4]int{a.shape[0], a.shape[1], s.queries, s.keys}, func(b, h, i, j int) float64 {
			return whole.at(b, h, i, s.ignored+j)
		})
	}
	if !a.dtype.IsFloat() {
		r.check(fmt.Errorf("attention_bias holds no floating-point numbers"))
	}
	for axis, size := range []int{s.batch, s.heads} {
		if n := a.shape[axis]; n != 1 && n != size {
			r.check(fmt.Errorf("attention_bias: axis %d has size %d, want 1 or %d", axis, n, size))
		}
	}
	return a, r.err == nil
}

// paddingMask reads MultiHeadAttention's key_padding_mask:
//
//	[B]        number of valid keys
//	[3B+2]     the same, in its first B elements
//	[B, T]     1 keeps the key
//	[B, S, T]  1 keeps the key for the query
func paddingMask(a array, s sizes) (keeps, error) {
	switch {
	case len(a.shape) == 1 && (a.shape[0] == s.batch || a.shape[0] == 3*s.batch+2):
		return func(b, _, j int) bool { return j < int(a.values[b]) }, nil
	case a.expect("", s.batch, s.keys) == nil:
		return func(b, _, j int) bool { return a.values[b*s.keys+j] != 0 }, nil
	case a.expect("", s.batch, s.queries, s.keys) == nil:
		return func(b, i, j int) bool { return a.values[(b*s.queries+i)*s.keys+j] != 0 }, nil
	}
	return nil, fmt.Errorf("key_padding_mask has shape %v, which fits no form for %+v", a.shape, s)
}

// maskIndex reads Attention's mask_index, which has besides the forms of
// paddingMask:
//
//	[2B]          ends of the valid keys, exclusive, then their starts
//	[B, 1]        a dummy
//	[B, 1, M, M]  rows from the past's length on, columns from 0
func maskIndex(a array, s sizes) (keeps, error) {
	switch {
	case len(a.shape) == 1 && a.shape[0] == 2*s.batch:
		return func(b, _, j int) bool { return j < int(a.values[b]) && j >= int(a.values[s.batch+b]) }, nil
	case a.expect("", s.batch, 1) == nil && s.keys != 1:
		return nil, nil
	case len(a.shape) == 4:
		m := a.shape[3]
		if err := a.expect("mask_index", s.batch, 1, m, m); err != nil {
			return nil, err
		}
		if m < s.past+s.queries || m < s.keys {
			return nil, fmt.Errorf("mask_index of %d rows and columns is too small for %+v", m, s)
		}
		return func(b, i, j int) bool { return a.values[(b*m+s.past+i)*m+j] != 0 }, nil
	}
	keep, err := paddingMask(a, s)
	if err != nil {
		return nil, fmt.Errorf("mask_index has shape %v, which fits no form for %+v", a.shape, s)
	}
	return keep, nil
}
