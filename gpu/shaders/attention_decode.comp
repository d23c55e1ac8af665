// Decode: a workgroup computes up to ROWS rows of one KV head over one split of
// the keys, so that K and V are read once for all query heads of the group. What
// bounds it is memory, so a thread issues several loads before it uses the first.
//
// Scores: LANES neighbouring threads share the loads of a key, and a thread has
// KEY_LOADS keys at a time. Values: a thread owns COLUMNS loads of a row, COLUMN_LANES
// apart, and the threads beyond COLUMN_LANES take every KEY_GROUPS-th key; the groups
// are joined at the end.
#include "params.glsl"
#include "rows.glsl"
#include "mask.glsl"
#include "score.glsl"
#include "softmax.glsl"
#include "tensors.glsl"
#include "result.glsl"

#define KEYS_PER_LOAD (THREADS / LANES)
#define KEY_PARTS (DIM4 / K_PART)           // loads of a key
#define KEY_STEPS ((KEY_PARTS + LANES - 1) / LANES)
#define PART_PITCH (BLOCK_KEYS + 32 / LANES) // spreads the lanes over the banks
#define KEY_GROUPS (THREADS / COLUMN_LANES)
#define ROW_LANES (BLOCK_KEYS / ROW_KEYS)   // threads that share a row in the softmax, ROW_KEYS keys each

shared vec4 sh_query[ROWS * DIM4];
shared float sh_part[PART_FLOATS]; // the lanes' shares of products; at the end, sums to be joined
shared float sh_weight[BLOCK_KEYS * ROWS];
shared float sh_reduce[ROWS * ROW_LANES];
shared float sh_decay[ROWS];

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

// multiply_keys leaves each lane's share of the products of a tile in sh_part.
void multiply_keys(Rows rows, int first_key, int end_key) {
	int t = int(gl_LocalInvocationIndex);
	int lane = t % LANES;
	int keys = key_start(rows.batch, rows.kv_head);
	int from[KEY_LOADS];
	UNROLL for (int k = 0; k < KEY_LOADS; k++)
		from[k] = keys + min(first_key + k * KEYS_PER_LOAD + t / LANES, end_key - 1) * DIM4; // the mask drops what is read twice
	float part[ROWS][KEY_LOADS];
	UNROLL for (int r = 0; r < ROWS; r++)
		UNROLL for (int k = 0; k < KEY_LOADS; k++) part[r][k] = 0.0;
	for (int step = 0; step < KEY_STEPS; step++) {
		int d = (step * LANES + lane) * K_PART;
		if (KEY_PARTS % LANES == 0 || d < DIM4) {
			K_LOAD key[KEY_LOADS];
			UNROLL for (int k = 0; k < KEY_LOADS; k++) key[k] = fetch_key(from[k] + d);
#if K_BITS == 8
			float block_scale[KEY_LOADS];
			UNROLL for (int k = 0; k < KEY_LOADS; k++) block_scale[k] = key_scale(from[k] + d);
#endif
			UNROLL for (int p = 0; p < K_PART; p++) {
				vec4 numbers[KEY_LOADS];
				UNROLL for (int k = 0; k < KEY_LOADS; k++) {
					numbers[k] = K_UNPACK(key[k], p);
#if K_BITS == 8
					numbers[k] *= block_scale[k];
#endif
				}
				UNROLL for (int r = 0; r < ROWS; r++) {
					vec4 query = sh_query[r * DIM4 + d + p];
					UNROLL for (int k = 0; k < KEY_LOADS; k++) part[r][k] += dot(query, numbers[k]);
				}
			}
		}
	}
	UNROLL for (int r = 0; r < ROWS; r++)
		UNROLL for (int k = 0; k < KEY_LOADS; k++)
			sh_part[(r * LANES + lane) * PART_PITCH + k * KEYS_PER_LOAD + t / LANES] = part[r][k];
	memoryBarrierShared();
	barrier();
}

// The running softmax of the row that this thread helps to weigh, and the
// accumulators of the columns that it owns.
float row_max;
float row_sum; // of this thread's keys; joined at the end
vec4 acc[ROWS][COLUMNS][V_PART];

