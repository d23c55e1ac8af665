// The numbers of one dispatch. gpu/params.go fills the block by the offsets that
// the linked program reports, so there is no host copy of this layout.
layout(std140, binding = 8) uniform Params {
	int query_len; // Lq
	int heads;     // Hq
	int kv_heads;  // Hkv
	int group;     // Hq / Hkv

	int batch_base; // first batch entry, KV head and row of this dispatch
	int kv_base;
	int row_base;

	int value_dim4; // Dv in vec4s, rounded up
	int q_pitch;    // vec4s from one head's rows to the next head's
	int k_pitch;
	int v_pitch;
	int k_batch; // vec4s from one batch entry to the next
	int v_batch;
	int k_base; // vec4s before the first row
	int v_base;
	int k_scales; // of q8_0: words before the scales
	int v_scales;

	int split_len;   // keys per split, a multiple of the key tile
	int splits;      // partial results per row
	int split_base;  // partial results of the keys before those at hand
	int split_first; // splits of the keys at hand that this dispatch computes
	int split_count;

	int reach_left; // keys a query sees before and after its own position
	int reach_right;
	float scale; // times log2(e) where scores are kept in log2 units
	float softcap;

	int bias_batch; // strides in elements, 0 where the bias is broadcast
	int bias_head;
	int bias_query;
	int bias_key;
	int mask_batch; // strides in bytes, 0 where the mask is broadcast
	int mask_head;
	int mask_query;
	int mask_key;
};

// key_len and query_offset of each batch entry.
layout(std430, binding = 7) readonly buffer Sequences {
	ivec2 sequences[];
};
