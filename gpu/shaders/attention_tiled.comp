// Prefill: a workgroup computes BLOCK_ROWS rows of one KV head against tiles of
// BLOCK_KEYS keys. Q, K and V pass through shared memory in chunks; scores and
// accumulators stay in registers, ROWS x KEYS and ROWS x COLUMNS vec4 a thread.
//
// Threads form a grid of THREADS_X x THREADS_Y: thread (tx, ty) owns the rows
// ty + THREADS_Y·r, the keys tx + THREADS_X·k and the value columns tx + THREADS_X·c.
#include "params.glsl"
#include "rows.glsl"
#include "mask.glsl"
#include "score.glsl"
#include "softmax.glsl"
#include "tensors.glsl"
#include "result.glsl"

#define BLOCK_ROWS (THREADS_Y * ROWS)
#define BLOCK_KEYS (THREADS_X * KEYS)
#define CHUNK_PITCH (CHUNK + 1)              // an odd pitch in vec4s spreads rows over the banks
#define WEIGHT_PITCH (BLOCK_KEYS / 4 + 1)
#define SH_KEYS (BLOCK_ROWS * CHUNK_PITCH)   // after the chunk of queries
#define SH_VALUES (BLOCK_ROWS * WEIGHT_PITCH) // after the weights, which replace both chunks
#define VALUE_PITCH (THREADS_X * COLUMNS)
// Row reductions use the place of the values, one number per row and thread_x.
#define SH_REDUCE(row, x) sh_tile[SH_VALUES + ((row) * THREADS_X + (x)) / 4][((row) * THREADS_X + (x)) & 3]
#define DIM_CHUNKS ((DIM4 + CHUNK - 1) / CHUNK)

shared vec4 sh_tile[SHARED_VEC4S];
shared uint sh_rescale; // some row of the block outgrew its running maximum
shared uint sh_poison;  // the chunk of values holds NaN or Inf

struct Block {
	int batch;
	int kv_head;
	int split;
	int first_row;
	int end_row;
	int first_column; // of the values, in vec4s
	ivec2 sequence;
};

int thread_x() { return int(gl_LocalInvocationIndex) % THREADS_X; }
int thread_y() { return int(gl_LocalInvocationIndex) / THREADS_X; }

Block this_block() {
	Block block;
	int y = int(gl_WorkGroupID.y);
	block.batch = batch_base + int(gl_WorkGroupID.z);
	block.first_column = y % COLUMN_BLOCKS * VALUE_PITCH;
	y /= COLUMN_BLOCKS;
	block.split = split_first + y % split_count;
	block.kv_head = kv_base + y / split_count;
	// The last rows see the most keys under a causal mask: issue them first.
	int from_end = int(gl_NumWorkGroups.x) - 1 - int(gl_WorkGroupID.x);
	block.first_row = row_base + from_end * BLOCK_ROWS;
	block.end_row = min(block.first_row + BLOCK_ROWS, row_count());
	block.sequence = sequences[block.batch];
	return block;
}

// load_chunk stages CHUNK vec4s of every query and key of the tile.
void load_chunk(Block block, int key, int chunk) {
	for (int e = int(gl_LocalInvocationIndex); e < BLOCK_ROWS * CHUNK; e += THREADS_X * THREADS_Y) {
		int row = block.first_row + e / CHUNK;
		int d = chunk * CHUNK + e % CHUNK;
		vec4 q = vec4(0.0);
		if (row < block.end_row && d < DIM4) {
			int head = block.batch * heads + row_head(block.kv_head, row);
			q = load_query(head * q_pitch + row_query(row) * DIM4 + d) * scale;
		}
		sh_tile[e / CHUNK * CHUNK_PITCH + e % CHUNK] = q;
	}
	int keys = key_start(block.batch, block.kv_head);
	for (int e = int(gl_LocalInvocationIndex); e < BLOCK_KEYS * CHUNK; e += THREADS_X * THREADS_Y) {
		int j = key + e / CHUNK;
		int d = chunk * CHUNK + e % CHUNK;
		bool inside = j < block.sequence.x && d < DIM4;
		sh_tile[SH_KEYS + e / CHUNK * CHUNK_PITCH + e % CHUNK] = inside ? load_key(keys + j * DIM4 + d) : vec4(0.0);
	}
}

