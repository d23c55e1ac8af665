package vectors

import (
	"fmt"

	"github.com/glattn/attention"
)

// groupQueryAttention maps com.microsoft GroupQueryAttention.
func groupQueryAttention(r *reader) (*work, error) {
	r.refuse(r.integer("do_rotary", 0) != 0, "do_rotary")
	r.refuse(r.integer("smooth_softmax", 0) > 0, "smooth_softmax")
	_, sink := r.optional("head_sink")
	r.refuse(sink, "head_sink")
	w := &work{output: "output", seqMajor: true, unbuilt: map[string]string{"output_qk": "output_qk"}}
	r.gqaTensors(w, r.positive("num_heads"), r.positive("kv_num_heads"))
	if r.err != nil {
		return nil, r.err
	}
	past := r.gqaCache(w)
	if r.err != nil {
		return nil, r.err
	}
	w.options.Scale = float32(r.number("scale", 0))
	w.options.Softcap = float32(r.number("softcap", 0))
	w.bias, _ = r.attentionBias(w.sizes(0))
	r.gqaWindow(w, past)
	return w, r.err
}

// gqaTensors reads query, key and value, or all three side by side in query.
func (r *reader) gqaTensors(w *work, heads, kvHeads int) {
	query := r.input("query", 3)
	key, hasKey := r.optional("key")
	value, hasValue := r.optional("value")
	switch {
	case r.err != nil:
	case hasKey && hasValue:
		if r.check(key.expect("key", -1, -1, -1)) && r.check(value.expect("value", -1, -1, -1)) {
			w.q, w.k, w.v = r.split("query", query, heads), r.split("key", key, kvHeads), r.split("value", value, kvHeads)
		}
	case hasKey || hasValue:
		r.check(fmt.Errorf("key and value come together or not at all"))
	case query.shape[2]%(heads+2*kvHeads) != 0:
		r.check(fmt.Errorf("query: width %d is no multiple of %d packed heads", query.shape[2], heads+2*kvHeads))
	default:
		dim := query.shape[2] / (heads + 2*kvHeads)
		k, v := heads*dim, (heads+kvHeads)*dim
		w.q = r.split("Q", columns(query, 0, k), heads)
		w.k = r.split("K", columns(query, k, v), kvHeads)
		w.v = r.split("V", columns(query, v, query.shape[2]), kvHeads)
	}
}

// gqaCache writes the new keys and values behind each batch entry's own past,
// and returns the lengths of the pasts. seqlens_k holds lengths including the
// new keys, less one. A step as long as the longest length is a prompt, which
// starts at 0 whatever its padding.
func (r *reader) gqaCache(w *work) (past []int) {
	batch, steps := w.q.shape[0], w.q.shape[2]
	lengths, total := r.integers("seqlens_k"), r.integers("total_sequence_length")
	if len(lengths) != batch || len(total) != 1 {
		r.check(fmt.Errorf("seqlens_k has %d elements and total_sequence_length %d, want %d and 1", len(lengths), len(total), batch))
		return nil
	}
	past = make([]int, batch)
	for b := range lengths {
		lengths[b]++
		if steps != total[0] {
			past[b] = lengths[b] - steps
		}
	}
	pastKey, hasKey := r.optional("past_key")
	pastValue, hasValue := r.optional("past_value")
	if hasKey != hasValue {
		r.check(fmt.Errorf("past_key and past_value come together or not at all"))
		return nil
	}
	if !hasKey {
		pastKey, pastValue = prefix(w.k, 0), prefix(w.v, 0)
	}
	if !r.check(pastKey.expect("past_key", -1, -1, -1, -1)) {
		return nil
	}
	rows := max(total[0], pastKey.shape[2])
	if rows > pastKey.shape[2]+steps {
		r.check(fmt.Errorf("total_sequence_length is %d, the cache and the new keys are %d", rows, pastKey.shape[2]+steps))
		return nil
	}
	var err error
	if w.k, err = overwrite("key", pastKey, w.k, past, rows); r.check(err) {
		w.v, err = overwrite("value", pastValue, w.v, past, rows)
		r.check(err)
	}
	w.lengths = lengths
	w.cached("present_key", w.k, true)
	w.cached("present_value", w.v, true)
	return past
}

// gqaWindow reads the causal rule, on unless switched off, and the window, which
// counts the query's own key: a size of W is a Left of W−1.
func (r *reader) gqaWindow(w *work, past []int) {
	causal := r.integer("causal", 1) != 0
	size := r.integer("local_window_size", -1)
	if causal {
		w.options.Causal = attention.PerBatch
	}
	if size > 0 {
		w.options.Window = attention.Window{Left: size - 1, Right: -1, Align: attention.PerBatch}
	}
	if causal || size > 0 {
		w.offsets = past
	}
}
