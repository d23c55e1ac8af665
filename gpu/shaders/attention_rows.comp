// The kernel for software rasterisers, where an invocation is a SIMD lane of the
// CPU: no shared memory and no barriers. Each invocation owns ROWS rows and passes
// over the keys KEYS at a time. D and Dv are numbers, bounded by QUERY_VEC4S and
// VALUE_VEC4S, and the loops over them stay loops: the time to compile is what a
// user of a software rasteriser waits for.
//
// Queries and accumulators are private arrays, which such devices index cheaply.
// With VALUES_GUARDED, V holds NaN or Inf somewhere and masked keys are skipped;
// the host looks, since every branch is executed for all lanes.
#include "params.glsl"
#include "rows.glsl"
#include "mask.glsl"
#include "score.glsl"
#include "softmax.glsl"
#include "tensors.glsl"
#include "result.glsl"

struct Lane {
	int batch;
	int kv_head;
	int split;
	int first_row;
	int last_row; // of the KV head
	ivec2 sequence;
};

// The running softmax of this lane's rows, and where they stand.
int result_at[ROWS];
vec4 query[ROWS * QUERY_VEC4S];
vec4 acc[ROWS * VALUE_VEC4S];
ivec2 row_range[ROWS];
float row_max[ROWS];
float row_sum[ROWS];
float decay[ROWS];
float weight[ROWS][KEYS]; // scores first

void start_rows(Lane lane) {
	UNROLL for (int r = 0; r < ROWS; r++) {
		int row = min(lane.first_row + r, lane.last_row); // rows past the end repeat the last one and are not written
		int from = (lane.batch * heads + row_head(lane.kv_head, row)) * q_pitch + row_query(row) * dim4;
		for (int d = 0; d < dim4; d++) query[r * QUERY_VEC4S + d] = load_query(from + d) * scale;
		for (int c = 0; c < value_dim4; c++) acc[r * VALUE_VEC4S + c] = vec4(0.0);
		result_at[r] = result_row(lane.batch, lane.kv_head, row, lane.split);
		row_range[r] = mask_range(lane.sequence, row_query(row), row_query(row) + 1);
		row_max[r] = ROW_MAX_NONE;
		row_sum[r] = 0.0;
	}
}

// multiply_keys computes the products of the rows and KEYS keys.
void multiply_keys(Lane lane, int key) {
	int keys = key_start(lane.batch, lane.kv_head);
	// Loads past the end are harmless: samplers stay inside the buffer, and the mask drops what they give.
	UNROLL for (int r = 0; r < ROWS; r++)
		UNROLL for (int k = 0; k < KEYS; k++) weight[r][k] = 0.0;
	for (int d = 0; d < dim4; d++) {
		vec4 part[ROWS];
		UNROLL for (int r = 0; r < ROWS; r++) part[r] = query[r * QUERY_VEC4S + d];
		UNROLL for (int k = 0; k < KEYS; k++) {
			vec4 key_part = load_key(keys + (key + k) * dim4 + d);
			UNROLL for (int r = 0; r < ROWS; r++) weight[r][k] += dot(part[r], key_part);
		}
	}
}

// weigh turns the products of one row into weights and rescales its sum.
void weigh(Lane lane, int r, int key, int end_key, bool full) {
	int row = min(lane.first_row + r, lane.last_row);
	int i = row_query(row);
	int head = row_head(lane.kv_head, row);
	float highest = row_max[r];
	UNROLL for (int k = 0; k < KEYS; k++) {
		bool keep = full || (key + k < end_key && mask_keep(row_range[r], lane.batch, head, i, key + k));
		float s = uintBitsToFloat(MASKED_BITS);
		if (keep) s = score_final(weight[r][k], lane.batch, head, i, key + k);
		weight[r][k] = s;
		highest = max(highest, s);
	}
	decay[r] = highest == row_max[r] ? 1.0 : softmax_exp(row_max[r] - highest);
	row_max[r] = highest;
	row_sum[r] *= decay[r];
	UNROLL for (int k = 0; k < KEYS; k++) {
		weight[r][k] = softmax_weight(weight[r][k], highest);
		row_sum[r] += weight[r][k];
	}
}

void multiply_values(Lane lane, int key) {
	int values = value_start(lane.batch, lane.kv_head);
	for (int c = 0; c < value_dim4; c++) {
		vec4 sum[ROWS];
		UNROLL for (int r = 0; r < ROWS; r++) sum[r] = acc[r * VALUE_VEC4S + c] * decay[r];
		UNROLL for (int k = 0; k < KEYS; k++) {
			vec4 value = load_value(values + (key + k) * value_dim4 + c);
			UNROLL for (int r = 0; r < ROWS; r++) {
#ifdef VALUES_GUARDED
				if (!weight_masked(weight[r][k])) sum[r] += weight[r][k] * value;
#else
				sum[r] += weight[r][k] * value;
#endif
			}
		}
		UNROLL for (int r = 0; r < ROWS; r++) acc[r * VALUE_VEC4S + c] = sum[r];
	}
}

void store_rows(Lane lane) {
	UNROLL for (int r = 0; r < ROWS; r++) {
		if (lane.first_row + r <= lane.last_row) {
			float factor = result_scale(row_sum[r]);
			result_stats(result_at[r], row_max[r], row_sum[r]);
			for (int c = 0; c < value_dim4; c++) o_data[result_at[r] * value_dim4 + c] = acc[r * VALUE_VEC4S + c] * factor;
		}
	}
}

void main() {
	int block_row = row_base + int(gl_WorkGroupID.x) * LANES * ROWS;
	Lane lane;
	lane.batch = batch_base + int(gl_WorkGroupID.z);
	lane.split = split_first + int(gl_WorkGroupID.y) % split_count;
	lane.kv_head = kv_base + int(gl_WorkGroupID.y) / split_count;
	lane.first_row = block_row + int(gl_LocalInvocationIndex) * ROWS;
	lane.last_row = row_count() - 1;
	lane.sequence = sequences[lane.batch];
	start_rows(lane);

	int first_query = row_query(block_row);
	int end_query = row_query(min(block_row + LANES * ROWS - 1, lane.last_row)) + 1;
	ivec2 range = mask_range(lane.sequence, first_query, end_query);
	range.x = max(range.x, lane.split * split_len);
	range.y = min(range.y, (lane.split + 1) * split_len);
	for (int key = range.x / KEYS * KEYS; key < range.y; key += KEYS) {
		bool full = key + KEYS <= range.y && mask_full(lane.sequence, first_query, end_query, key, key + KEYS);
		multiply_keys(lane, key);
		UNROLL for (int r = 0; r < ROWS; r++) weigh(lane, r, key, range.y, full);
		multiply_values(lane, key);
	}
	store_rows(lane);
}