// load_values stages VALUE_CHUNK rows of values and notes whether any is not finite.
void load_values(Block block, int key) {
	int values = value_start(block.batch, block.kv_head);
	for (int e = int(gl_LocalInvocationIndex); e < VALUE_CHUNK * VALUE_PITCH; e += THREADS_X * THREADS_Y) {
		int j = key + e / VALUE_PITCH;
		int c = block.first_column + e % VALUE_PITCH;
		vec4 v = vec4(0.0);
		if (j < block.sequence.x && c < VALUE_DIM4) v = load_value(values + j * VALUE_DIM4 + c);
		if (!is_finite(v)) sh_poison = 1u;
		sh_tile[SH_VALUES + e] = v;
	}
}

// The running softmax of this thread's rows, and the scores of the current tile.
vec4 acc[ROWS][COLUMNS];
float row_max[ROWS];
float row_sum[ROWS]; // over the keys of this thread; joined at the end
float score[ROWS][KEYS];

void start_rows() {
	UNROLL for (int r = 0; r < ROWS; r++) {
		row_max[r] = ROW_MAX_NONE;
		row_sum[r] = 0.0;
		UNROLL for (int c = 0; c < COLUMNS; c++) acc[r][c] = vec4(0.0);
	}
	if (gl_LocalInvocationIndex == 0u) {
		sh_rescale = 0u;
		sh_poison = 0u;
	}
}

// multiply_keys computes the scaled products of the tile's queries and keys.
void multiply_keys(Block block, int key) {
	int tx = thread_x();
	int ty = thread_y();
	UNROLL for (int r = 0; r < ROWS; r++)
		UNROLL for (int k = 0; k < KEYS; k++) score[r][k] = 0.0;
	for (int chunk = 0; chunk < DIM_CHUNKS; chunk++) {
		barrier();
		load_chunk(block, key, chunk);
		memoryBarrierShared();
		barrier();
		for (int d = 0; d < CHUNK; d++) {
			vec4 keys[KEYS];
			UNROLL for (int k = 0; k < KEYS; k++) keys[k] = sh_tile[SH_KEYS + (tx + THREADS_X * k) * CHUNK_PITCH + d];
			UNROLL for (int r = 0; r < ROWS; r++) {
				vec4 query = sh_tile[(ty + THREADS_Y * r) * CHUNK_PITCH + d];
				UNROLL for (int k = 0; k < KEYS; k++) score[r][k] += dot(query, keys[k]);
			}
		}
	}
}

// finish_score applies softcap, bias and mask to one row of scores and returns
// their maximum. full says that every key of the tile is allowed.
float finish_score(Block block, int r, int key, int end_key, bool full) {
	int row = block.first_row + thread_y() + THREADS_Y * r;
	int i = row_query(row);
	int head = row_head(block.kv_head, row);
	ivec2 keys = mask_range(block.sequence, i, i + 1);
	float tile_max = ROW_MAX_NONE;
	UNROLL for (int k = 0; k < KEYS; k++) {
		int j = key + thread_x() + THREADS_X * k;
		// A row past the end has no bias to read, not even in a tile that is allowed as a whole.
		bool keep = row < block.end_row && (full || (j < end_key && mask_keep(keys, block.batch, head, i, j)));
		float s = uintBitsToFloat(MASKED_BITS);
		if (keep) s = score_final(score[r][k], block.batch, head, i, j);
		score[r][k] = s;
		tile_max = max(tile_max, s);
	}
	return tile_max;
}

// update_max finishes the scores and, if any row of the block outgrew its maximum
// by more than LAZY, raises the maxima of all and rescales what they have summed.
void update_max(Block block, int key, int end_key, bool full) {
	int tx = thread_x();
	int ty = thread_y();
	float tile_max[ROWS];
	bool rescale = false;
	UNROLL for (int r = 0; r < ROWS; r++) {
		tile_max[r] = finish_score(block, r, key, end_key, full);
		rescale = rescale || tile_max[r] > row_max[r] + LAZY;
	}
	if (rescale) sh_rescale = 1u;
	memoryBarrierShared();
	barrier(); // also: everyone has read the chunks that the weights overwrite
	if (sh_rescale == 0u) return;
	UNROLL for (int r = 0; r < ROWS; r++) SH_REDUCE(ty + THREADS_Y * r, tx) = tile_max[r];
	memoryBarrierShared();
	barrier();
	UNROLL for (int r = 0; r < ROWS; r++) {
		float highest = row_max[r];
		for (int x = 0; x < THREADS_X; x++) highest = max(highest, SH_REDUCE(ty + THREADS_Y * r, x));
		float decay = softmax_exp(row_max[r] - highest);
		if (highest == row_max[r]) decay = 1.0; // also where both are infinite
		row_max[r] = highest;
		row_sum[r] *= decay;
		UNROLL for (int c = 0; c < COLUMNS; c++) acc[r][c] *= decay;
	}
	barrier(); // the values are about to overwrite the reduction
}

