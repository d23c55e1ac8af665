package vectors

import (
	"fmt"

	"github.com/glattn/attention"
)

// multiHeadAttention maps com.microsoft MultiHeadAttention.
func multiHeadAttention(r *reader) (*work, error) {
	w := &work{output: "output", seqMajor: true, unbuilt: map[string]string{"qk": "output qk"}}
	heads := r.positive("num_heads")
	r.mhaTensors(w, heads)
	if r.err != nil {
		return nil, r.err
	}
	exact := r.mhaBias(w)
	if r.err != nil {
		return nil, r.err
	}
	past, ignored := r.mhaCache(w, exact)
	if r.err != nil {
		return nil, r.err
	}
	s := w.sizes(past)
	s.ignored = ignored
	r.microsoftMask(w, s, "key_padding_mask", paddingMask)
	r.microsoftScore(w, past)
	return w, r.err
}

// mhaTensors reads the three forms of the projections: apart, keys and values in
// one tensor, or all in one. Keys and values may already be split into heads.
func (r *reader) mhaTensors(w *work, heads int) {
	query := r.input("query", 3, 5)
	key, hasKey := r.optional("key")
	value, hasValue := r.optional("value")
	switch {
	case r.err != nil:
	case len(query.shape) == 5 && !hasKey && !hasValue:
		if r.check(query.expect("query", -1, -1, heads, 3, -1)) {
			w.q, w.k, w.v = packed(query, 0), packed(query, 1), packed(query, 2)
		}
	case len(query.shape) != 3 || !hasKey:
		r.check(fmt.Errorf("query has shape %v with key given: %t, value given: %t", query.shape, hasKey, hasValue))
	case len(key.shape) == 5 && !hasValue:
		w.q = r.split("query", query, heads)
		if r.check(key.expect("key", -1, -1, heads, 2, -1)) {
			w.k, w.v = packed(key, 0), packed(key, 1)
		}
	case len(key.shape) == 4 && len(value.shape) == 4:
		w.q, w.k, w.v = r.split("query", query, heads), key, value
	case len(key.shape) == 3 && len(value.shape) == 3:
		w.q, w.k, w.v = r.split("query", query, heads), r.split("key", key, heads), r.split("value", value, heads)
	default:
		r.check(fmt.Errorf("key has shape %v and value %v, which fit no form", key.shape, value.shape))
	}
}

// mhaBias adds the projections' bias, query part first. Keys and values that
// came as heads are taken as they are. It reports whether K and V are untouched.
func (r *reader) mhaBias(w *work) (exact bool) {
	bias, ok := r.optional("bias")
	if !ok {
		return true
	}
	nq, nk, nv := w.q.shape[1]*w.q.shape[3], w.k.shape[1]*w.k.shape[3], w.v.shape[1]*w.v.shape[3]
	if !r.check(bias.expect("bias", nq+nk+nv)) {
		return false
	}
	w.q = addBias(w.q, bias.values[:nq])
	if key, _ := r.optional("key"); len(key.shape) == 4 {
		return true
	}
	w.k, w.v = addBias(w.k, bias.values[nq:nq+nk]), addBias(w.v, bias.values[nq+nk:])
	return false
}

// mhaCache puts the cache in front of K and V and returns its length. Without
// present outputs the operator ignores the past, and its length is returned
// apart. With past_sequence_length the cache is a buffer of fixed size of which
// so much is filled.
func (r *reader) mhaCache(w *work, exact bool) (past, ignored int) {
	pastKey, hasKey := r.optional("past_key")
	pastValue, hasValue := r.optional("past_value")
	filled := r.integers("past_sequence_length")
	if beams, ok := r.optional("cache_indirection"); ok {
		r.refuse(len(beams.shape) != 3 || beams.shape[1] != 1, fmt.Sprintf("cache_indirection of shape %v", beams.shape))
	}
	if hasKey != hasValue || (len(filled) > 0 && !hasKey) {
		r.check(fmt.Errorf("past_key, past_value and past_sequence_length do not fit together"))
	}
	if r.err != nil {
		return 0, 0
	}
	if hasKey && !r.check(pastKey.expect("past_key", -1, -1, -1, -1)) {
		return 0, 0
	}
	fresh := w.k.shape[2]
	var err error
	switch {
	case hasKey && !r.wants("present_key"):
		ignored = pastKey.shape[2]
		if len(filled) > 0 {
			ignored = filled[0]
		}
		r.note("past is ignored, as no present output is asked for")
	case hasKey && len(filled) > 0:
		past = filled[0]
		rows := pastKey.shape[2]
		at := repeat(past, w.q.shape[0])
		if w.k, err = overwrite("key", pastKey, w.k, at, rows); r.check(err) {
			w.v, err = overwrite("value", pastValue, w.v, at, rows)
		}
	case hasKey:
		past = pastKey.shape[2]
		if w.k, err = join("key", pastKey, w.k); r.check(err) {
			w.v, err = join("value", pastValue, w.v)
		}
	}
	if !r.check(err) {
		return 0, 0
	}
	w.cached("present_key", w.k, exact)
	w.cached("present_value", w.v, exact)
	w.k, w.v = prefix(w.k, past+fresh), prefix(w.v, past+fresh)
	return past, ignored
}

// prefix returns the first n positions of [B, N, L, D].
func prefix(a array, n int) array {
	return make4(a.dtype, [4]int{a.shape[0], a.shape[1], n, a.shape[3]}, a.at)
}

func repeat(v, n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = v
	}
	return list
}

// microsoftScore reads the attributes that MultiHeadAttention and Attention share.
func (r *reader) microsoftScore(w *work, past int) {
	w.options.Scale = float32(r.number("scale", 0)) // 0 is 1/√D there too
	if r.integer("unidirectional", 0) != 0 {
		w.options.Causal = w.position(past)
	}
	if w.options.Causal == attention.PerBatch && w.k.shape[2] == past+w.q.shape[2] {
		w.options.Causal, w.offsets = attention.BottomRight, nil // the same positions, the other way to say them
	}
}
