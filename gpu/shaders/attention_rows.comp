// The kernel for software rasterisers, where an invocation is a SIMD lane of the
// CPU: no shared memory, no barriers, and keys at addresses that all lanes share.
// Each invocation owns ROWS rows and passes over the keys KEYS at a time. D and Dv
// are numbers, not defines, and loops stay loops: the time to compile is what a
// user of a software rasteriser waits for.
//
// The accumulators stand in the output itself, since arrays indexed by a loop
// variable would cost more; they are brought to the unit of the row at the end.
#include "params.glsl"
#include "rows.glsl"
#include "mask.glsl"
#include "score.glsl"
#include "softmax.glsl"
#include "tensors.glsl"
#include "result.glsl"

void main() {
	int batch = batch_base + int(gl_WorkGroupID.z);
	int split = int(gl_WorkGroupID.y) % splits;
	int kv_head = kv_base + int(gl_WorkGroupID.y) / splits;
	int block_row = row_base + int(gl_WorkGroupID.x) * LANES * ROWS;
	int first_row = block_row + int(gl_LocalInvocationIndex) * ROWS;
	ivec2 sequence = sequences[batch];
	int keys = (batch * kv_heads + kv_head) * k_pitch;
	int values = (batch * kv_heads + kv_head) * v_pitch;

	int last_row = row_count() - 1;
	int query_at[ROWS];
	int acc_at[ROWS];
	ivec2 row_range[ROWS];
	float row_max[ROWS];
	float row_sum[ROWS];
	for (int r = 0; r < ROWS; r++) {
		int row = min(first_row + r, last_row); // rows past the end repeat the last one and are not written
		query_at[r] = (batch * heads + row_head(kv_head, row)) * q_pitch + row_query(row) * dim4;
		acc_at[r] = result_row(batch, kv_head, row, split) * value_dim4;
		row_range[r] = mask_range(sequence, row_query(row), row_query(row) + 1);
		row_max[r] = ROW_MAX_NONE;
		row_sum[r] = 0.0;
		if (first_row + r <= last_row) {
			for (int c = 0; c < value_dim4; c++) o_data[acc_at[r] + c] = vec4(0.0);
		}
	}

	int first_query = row_query(block_row);
	int end_query = row_query(min(block_row + LANES * ROWS - 1, last_row)) + 1;
	ivec2 range = mask_range(sequence, first_query, end_query);
	range.x = max(range.x, split * split_len);
	range.y = min(range.y, (split + 1) * split_len);
	for (int key = range.x / KEYS * KEYS; key < range.y; key += KEYS) {
		// Keys past the end repeat the last one, so that no load leaves the tensor.
		int last_key = sequence.x - 1;
		vec4 sum[ROWS][KEYS];
		for (int r = 0; r < ROWS; r++)
			for (int k = 0; k < KEYS; k++) sum[r][k] = vec4(0.0);
		for (int d = 0; d < dim4; d++) {
			vec4 query[ROWS];
			for (int r = 0; r < ROWS; r++) query[r] = q_data[query_at[r] + d];
			for (int k = 0; k < KEYS; k++) {
				vec4 key_part = load_key(keys + min(key + k, last_key) * dim4 + d);
				for (int r = 0; r < ROWS; r++) sum[r][k] += query[r] * key_part;
			}
		}

		bool full = mask_full(sequence, first_query, end_query, key, key + KEYS) && key + KEYS <= range.y;
		float weight[ROWS][KEYS];
		float decay[ROWS];
		for (int r = 0; r < ROWS; r++) {
			int row = min(first_row + r, last_row);
			float highest = row_max[r];
			for (int k = 0; k < KEYS; k++) {
				float s = ((sum[r][k].x + sum[r][k].y) + (sum[r][k].z + sum[r][k].w)) * scale;
				bool keep = full || (key + k < range.y
					&& mask_keep(row_range[r], batch, row_head(kv_head, row), row_query(row), key + k));
				weight[r][k] = uintBitsToFloat(MASKED_BITS);
				if (keep) weight[r][k] = score_final(s, batch, row_head(kv_head, row), row_query(row), key + k);
				highest = max(highest, weight[r][k]);
			}
			decay[r] = highest == row_max[r] ? 1.0 : softmax_exp(row_max[r] - highest);
			row_max[r] = highest;
			row_sum[r] *= decay[r];
			for (int k = 0; k < KEYS; k++) {
				weight[r][k] = softmax_weight(weight[r][k], highest);
				row_sum[r] += weight[r][k];
			}
		}

		for (int c = 0; c < value_dim4; c++) {
			vec4 acc[ROWS];
			for (int r = 0; r < ROWS; r++) acc[r] = o_data[acc_at[r] + c] * decay[r];
			for (int k = 0; k < KEYS; k++) {
				vec4 value = load_value(values + min(key + k, last_key) * value_dim4 + c);
				if (is_finite(value)) {
					for (int r = 0; r < ROWS; r++) acc[r] += weight[r][k] * value;
				} else { // 0·NaN must not leak from masked keys
					for (int r = 0; r < ROWS; r++)
						if (!weight_masked(weight[r][k])) acc[r] += weight[r][k] * value;
				}
			}
			for (int r = 0; r < ROWS; r++)
				if (first_row + r <= last_row) o_data[acc_at[r] + c] = acc[r];
		}
	}

	for (int r = 0; r < ROWS; r++) {
		if (first_row + r > last_row) continue;
		float factor = result_scale(row_sum[r]);
		result_stats(result_row(batch, kv_head, first_row + r, split), row_max[r], row_sum[r]);
		for (int c = 0; c < value_dim4; c++) o_data[acc_at[r] + c] *= factor;
	}
}