void store_weights() {
	int tx = thread_x();
	int ty = thread_y();
	UNROLL for (int r = 0; r < ROWS; r++) {
		UNROLL for (int k = 0; k < KEYS; k++) {
			float weight = softmax_weight(score[r][k], row_max[r]);
			row_sum[r] += weight;
			int j = tx + THREADS_X * k;
			sh_tile[(ty + THREADS_Y * r) * WEIGHT_PITCH + j / 4][j & 3] = weight;
		}
	}
}

// add_values adds weight·value of four neighbouring keys to the accumulators.
void add_values(int chunk, int quad, bool poison) {
	UNROLL for (int c = 0; c < COLUMNS; c++) {
		int at = SH_VALUES + 4 * quad * VALUE_PITCH + thread_x() + THREADS_X * c;
		vec4 v0 = sh_tile[at];
		vec4 v1 = sh_tile[at + VALUE_PITCH];
		vec4 v2 = sh_tile[at + 2 * VALUE_PITCH];
		vec4 v3 = sh_tile[at + 3 * VALUE_PITCH];
		UNROLL for (int r = 0; r < ROWS; r++) {
			vec4 weight = sh_tile[(thread_y() + THREADS_Y * r) * WEIGHT_PITCH + chunk * (VALUE_CHUNK / 4) + quad];
			if (poison) { // 0·NaN must not leak from masked keys
				if (!weight_masked(weight.x)) acc[r][c] += weight.x * v0;
				if (!weight_masked(weight.y)) acc[r][c] += weight.y * v1;
				if (!weight_masked(weight.z)) acc[r][c] += weight.z * v2;
				if (!weight_masked(weight.w)) acc[r][c] += weight.w * v3;
			} else {
				acc[r][c] += weight.x * v0;
				acc[r][c] += weight.y * v1;
				acc[r][c] += weight.z * v2;
				acc[r][c] += weight.w * v3;
			}
		}
	}
}

void multiply_values(Block block, int key) {
	for (int chunk = 0; chunk < BLOCK_KEYS / VALUE_CHUNK; chunk++) {
		if (chunk != 0) barrier();
		load_values(block, key + chunk * VALUE_CHUNK);
		memoryBarrierShared();
		barrier();
		if (gl_LocalInvocationIndex == 0u) sh_rescale = 0u;
		bool poison = sh_poison != 0u;
		for (int quad = 0; quad < VALUE_CHUNK / 4; quad++) add_values(chunk, quad, poison);
	}
}

void store_row(Block block, int row, int r, float sum) {
	if (row >= block.end_row) return;
	float factor = result_scale(sum);
	int at = result_row(block.batch, block.kv_head, row, block.split);
	if (thread_x() == 0 && block.first_column == 0) result_stats(at, row_max[r], sum);
	UNROLL for (int c = 0; c < COLUMNS; c++) {
		int column = block.first_column + thread_x() + THREADS_X * c;
		if (column < VALUE_DIM4) o_data[at * VALUE_DIM4 + column] = acc[r][c] * factor;
	}
}

void store_rows(Block block) {
	int tx = thread_x();
	int ty = thread_y();
	barrier();
	UNROLL for (int r = 0; r < ROWS; r++) SH_REDUCE(ty + THREADS_Y * r, tx) = row_sum[r];
	memoryBarrierShared();
	barrier();
	UNROLL for (int r = 0; r < ROWS; r++) {
		float sum = 0.0;
		for (int x = 0; x < THREADS_X; x++) sum += SH_REDUCE(ty + THREADS_Y * r, x);
		store_row(block, block.first_row + ty + THREADS_Y * r, r, sum);
	}
}

void main() {
	Block block = this_block();
	int first_query = row_query(block.first_row);
	int end_query = row_query(block.end_row - 1) + 1;
	ivec2 range = mask_range(block.sequence, first_query, end_query);
	range.x = max(range.x, block.split * split_len);
	range.y = min(range.y, (block.split + 1) * split_len);
	start_rows();
	for (int key = range.x / BLOCK_KEYS * BLOCK_KEYS; key < range.y; key += BLOCK_KEYS) {
		bool full = key + BLOCK_KEYS <= range.y
			&& mask_full(block.sequence, first_query, end_query, key, key + BLOCK_KEYS);
		multiply_keys(block, key);
		update_max(block, key, range.y, full);
		store_weights();
		multiply_values(block, key);
	}
	store_rows(block);
}
