// Attention without any blocking, the yardstick of the other kernels and never
// picked for a call: an invocation computes one row, key after key, and reads K and
// V for that row alone, CHUNK numbers at a time (1 or 4).
#include "params.glsl"
#include "rows.glsl"
#include "mask.glsl"
#include "score.glsl"
#include "softmax.glsl"
#include "tensors.glsl"
#include "result.glsl"

#if CHUNK == 4
#define NUMBERS vec4
#define DIMS DIM4
#define VALUE_DIMS VALUE_DIM4
#define QUERY(at) load_query(at)
#define KEY(at) load_key(at)
#define VALUE(at) load_value(at)
#define OUTPUT(at) o_data[at]
#define PRODUCT(a, b) dot(a, b)
#else
#define NUMBERS float
#define DIMS (4 * DIM4)
#define VALUE_DIMS (4 * VALUE_DIM4)
#define QUERY(at) q_data[(at) / 4][(at) & 3]
#if K_BITS == 32
#define KEY(at) k_data[(at) / 4][(at) & 3]
#else
#define KEY(at) load_key((at) / 4)[(at) & 3]
#endif
#if V_BITS == 32
#define VALUE(at) v_data[(at) / 4][(at) & 3]
#else
#define VALUE(at) load_value((at) / 4)[(at) & 3]
#endif
#define OUTPUT(at) o_data[(at) / 4][(at) & 3]
#define PRODUCT(a, b) ((a) * (b))
#endif

void main() {
	int row = row_base + int(gl_GlobalInvocationID.x);
	if (row >= row_count()) return;
	int split = split_first + int(gl_WorkGroupID.y) % split_count;
	int kv_head = kv_base + int(gl_WorkGroupID.y) / split_count;
	int batch = batch_base + int(gl_WorkGroupID.z);
	int head = row_head(kv_head, row);
	int i = row_query(row);
	int queries = ((batch * heads + head) * q_pitch + i * DIM4) * (4 / CHUNK);
	int keys = key_start(batch, kv_head) * (4 / CHUNK);
	int values = value_start(batch, kv_head) * (4 / CHUNK);

	NUMBERS query[DIMS];
	NUMBERS acc[VALUE_DIMS];
	for (int d = 0; d < DIMS; d++) query[d] = QUERY(queries + d) * scale;
	for (int c = 0; c < VALUE_DIMS; c++) acc[c] = NUMBERS(0.0);
	float row_max = ROW_MAX_NONE;
	float row_sum = 0.0;

	ivec2 range = mask_range(sequences[batch], i, i + 1);
	int end_key = min(range.y, (split + 1) * split_len);
	for (int j = max(range.x, split * split_len); j < end_key; j++) {
		if (!mask_keep(range, batch, head, i, j)) continue;
		float s = 0.0;
		for (int d = 0; d < DIMS; d++) s += PRODUCT(query[d], KEY(keys + j * DIMS + d));
		s = score_final(s, batch, head, i, j);
		float highest = max(row_max, s);
		float decay = highest == row_max ? 1.0 : softmax_exp(row_max - highest);
		float weight = softmax_weight(s, highest);
		row_max = highest;
		row_sum = row_sum * decay + weight;
		if (weight_masked(weight)) continue; // by the bias
		for (int c = 0; c < VALUE_DIMS; c++) acc[c] = acc[c] * decay + weight * VALUE(values + j * VALUE_DIMS + c);
	}

	float factor = result_scale(row_sum);
	int at = result_row(batch, kv_head, row, split);
	result_stats(at, row_max, row_sum);
	for (int c = 0; c < VALUE_DIMS; c++) OUTPUT(at * VALUE_DIMS + c) = acc[c] * factor;
}
