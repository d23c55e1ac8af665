package vectors

import (
	"fmt"
	"math"

	"github.com/glattn/attention"
)

// onnxAttention maps ai.onnx Attention, opsets 23 to 25.
func onnxAttention(r *reader) (*work, error) {
	w := &work{output: "Y"}
	r.onnxTensors(w)
	mode := r.integer("qk_matmul_output_mode", 0)
	w.unbuilt = map[string]string{"qk_matmul_output": fmt.Sprintf("qk_matmul_output mode %d", mode)}
	if r.err != nil {
		return nil, r.err
	}
	past := r.onnxCache(w)
	if r.err != nil {
		return nil, r.err
	}
	w.lengths = r.integers("nonpad_kv_seqlen")
	if w.lengths != nil {
		if past > 0 {
			return nil, fmt.Errorf("nonpad_kv_seqlen and past_key exclude each other")
		}
		past = -1 // positions count from the end of each entry's keys
	}
	r.onnxScore(w)
	r.onnxWindow(w, past)
	r.onnxMask(w)
	return w, r.err
}

// onnxTensors reads Q, K and V, which have four axes, or three and head counts.
func (r *reader) onnxTensors(w *work) {
	w.q, w.k, w.v = r.input("Q", 4, 3), r.input("K", 4, 3), r.input("V", 4, 3)
	if r.err != nil {
		return
	}
	w.seqMajor = len(w.q.shape) == 3
	if !w.seqMajor { // head counts come from the shapes; the attributes may repeat them
		r.integer("q_num_heads", 0)
		r.integer("kv_num_heads", 0)
		r.check(w.k.expect("K", -1, -1, -1, -1))
		r.check(w.v.expect("V", -1, -1, -1, -1))
		return
	}
	if !r.check(w.k.expect("K", -1, -1, -1)) || !r.check(w.v.expect("V", -1, -1, -1)) {
		return
	}
	w.q = r.split("Q", w.q, r.positive("q_num_heads"))
	heads := r.positive("kv_num_heads")
	w.k, w.v = r.split("K", w.k, heads), r.split("V", w.v, heads)
}

// split is splitHeads with the mistake remembered.
func (r *reader) split(name string, a array, heads int) array {
	a, err := splitHeads(name, a, heads)
	r.check(err)
	return a
}

// onnxCache puts the cache in front of K and V and returns its length.
func (r *reader) onnxCache(w *work) (past int) {
	pastKey, hasKey := r.optional("past_key")
	pastValue, hasValue := r.optional("past_value")
	if hasKey != hasValue {
		r.check(fmt.Errorf("past_key and past_value come together or not at all"))
		return 0
	}
	if hasKey {
		var err error
		fresh := w.k.shape[2]
		w.k, err = join("K", pastKey, w.k)
		if !r.check(err) {
			return 0
		}
		w.v, err = join("V", pastValue, w.v)
		r.check(err)
		past = w.k.shape[2] - fresh
	}
	w.cached("present_key", w.k, true)
	w.cached("present_value", w.v, true)
	return past
}

// onnxScore reads what is done to a score before the masks.
func (r *reader) onnxScore(w *work) {
	var scale float64
	given := r.attribute("scale", &scale)
	r.refuse(given && scale == 0, "scale 0") // Options.Scale 0 is the default, 1/√D
	w.options.Scale = float32(scale)
	w.options.Softcap = float32(r.number("softcap", 0))
	const single = 1
	if p := r.integer("softmax_precision", single); p != single {
		r.note("softmax in float32 where the case asks for ONNX type %d", p)
	}
}

func (r *reader) onnxWindow(w *work, past int) {
	causal := r.integer("is_causal", 0) != 0
	left, right := r.integer("left_window_size", -1), r.integer("right_window_size", -1)
	window := left >= 0 || right >= 0
	if !causal && !window {
		return
	}
	align := w.position(past)
	if causal {
		w.options.Causal = align
	}
	if window {
		w.options.Window = attention.Window{Left: left, Right: right, Align: align}
	}
}

// onnxMask reads attn_mask, of one to four axes aligned right. Keys beyond a
// short last axis are masked, also where that axis has size 1.
func (r *reader) onnxMask(w *work) {
	a, ok := r.optional("attn_mask")
	if !ok || r.err != nil {
		return
	}
	if len(a.shape) < 1 || len(a.shape) > 4 {
		r.check(fmt.Errorf("attn_mask has shape %v, want 1 to 4 axes", a.shape))
		return
	}
	shape := [4]int{1, 1, 1, 1}
	copy(shape[4-len(a.shape):], a.shape)
	a.shape = shape[:]
	full := shape
	full[3] = w.k.shape[2]
	if shape[3] > full[3] {
		r.check(fmt.Errorf("attn_mask reaches over %d keys, there are %d", shape[3], full[3]))
		return
	}
	masked := math.Inf(-1)
	if a.dtype == attention.Bool {
		masked = 0
	}
	a = make4(a.dtype, full, func(b, h, i, j int) float64 {
		if j >= shape[3] {
			return masked
		}
		return a.at(b, h, i, j)
	})
	switch {
	case a.dtype == attention.Bool:
		w.mask = a
	case a.dtype.IsFloat():
		w.bias = a
	default:
		r.check(fmt.Errorf("attn_mask holds whole numbers, want bool or float"))
	}
}