bool weighs() { return int(gl_LocalInvocationIndex) < ROWS * ROW_LANES; }
int softmax_row() { return int(gl_LocalInvocationIndex) / ROW_LANES; }
int softmax_lane() { return int(gl_LocalInvocationIndex) % ROW_LANES; }
int value_column() { return int(gl_LocalInvocationIndex) % COLUMN_LANES; }
int key_group() { return int(gl_LocalInvocationIndex) / COLUMN_LANES; }

// finish_scores returns the scores of this thread's row and its keys of the tile, and
// in highest what they raise the running maximum to.
float[ROW_KEYS] finish_scores(Rows rows, int first_key, int end_key, out float highest) {
	int row = rows.first + softmax_row();
	int i = row_query(row);
	int head = row_head(rows.kv_head, row);
	ivec2 range = mask_range(rows.sequence, i, i + 1);
	float score[ROW_KEYS];
	highest = row_max;
	UNROLL for (int n = 0; n < ROW_KEYS; n++) {
		int k = softmax_lane() + n * ROW_LANES;
		float s = 0.0;
		UNROLL for (int x = 0; x < LANES; x++) s += sh_part[(softmax_row() * LANES + x) * PART_PITCH + k];
		int j = first_key + k;
		bool keep = row < rows.end && j < end_key && mask_keep(range, rows.batch, head, i, j);
		score[n] = uintBitsToFloat(MASKED_BITS);
		if (keep) score[n] = score_final(s, rows.batch, head, i, j);
		highest = max(highest, score[n]);
	}
	return score;
}

// weigh_tile turns the products of the tile into weights and leaves in sh_decay what
// the sums so far are multiplied by.
void weigh_tile(Rows rows, int first_key, int end_key) {
	float score[ROW_KEYS];
	float highest = ROW_MAX_NONE;
	if (weighs()) {
		score = finish_scores(rows, first_key, end_key, highest);
		sh_reduce[gl_LocalInvocationIndex] = highest;
	}
	memoryBarrierShared();
	barrier();
	if (weighs()) {
		int row = softmax_row();
		for (int x = 0; x < ROW_LANES; x++) highest = max(highest, sh_reduce[row * ROW_LANES + x]);
		float decay = highest == row_max ? 1.0 : softmax_exp(row_max - highest);
		row_max = highest;
		row_sum *= decay;
		if (softmax_lane() == 0) sh_decay[row] = decay;
		UNROLL for (int n = 0; n < ROW_KEYS; n++) {
			float weight = softmax_weight(score[n], row_max);
			row_sum += weight;
			sh_weight[(softmax_lane() + n * ROW_LANES) * ROWS + row] = weight;
		}
	}
	memoryBarrierShared();
	barrier();
}

// add_values adds weight·value of the keys of the tile to the accumulators.
void add_values(Rows rows, int first_key, int end_key) {
	int values = value_start(rows.batch, rows.kv_head);
	UNROLL for (int r = 0; r < ROWS; r++)
		UNROLL for (int c = 0; c < COLUMNS; c++)
			UNROLL for (int p = 0; p < V_PART; p++) acc[r][c][p] *= sh_decay[r];
	int count = min(end_key - first_key, BLOCK_KEYS);
	for (int first = key_group(); first < count; first += KEY_GROUPS * VALUE_LOADS) {
		UNROLL for (int c = 0; c < COLUMNS; c++) {
			int v = (value_column() + COLUMN_LANES * c) * V_PART;
			if (v < VALUE_DIM4) {
				int from[VALUE_LOADS];
				V_LOAD bits[VALUE_LOADS];
				UNROLL for (int k = 0; k < VALUE_LOADS; k++) {
					from[k] = values + min(first_key + first + k * KEY_GROUPS, end_key - 1) * VALUE_DIM4 + v; // the weights of keys past the end are masked
					bits[k] = fetch_value(from[k]);
				}
#if V_BITS == 8
				float block_scale[VALUE_LOADS];
				UNROLL for (int k = 0; k < VALUE_LOADS; k++) block_scale[k] = value_scale(from[k]);
#endif
				UNROLL for (int p = 0; p < V_PART; p++) {
					vec4 value[VALUE_LOADS];
					bool finite = true;
					UNROLL for (int k = 0; k < VALUE_LOADS; k++) {
						value[k] = V_UNPACK(bits[k], p);
#if V_BITS == 8
						value[k] *= block_scale[k];
#endif
						finite = finite && is_finite(value[k]);
					}
					if (finite) {
						UNROLL for (int k = 0; k < VALUE_LOADS; k++)
							UNROLL for (int r = 0; r < ROWS; r++) acc[r][c][p] += sh_weight[(first + k * KEY_GROUPS) * ROWS + r] * value[k];
					} else { // 0·NaN must not leak from masked keys
						UNROLL for (int k = 0; k < VALUE_LOADS; k++) {
							UNROLL for (int r = 0; r < ROWS; r++) {
								float weight = sh_weight[(first + k * KEY_GROUPS) * ROWS + r];
								if (!weight_masked(weight)) acc[r][c][p] += weight * value[k];
							}
						}
					}
				}
			}
		}
	}
}

