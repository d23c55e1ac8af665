// The kernel for software rasterisers, where an invocation is a SIMD lane of the
// CPU: no shared memory and no barriers. Each invocation owns ROWS rows and passes
// over the keys KEYS at a time.
//
// Such devices load a vec4 for each lane by itself, even where all read the same
// one, so a load of K or V is used for ROWS rows. They index private arrays lane by
// lane too, a hundred instructions a vec4, unless the index is a constant: queries
// and sums are never indexed by a loop that is left one. The tile bounds what that
// makes of code, since users of a software rasteriser wait for the compiler.
//
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
vec4 query[ROWS][DIM4];
vec4 acc[ROWS][VALUE_DIM4];
ivec2 row_range[ROWS];
float row_max[ROWS];
float row_sum[ROWS];
float decay[ROWS];
float weight[ROWS][KEYS]; // scores first

void start_rows(Lane lane) {
	UNROLL for (int r = 0; r < ROWS; r++) {
		int row = min(lane.first_row + r, lane.last_row); // rows past the end repeat the last one and are not written
		int from = (lane.batch * heads + row_head(lane.kv_head, row)) * q_pitch + row_query(row) * DIM4;
		UNROLL for (int d = 0; d < DIM4; d++) query[r][d] = load_query(from + d) * scale;
		UNROLL for (int c = 0; c < VALUE_DIM4; c++) acc[r][c] = vec4(0.0);
		result_at[r] = result_row(lane.batch, lane.kv_head, row, lane.split);
		row_range[r] = mask_range(lane.sequence, row_query(row), row_query(row) + 1);
		row_max[r] = ROW_MAX_NONE;
		row_sum[r] = 0.0;
	}
}

// multiply_keys computes the products of the rows and KEYS keys.
void multiply_keys(Lane lane, int key) {
	// Loads past the end are harmless: samplers stay inside the buffer, and the mask drops what they give.
	int from = key_start(lane.batch, lane.kv_head) + key * DIM4;
	UNROLL for (int r = 0; r < ROWS; r++)
		UNROLL for (int k = 0; k < KEYS; k++) weight[r][k] = 0.0;
	UNROLL for (int d = 0; d < DIM4; d++) {
		vec4 part[KEYS]; // a load is a call, around which registers are saved: all of them first
		UNROLL for (int k = 0; k < KEYS; k++) part[k] = load_key(from + k * DIM4 + d);
		UNROLL for (int r = 0; r < ROWS; r++)
			UNROLL for (int k = 0; k < KEYS; k++) weight[r][k] += dot(query[r][d], part[k]);
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
	int from = value_start(lane.batch, lane.kv_head) + key * VALUE_DIM4;
	UNROLL for (int c = 0; c < VALUE_DIM4; c++) {
		vec4 value[KEYS];
		UNROLL for (int k = 0; k < KEYS; k++) value[k] = load_value(from + k * VALUE_DIM4 + c);
		UNROLL for (int r = 0; r < ROWS; r++) {
			vec4 sum = acc[r][c] * decay[r];
			UNROLL for (int k = 0; k < KEYS; k++) {
#ifdef VALUES_GUARDED
				if (!weight_masked(weight[r][k])) sum += weight[r][k] * value[k];
#else
				sum += weight[r][k] * value[k];
#endif
			}
			acc[r][c] = sum;
		}
	}
}

void store_rows(Lane lane) {
	UNROLL for (int r = 0; r < ROWS; r++) {
		if (lane.first_row + r <= lane.last_row) {
			float factor = result_scale(row_sum[r]);
			result_stats(result_at[r], row_max[r], row_sum[r]);
			UNROLL for (int c = 0; c < VALUE_DIM4; c++) o_data[result_at[r] * VALUE_DIM4 + c] = acc[r][c] * factor;
		}
	}
}

// block_of orders the blocks of rows from both ends inwards: the threads of a
// software rasteriser take runs of neighbouring work groups, of which under a
// causal mask the last would have the most to do.
int block_of(int group, int groups) {
	return (group & 1) == 0 ? group / 2 : groups - 1 - group / 2;
}

void main() {
	int block_row = row_base + block_of(int(gl_WorkGroupID.x), int(gl_NumWorkGroups.x)) * LANES * ROWS;
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
