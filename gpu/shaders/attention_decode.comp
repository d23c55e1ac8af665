// Decode: a workgroup computes up to ROWS rows of one KV head over one split of
// the keys, so that K and V are read once for all query heads of the group.
//
// Scores: LANES neighbouring threads share a key and stride through its vec4s.
// Values: a thread owns the vec4 columns column + COLUMN_LANES·c, and the threads
// beyond COLUMN_LANES take every KEY_GROUPS-th key; groups are joined at the end.
#include "params.glsl"
#include "rows.glsl"
#include "mask.glsl"
#include "score.glsl"
#include "softmax.glsl"
#include "tensors.glsl"
#include "result.glsl"

#define KEYS_PER_PASS (THREADS / LANES)
#define KEY_GROUPS (THREADS / COLUMN_LANES)
#define ROW_LANES (THREADS / ROWS)      // threads that share a row in the softmax
#define SCORE_PITCH (BLOCK_KEYS + 1)
#define JOIN_VEC4S (KEY_GROUPS * COLUMN_LANES)

shared vec4 sh_query[ROWS * DIM4];
shared float sh_part[ROWS * THREADS];  // partial dot products, then row reductions
shared float sh_score[ROWS * SCORE_PITCH];
shared float sh_decay[ROWS];
shared vec4 sh_join[JOIN_VEC4S];

struct Rows {
	int batch;
	int kv_head;
	int split;
	int first;
	int end;
	ivec2 sequence;
};

Rows this_rows() {
	Rows rows;
	int y = int(gl_WorkGroupID.y);
	rows.batch = batch_base + int(gl_WorkGroupID.z);
	rows.split = split_first + int(gl_WorkGroupID.x);
	int blocks = (row_count() + ROWS - 1) / ROWS;
	rows.kv_head = kv_base + y / blocks;
	rows.first = y % blocks * ROWS;
	rows.end = min(rows.first + ROWS, row_count());
	rows.sequence = sequences[rows.batch];
	return rows;
}

// load_queries stages the scaled queries; rows past the end are zero.
void load_queries(Rows rows) {
	for (int e = int(gl_LocalInvocationIndex); e < ROWS * DIM4; e += THREADS) {
		int row = rows.first + e / DIM4;
		vec4 q = vec4(0.0);
		if (row < rows.end) {
			int head = rows.batch * heads + row_head(rows.kv_head, row);
			q = load_query(head * q_pitch + row_query(row) * DIM4 + e % DIM4) * scale;
		}
		sh_query[e] = q;
	}
}

// tile_scores leaves the scores of BLOCK_KEYS keys from first_key in sh_score.
void tile_scores(Rows rows, int first_key, int end_key) {
	int t = int(gl_LocalInvocationIndex);
	int lane = t % LANES;
	int keys = key_start(rows.batch, rows.kv_head);
	for (int pass = 0; pass < BLOCK_KEYS / KEYS_PER_PASS; pass++) {
		int j = first_key + pass * KEYS_PER_PASS + t / LANES;
		float part[ROWS];
		UNROLL for (int r = 0; r < ROWS; r++) part[r] = 0.0;
		if (j < end_key) {
			for (int d = lane; d < DIM4; d += LANES) {
				vec4 key = load_key(keys + j * DIM4 + d);
				UNROLL for (int r = 0; r < ROWS; r++) part[r] += dot(sh_query[r * DIM4 + d], key);
			}
		}
		UNROLL for (int r = 0; r < ROWS; r++) sh_part[r * THREADS + t] = part[r];
		memoryBarrierShared();
		barrier();
		for (int e = t; e < ROWS * KEYS_PER_PASS; e += THREADS) {
			int r = e / KEYS_PER_PASS;
			int k = e % KEYS_PER_PASS;
			float s = 0.0;
			for (int x = 0; x < LANES; x++) s += sh_part[r * THREADS + k * LANES + x];
			int row = rows.first + r;
			int key = first_key + pass * KEYS_PER_PASS + k;
			int i = row_query(row);
			int head = row_head(rows.kv_head, row);
			bool keep = row < rows.end && key < end_key
				&& mask_keep(mask_range(rows.sequence, i, i + 1), rows.batch, head, i, key);
			float score = uintBitsToFloat(MASKED_BITS);
			if (keep) score = score_final(s, rows.batch, head, i, key);
			sh_score[r * SCORE_PITCH + pass * KEYS_PER_PASS + k] = score;
		}
		memoryBarrierShared();
		barrier();
	}
}

// The running softmax of the row that this thread helps to weigh, and the
// accumulators of the columns that it owns.
float row_max;
float row_sum; // of this thread's keys; joined at the end
vec4 acc[ROWS][COLUMNS];

int softmax_row() { return int(gl_LocalInvocationIndex) / ROW_LANES; }
int softmax_lane() { return int(gl_LocalInvocationIndex) % ROW_LANES; }
int value_column() { return int(gl_LocalInvocationIndex) % COLUMN_LANES; }
int key_group() { return int(gl_LocalInvocationIndex) / COLUMN_LANES; }

