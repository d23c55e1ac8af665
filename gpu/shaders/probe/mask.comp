// Writes mask_keep of every (query, key) of one (batch, head) for comparison with
// attention.Mask.Keep.
#include "params.glsl"
#include "mask.glsl"

layout(std430, binding = 3) writeonly buffer Kept {
	uint kept[];
};

void main() {
	int j = int(gl_GlobalInvocationID.x);
	int i = int(gl_GlobalInvocationID.y);
	int head = kv_base;
	if (j >= split_len || i >= query_len) return; // split_len carries Lk here
	ivec2 range = mask_range(sequences[batch_base], i, i + 1);
	uint full = mask_full(sequences[batch_base], i, min(i + 3, query_len), j, j + 4) ? 2u : 0u;
	kept[i * split_len + j] = (mask_keep(range, batch_base, head, i, j) ? 1u : 0u) | full;
}
