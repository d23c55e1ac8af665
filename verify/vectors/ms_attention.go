package vectors

import "fmt"

// microsoftAttention maps com.microsoft Attention, which projects its input to
// queries, keys and values itself.
func microsoftAttention(r *reader) (*work, error) {
	r.refuse(r.integer("do_rotary", 0) != 0, "do_rotary")
	w := &work{output: "output", seqMajor: true}
	heads := r.positive("num_heads")
	r.projections(w, heads)
	if r.err != nil {
		return nil, r.err
	}
	past := r.stackedCache(w)
	if r.err != nil {
		return nil, r.err
	}
	r.microsoftMask(w, w.sizes(past), "mask_index", maskIndex)
	r.microsoftScore(w, past)
	return w, r.err
}

// projections multiplies the input by the weights and cuts the columns into Q,
// K and V: thirds, or as qkv_hidden_sizes says.
func (r *reader) projections(w *work, heads int) {
	x, weights := r.input("input", 3), r.input("weights", 2)
	if r.err != nil || !r.check(weights.expect("weights", x.shape[2], -1)) {
		return
	}
	width := weights.shape[1]
	bias, ok := r.optional("bias")
	if ok && !r.check(bias.expect("bias", width)) {
		return
	}
	part := []int{width / 3, width / 3, width / 3}
	r.attribute("qkv_hidden_sizes", &part)
	if len(part) != 3 || part[0]+part[1]+part[2] != width || min(part[0], part[1], part[2]) < 1 {
		r.check(fmt.Errorf("%d columns of weights do not split into Q, K and V of %v", width, part))
		return
	}
	y := project(x, weights, bias.values)
	w.q = r.split("Q", columns(y, 0, part[0]), heads)
	w.k = r.split("K", columns(y, part[0], part[0]+part[1]), heads)
	w.v = r.split("V", columns(y, part[0]+part[1], width), heads)
}

// stackedCache puts past, keys and values in one tensor [2, B, N, P, H], in
// front of K and V and returns its length.
func (r *reader) stackedCache(w *work) (past int) {
	if a, ok := r.optional("past"); ok {
		if !r.check(a.expect("past", 2, -1, -1, -1, -1)) {
			return 0
		}
		past = a.shape[3]
		var err error
		if w.k, err = join("K", half(a, 0), w.k); !r.check(err) {
			return 0
		}
		w.v, err = join("V", half(a, 1), w.v)
		r.check(err)
	}
	if r.err == nil && r.wants("present") {
		if !r.check(w.v.expect("V", w.k.shape...)) {
			return 0
		}
		w.cached("present", stack(w.k, w.v), false)
	}
	return past
}
