package gpu

import (
	"encoding/binary"
	"math"

	"github.com/glattn/attention"
)

// params are the numbers of one dispatch, by their names in params.glsl.
type params struct {
	ints   map[string]int
	floats map[string]float32
}

// newParams fills what depends on the problem alone.
func newParams(p attention.Problem, v Variant) params {
	left, right := reach(p)
	scale := p.EffectiveScale()
	if !v.natural() {
		scale *= math.Log2E
	}
	return params{
		ints: map[string]int{
			"query_len": p.QueryLen, "heads": p.Heads, "kv_heads": p.KVHeads, "group": p.Group(),
			"batch_base": 0, "kv_base": 0, "row_base": 0,
			"value_dim4": vec4s(p.ValueDim),
			"q_pitch":    p.QueryLen * vec4s(p.Dim),
			"k_pitch":    0, "k_batch": 0, "k_base": 0, "v_pitch": 0, "v_batch": 0, "v_base": 0,
			"k_scales": int(scalesAt(rowsOfKeys(p), p.Dim) / 4), "v_scales": int(scalesAt(rowsOfKeys(p), p.ValueDim) / 4),
			"split_len": maxReach, "splits": 1, "split_base": 0, "split_first": 0, "split_count": 1,
			"reach_left": left, "reach_right": right,
			"bias_batch": 0, "bias_head": 0, "bias_query": 0, "bias_key": 0,
			"mask_batch": 0, "mask_head": 0, "mask_query": 0, "mask_key": 0,
		},
		floats: map[string]float32{"scale": float32(scale), "softcap": p.Softcap},
	}
}

// maxReach stands for no limit; positions plus it still fit 32 bits, since the
// root package bounds offsets, lengths and windows to 2^29.
const maxReach = 1<<30 - 1

// reach folds causal rule and window into how many keys a query sees before and
// after its own position.
func reach(p attention.Problem) (left, right int) {
	left, right = maxReach, maxReach
	if p.Window.Align != attention.Off {
		if p.Window.Left >= 0 {
			left = min(p.Window.Left, maxReach)
		}
		if p.Window.Right >= 0 {
			right = min(p.Window.Right, maxReach)
		}
	}
	if p.Causal != attention.Off {
		right = 0
	}
	return left, right
}

// pack writes the numbers at the offsets that the linked program reports. The
// block may lack names that the variant does not use.
func (p params) pack(size int, offsets map[string]int) []byte {
	block := make([]byte, size)
	for name, at := range offsets {
		if v, ok := p.ints[name]; ok {
			binary.LittleEndian.PutUint32(block[at:], uint32(int32(v)))
		} else if v, ok := p.floats[name]; ok {
			binary.LittleEndian.PutUint32(block[at:], math.Float32bits(v))
		}
	}
	return block
}