// store_stats joins the sums of the lanes, leaves them in sh_decay and stores them.
void store_stats(Rows rows) {
	barrier(); // everyone has read sh_decay
	if (weighs()) sh_reduce[gl_LocalInvocationIndex] = row_sum;
	memoryBarrierShared();
	barrier();
	if (weighs() && softmax_lane() == 0) {
		int row = softmax_row();
		float sum = 0.0;
		for (int x = 0; x < ROW_LANES; x++) sum += sh_reduce[row * ROW_LANES + x];
		sh_decay[row] = sum;
		if (rows.first + row < rows.end)
			result_stats(result_row(rows.batch, rows.kv_head, rows.first + row, rows.split), row_max, sum);
	}
	memoryBarrierShared();
	barrier();
}

void store_vec4(Rows rows, int r, int v, vec4 sum) {
	if (v >= VALUE_DIM4 || rows.first + r >= rows.end) return;
	int at = result_row(rows.batch, rows.kv_head, rows.first + r, rows.split);
	o_data[at * VALUE_DIM4 + v] = sum * result_scale(sh_decay[r]);
}

// store_columns joins the accumulators of the key groups, each group some of the rows.
void store_columns(Rows rows) {
	UNROLL for (int c = 0; c < COLUMNS; c++) {
		UNROLL for (int p = 0; p < V_PART; p++) {
			int v = (value_column() + COLUMN_LANES * c) * V_PART + p;
#if THREADS == COLUMN_LANES
			UNROLL for (int r = 0; r < ROWS; r++) store_vec4(rows, r, v, acc[r][c][p]);
#else
			UNROLL for (int r = 0; r < ROWS; r++)
				UNROLL for (int x = 0; x < 4; x++) sh_part[(r * 4 + x) * THREADS + int(gl_LocalInvocationIndex)] = acc[r][c][p][x];
			memoryBarrierShared();
			barrier();
			for (int r = key_group(); r < ROWS; r += KEY_GROUPS) {
				vec4 sum = vec4(0.0);
				for (int g = 0; g < KEY_GROUPS; g++) {
					int at = r * 4 * THREADS + g * COLUMN_LANES + value_column();
					sum += vec4(sh_part[at], sh_part[at + THREADS], sh_part[at + 2 * THREADS], sh_part[at + 3 * THREADS]);
				}
				store_vec4(rows, r, v, sum);
			}
			barrier();
#endif
		}
	}
}

void main() {
	Rows rows = this_rows();
	row_max = ROW_MAX_NONE;
	row_sum = 0.0;
	UNROLL for (int r = 0; r < ROWS; r++)
		UNROLL for (int c = 0; c < COLUMNS; c++)
			UNROLL for (int p = 0; p < V_PART; p++) acc[r][c][p] = vec4(0.0);
	load_queries(rows);
	memoryBarrierShared();
	barrier();

	ivec2 range = mask_range(rows.sequence, row_query(rows.first), row_query(rows.end - 1) + 1);
	range.x = max(range.x, rows.split * split_len);
	range.y = min(range.y, (rows.split + 1) * split_len);
	for (int first_key = range.x / BLOCK_KEYS * BLOCK_KEYS; first_key < range.y; first_key += BLOCK_KEYS) {
		multiply_keys(rows, first_key, range.y);
		weigh_tile(rows, first_key, range.y);
		add_values(rows, first_key, range.y);
	}
	store_stats(rows);
	store_columns(rows);
}