// weigh_tile turns the scores of the tile into weights and leaves in sh_decay what
// the sums so far are multiplied by.
void weigh_tile() {
	int row = softmax_row();
	int lane = softmax_lane();
	float highest = row_max;
	for (int k = lane; k < BLOCK_KEYS; k += ROW_LANES) highest = max(highest, sh_score[row * SCORE_PITCH + k]);
	sh_part[row * ROW_LANES + lane] = highest;
	memoryBarrierShared();
	barrier();
	for (int x = 0; x < ROW_LANES; x++) highest = max(highest, sh_part[row * ROW_LANES + x]);
	float decay = highest == row_max ? 1.0 : softmax_exp(row_max - highest);
	row_max = highest;
	row_sum *= decay;
	if (lane == 0) sh_decay[row] = decay;
	for (int k = lane; k < BLOCK_KEYS; k += ROW_LANES) {
		float weight = softmax_weight(sh_score[row * SCORE_PITCH + k], row_max);
		row_sum += weight;
		sh_score[row * SCORE_PITCH + k] = weight;
	}
	memoryBarrierShared();
	barrier();
}

// add_values adds weight·value of count keys from first_key to the accumulators.
void add_values(Rows rows, int first_key, int count) {
	int values = value_start(rows.batch, rows.kv_head);
	UNROLL for (int r = 0; r < ROWS; r++)
		UNROLL for (int c = 0; c < COLUMNS; c++) acc[r][c] *= sh_decay[r];
	for (int k = key_group(); k < count; k += KEY_GROUPS) {
		UNROLL for (int c = 0; c < COLUMNS; c++) {
			int v = value_column() + COLUMN_LANES * c;
			vec4 value = vec4(0.0);
			if (v < VALUE_DIM4) value = load_value(values + (first_key + k) * VALUE_DIM4 + v);
			if (is_finite(value)) {
				UNROLL for (int r = 0; r < ROWS; r++) acc[r][c] += sh_score[r * SCORE_PITCH + k] * value;
			} else { // 0·NaN must not leak from masked keys
				UNROLL for (int r = 0; r < ROWS; r++) {
					float weight = sh_score[r * SCORE_PITCH + k];
					if (!weight_masked(weight)) acc[r][c] += weight * value;
				}
			}
		}
	}
	barrier(); // the next tile overwrites the weights
}

// store_rows joins the sums of the lanes and the accumulators of the key groups.
void store_rows(Rows rows) {
	int row = softmax_row();
	sh_part[row * ROW_LANES + softmax_lane()] = row_sum;
	memoryBarrierShared();
	barrier();
	if (softmax_lane() == 0) {
		float sum = 0.0;
		for (int x = 0; x < ROW_LANES; x++) sum += sh_part[row * ROW_LANES + x];
		sh_decay[row] = sum;
		if (rows.first + row < rows.end)
			result_stats(result_row(rows.batch, rows.kv_head, rows.first + row, rows.split), row_max, sum);
	}
	UNROLL for (int r = 0; r < ROWS; r++) {
		UNROLL for (int c = 0; c < COLUMNS; c++) {
			memoryBarrierShared();
			barrier();
			sh_join[key_group() * COLUMN_LANES + value_column()] = acc[r][c];
			memoryBarrierShared();
			barrier();
			int v = value_column() + COLUMN_LANES * c;
			if (key_group() == 0 && v < VALUE_DIM4 && rows.first + r < rows.end) {
				vec4 sum = vec4(0.0);
				for (int g = 0; g < KEY_GROUPS; g++) sum += sh_join[g * COLUMN_LANES + value_column()];
				int at = result_row(rows.batch, rows.kv_head, rows.first + r, rows.split);
				o_data[at * VALUE_DIM4 + v] = sum * result_scale(sh_decay[r]);
			}
		}
	}
}

void main() {
	Rows rows = this_rows();
	row_max = ROW_MAX_NONE;
	row_sum = 0.0;
	UNROLL for (int r = 0; r < ROWS; r++)
		UNROLL for (int c = 0; c < COLUMNS; c++) acc[r][c] = vec4(0.0);
	load_queries(rows);
	memoryBarrierShared();
	barrier();

	ivec2 range = mask_range(rows.sequence, row_query(rows.first), row_query(rows.end - 1) + 1);
	range.x = max(range.x, rows.split * split_len);
	range.y = min(range.y, (rows.split + 1) * split_len);
	for (int first_key = range.x / BLOCK_KEYS * BLOCK_KEYS; first_key < range.y; first_key += BLOCK_KEYS) {
		tile_scores(rows, first_key, range.y);
		weigh_tile();
		add_values(rows, first_key, min(BLOCK_KEYS, range.y - first_key));
	}
	store_rows(rows);
}
