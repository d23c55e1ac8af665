// Prefill: a workgroup computes BLOCK_ROWS rows of one KV head against tiles of
// BLOCK_KEYS keys. Q, K and V pass through shared memory in chunks; scores and
// accumulators stay in registers, ROWS x KEYS and ROWS x COLUMNS vec4 a thread.
//
// Threads form a grid of THREADS_X x THREADS_Y: thread (tx, ty) owns the rows
// ty + THREADS_Y·r, the value columns tx + THREADS_X·c and quads of neighbouring
// keys, so that the weights of a quad are stored as one vec4.
#include "params.glsl"
#include "rows.glsl"
#include "mask.glsl"
#include "score.glsl"
#include "softmax.glsl"
#include "tensors.glsl"
#include "result.glsl"

#define THREADS (THREADS_X * THREADS_Y)
#define BLOCK_ROWS (THREADS_Y * ROWS)
#define BLOCK_KEYS (THREADS_X * KEYS)
#define CHUNK_PITCH (CHUNK | 1)                // an odd pitch in vec4s spreads rows over the banks
#define WEIGHT_PITCH (BLOCK_KEYS / 4 + 1)
#define SH_KEYS (BLOCK_ROWS * CHUNK_PITCH)     // after the chunk of queries
#define SH_VALUES (BLOCK_ROWS * WEIGHT_PITCH)  // after the weights, which replace both chunks
#define VALUE_PITCH (THREADS_X * COLUMNS)
#define DIM_CHUNKS ((DIM4 + CHUNK - 1) / CHUNK)
#define SUM_PARTS (THREADS / BLOCK_ROWS)       // threads that share the sum of a row's weights
#define KEY_STEP(k) (4 * THREADS_X * ((k) / 4) + (k) % 4) // from a thread's first key

shared vec4 sh_tile[SHARED_VEC4S];
// What is the same for all threads of a row stands here and not in registers, of
// which the accumulators leave few. Some drivers align shared arrays to a number
// only: each takes whole vec4s, or sh_tile could not be read by vec4s.
shared int sh_query_at[BLOCK_ROWS]; // the row's place in q_data
shared int sh_query[BLOCK_ROWS];
shared int sh_head[BLOCK_ROWS];
shared float sh_row_max[BLOCK_ROWS];
shared float sh_decay[BLOCK_ROWS];
shared int sh_flags[4];
// A flag holds the key of the tile that raised it last, so that none is ever lowered.
#define RESCALE sh_flags[0] // some row of the block outgrew its running maximum
#define KEEP sh_flags[1]    // the boolean mask allows some pair of the tile,
#define DROP sh_flags[2]    // and forbids some
#define POISON sh_flags[3]  // some chunk of values held NaN or Inf; -1 if none yet

struct Block {
	int batch;
	int kv_head;
	int split;
	int first_row;
	int end_row;
	int first_column; // of the values, in vec4s
	ivec2 sequence;
};

int thread() { return int(gl_LocalInvocationIndex); }
int thread_x() { return int(gl_LocalInvocationIndex % uint(THREADS_X)); }
int thread_y() { return int(gl_LocalInvocationIndex / uint(THREADS_X)); }

// The running softmax of this thread's rows, and the scores of the current tile.
vec4 acc[ROWS][COLUMNS];
float row_sum; // of row thread() % BLOCK_ROWS, over this thread's part of the weights
float score[ROWS][KEYS];

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

// start_rows begins the softmax of the block. Rows past the end repeat the last
// one, so that nothing below asks for the end; only store_row leaves them out.
void start_rows(Block block) {
	if (thread() < BLOCK_ROWS) {
		int row = min(block.first_row + thread(), block.end_row - 1);
		int head = row_head(block.kv_head, row);
		sh_query[thread()] = row_query(row);
		sh_head[thread()] = head;
		sh_query_at[thread()] = (block.batch * heads + head) * q_pitch + row_query(row) * DIM4;
		sh_row_max[thread()] = ROW_MAX_NONE;
	}
	if (thread() == 0) {
		RESCALE = -1;
		KEEP = -1;
		DROP = -1;
		POISON = -1;
	}
	row_sum = 0.0;
	UNROLL for (int r = 0; r < ROWS; r++)
		UNROLL for (int c = 0; c < COLUMNS; c++) acc[r][c] = vec4(0.0);
	memoryBarrierShared();
	barrier();
}

// Element n of what this thread stages of a chunk, as (row, vec4 of the row). Loads
// have no conditions, as a branch would make each wait for the one before: indices
// past an end repeat the last.
ivec2 element(int n, int rows, int width) {
	uint t = gl_LocalInvocationIndex;
	if (THREADS % width != 0) {
		uint e = min(t + uint(THREADS * n), uint(rows * width - 1));
		return ivec2(int(e / uint(width)), int(e % uint(width)));
	}
	int row = int(t / uint(width)) + THREADS / width * n;
	if (rows * width < THREADS * (n + 1)) row = min(row, rows - 1);
	return ivec2(row, int(t % uint(width)));
}

// load_chunk stages CHUNK vec4s of every query and key of the tile. The keys of a
// thread stand THREADS_X rows apart, so that neighbours read neighbouring rows.
void load_chunk(Block block, int key, int chunk) {
	vec4 queries[QUERY_LOADS];
	UNROLL for (int n = 0; n < QUERY_LOADS; n++) {
		ivec2 at = element(n, BLOCK_ROWS, CHUNK);
		int d = chunk * CHUNK + at.y;
		queries[n] = load_query(sh_query_at[at.x] + min(d, DIM4 - 1)) * scale;
		if (DIM4 % CHUNK != 0 && d >= DIM4) queries[n] = vec4(0.0);
	}
	UNROLL for (int n = 0; n < QUERY_LOADS; n++) {
		ivec2 at = element(n, BLOCK_ROWS, CHUNK);
		sh_tile[at.x * CHUNK_PITCH + at.y] = queries[n];
	}
	vec4 keys[KEY_LOADS];
	int head = key_start(block.batch, block.kv_head);
	UNROLL for (int n = 0; n < KEY_LOADS; n++) {
		ivec2 at = element(n, BLOCK_KEYS, CHUNK);
		int d = chunk * CHUNK + at.y;
		keys[n] = load_key(head + min(key + at.x, block.sequence.x - 1) * DIM4 + min(d, DIM4 - 1));
		if (DIM4 % CHUNK != 0 && d >= DIM4) keys[n] = vec4(0.0);
	}
	UNROLL for (int n = 0; n < KEY_LOADS; n++) {
		ivec2 at = element(n, BLOCK_KEYS, CHUNK);
		int quad = at.x / 4;
		int place = quad % THREADS_X + THREADS_X * (quad / THREADS_X * 4 + at.x % 4);
		sh_tile[SH_KEYS + place * CHUNK_PITCH + at.y] = keys[n];
	}
}

// load_values stages VALUE_CHUNK rows of values and notes whether any is not finite.
void load_values(Block block, int key) {
	vec4 values[VALUE_LOADS];
	int head = value_start(block.batch, block.kv_head);
	UNROLL for (int n = 0; n < VALUE_LOADS; n++) {
		ivec2 at = element(n, VALUE_CHUNK, VALUE_PITCH);
		int j = min(key + at.x, block.sequence.x - 1);
		values[n] = load_value(head + j * VALUE_DIM4 + min(block.first_column + at.y, VALUE_DIM4 - 1));
	}
	bool finite = true;
	UNROLL for (int n = 0; n < VALUE_LOADS; n++) {
		ivec2 at = element(n, VALUE_CHUNK, VALUE_PITCH);
		finite = finite && is_finite(values[n]);
		sh_tile[SH_VALUES + at.x * VALUE_PITCH + at.y] = values[n];
	}
	if (!finite) POISON = key;
}

// multiply_dims adds the products of four neighbouring dims. They are written out,
// since some compilers make of s += dot(a, b) a product, three FMAs and a sum.
void multiply_dims(int queries, int keys) {
	vec4 key[KEYS];
	UNROLL for (int k = 0; k < KEYS; k++) key[k] = sh_tile[keys + THREADS_X * CHUNK_PITCH * k];
	vec4 query[2]; // the next is read while this one is used
	query[0] = sh_tile[queries];
	UNROLL for (int r = 0; r < ROWS; r++) {
		if (r + 1 < ROWS) query[(r + 1) % 2] = sh_tile[queries + THREADS_Y * CHUNK_PITCH * (r + 1)];
		UNROLL for (int k = 0; k < KEYS; k++) score[r][k] += query[r % 2].x * key[k].x;
		UNROLL for (int k = 0; k < KEYS; k++) score[r][k] += query[r % 2].y * key[k].y;
		UNROLL for (int k = 0; k < KEYS; k++) score[r][k] += query[r % 2].z * key[k].z;
		UNROLL for (int k = 0; k < KEYS; k++) score[r][k] += query[r % 2].w * key[k].w;
	}
}

// multiply_keys computes the scaled products of the tile's queries and keys.
void multiply_keys(Block block, int key) {
	UNROLL for (int r = 0; r < ROWS; r++)
		UNROLL for (int k = 0; k < KEYS; k++) score[r][k] = 0.0;
	for (int chunk = 0; chunk < DIM_CHUNKS; chunk++) {
		barrier();
		load_chunk(block, key, chunk);
		memoryBarrierShared();
		barrier();
		int queries = thread_y() * CHUNK_PITCH;
		int keys = SH_KEYS + thread_x() * CHUNK_PITCH;
		for (int d = 0; d < CHUNK; d += DIM_STEP) {
			UNROLL for (int u = 0; u < DIM_STEP; u++) multiply_dims(queries + d + u, keys + d + u);
		}
	}
}

#ifdef MASK_BOOL
// read_mask asks the boolean mask about every pair of the tile and raises KEEP if
// any is allowed and DROP if any is not. Keeping the answers would cost registers
// while products are summed; they are read again where a tile has both.
void read_mask(Block block, int key, int end_key) {
	bool any = false;
	bool all = true;
	int first = 4 * (key / 4 + thread_x());
	UNROLL for (int r = 0; r < ROWS; r++) {
		int i = sh_query[thread_y() + THREADS_Y * r];
		int head = sh_head[thread_y() + THREADS_Y * r];
		ivec2 keys = mask_range(block.sequence, i, i + 1);
		UNROLL for (int k = 0; k < KEYS; k++) {
			int j = first + KEY_STEP(k);
			bool allowed = j < end_key && mask_keep(keys, block.batch, head, i, j);
			any = any || allowed;
			all = all && allowed;
		}
	}
	if (any) KEEP = key;
	if (!all) DROP = key;
	memoryBarrierShared();
	barrier();
}
#endif

// finish_scores applies softcap, bias and mask to one row of scores. full says
// that every key of the tile is allowed.
void finish_scores(Block block, int r, int key, int end_key, bool full) {
	int i = sh_query[thread_y() + THREADS_Y * r];
	int head = sh_head[thread_y() + THREADS_Y * r];
	ivec2 keys = mask_range(block.sequence, i, i + 1);
	int first = 4 * (key / 4 + thread_x());
	UNROLL for (int k = 0; k < KEYS; k++) {
		int j = first + KEY_STEP(k);
		bool allowed = full || (j < end_key && mask_keep(keys, block.batch, head, i, j));
		float s = uintBitsToFloat(MASKED_BITS);
		if (allowed) s = score_final(score[r][k], block.batch, head, i, j);
		score[r][k] = s;
	}
}

// update_max finishes the scores and, if any row of the block outgrew its maximum
// by more than LAZY, raises the maxima of all and rescales what they have summed.
void update_max(Block block, int key, int end_key, bool full) {
#ifndef SCORE_NATURAL
	if (!full) // else the scores are final as they are
#endif
	{
#ifdef MASK_BOOL
		key = KEEP; // the same number, but a compiler that knew would keep all that read_mask made of it
#endif
		UNROLL for (int r = 0; r < ROWS; r++) finish_scores(block, r, key, end_key, full);
	}
	vec4 tile_max[ROW_QUADS];
	UNROLL for (int q = 0; q < ROW_QUADS; q++) tile_max[q] = vec4(ROW_MAX_NONE);
	bool rescale = false;
	UNROLL for (int r = 0; r < ROWS; r++) {
		float highest = ROW_MAX_NONE;
		UNROLL for (int k = 0; k < KEYS; k++) highest = max(highest, score[r][k]);
		tile_max[r / 4][r % 4] = highest;
		rescale = rescale || highest > sh_row_max[thread_y() + THREADS_Y * r] + LAZY;
	}
	if (rescale) RESCALE = key;
	memoryBarrierShared();
	barrier(); // also: everyone has read the chunks that the maxima and weights overwrite
	if (RESCALE != key) return;
	UNROLL for (int q = 0; q < ROW_QUADS; q++)
		sh_tile[(thread_x() * ROW_QUADS + q) * THREADS_Y + thread_y()] = tile_max[q];
	memoryBarrierShared();
	barrier();
	if (thread() < BLOCK_ROWS) {
		int r = thread() / THREADS_Y;
		float old = sh_row_max[thread()];
		float highest = old;
		for (int x = 0; x < THREADS_X; x++)
			highest = max(highest, sh_tile[(x * ROW_QUADS + r / 4) * THREADS_Y + thread() % THREADS_Y][r % 4]);
		sh_row_max[thread()] = highest;
		sh_decay[thread()] = highest == old ? 1.0 : softmax_exp(old - highest); // 1 also where both are infinite
	}
	memoryBarrierShared();
	barrier();
	row_sum *= sh_decay[thread() % BLOCK_ROWS];
	UNROLL for (int r = 0; r < ROWS; r++) {
		float decay = sh_decay[thread_y() + THREADS_Y * r];
		UNROLL for (int c = 0; c < COLUMNS; c++) acc[r][c] *= decay;
	}
}

void store_weights() {
	UNROLL for (int r = 0; r < ROWS; r++) {
		int row = thread_y() + THREADS_Y * r;
		float row_max = sh_row_max[row];
		UNROLL for (int q = 0; q < KEY_QUADS; q++) {
			sh_tile[row * WEIGHT_PITCH + thread_x() + THREADS_X * q] = vec4(
				softmax_weight(score[r][4 * q], row_max), softmax_weight(score[r][4 * q + 1], row_max),
				softmax_weight(score[r][4 * q + 2], row_max), softmax_weight(score[r][4 * q + 3], row_max));
		}
	}
}

// sum_weights adds this thread's part of a row of weights to row_sum.
void sum_weights() {
	int row = thread() % BLOCK_ROWS;
	for (int quad = thread() / BLOCK_ROWS; quad < BLOCK_KEYS / 4; quad += SUM_PARTS) {
		vec4 weight = sh_tile[row * WEIGHT_PITCH + quad];
		if (thread() < SUM_PARTS * BLOCK_ROWS) row_sum += (weight.x + weight.y) + (weight.z + weight.w);
	}
}

// add_values adds weight·value of four neighbouring keys to the accumulators. The
// weights of all rows are read once and the values pass by.
void add_values(int weights, int values) {
	vec4 weight[ROWS];
	UNROLL for (int r = 0; r < ROWS; r++) weight[r] = sh_tile[weights + THREADS_Y * WEIGHT_PITCH * r];
	vec4 value[2];
	value[0] = sh_tile[values];
	UNROLL for (int c = 0; c < COLUMNS; c++) {
		UNROLL for (int n = 0; n < 4; n++) {
			const int next = 4 * c + n + 1;
			if (next < 4 * COLUMNS) value[next % 2] = sh_tile[values + VALUE_PITCH * (next % 4) + THREADS_X * (next / 4)];
			UNROLL for (int r = 0; r < ROWS; r++) acc[r][c] += weight[r][n] * value[n % 2];
		}
	}
}

// add_values_guarded is add_values for one key, where 0·NaN must not leak from
// masked ones. It is rare and therefore short.
void add_values_guarded(int weights, int values, int n) {
	UNROLL for (int r = 0; r < ROWS; r++) {
		float weight = sh_tile[weights + THREADS_Y * WEIGHT_PITCH * r + n / 4][n % 4];
		if (!weight_masked(weight)) {
			UNROLL for (int c = 0; c < COLUMNS; c++)
				acc[r][c] += weight * sh_tile[values + VALUE_PITCH * n + THREADS_X * c];
		}
	}
}

void multiply_values(Block block, int key) {
	for (int chunk = 0; chunk < BLOCK_KEYS / VALUE_CHUNK; chunk++) {
		if (chunk != 0) barrier();
		load_values(block, key + chunk * VALUE_CHUNK);
		memoryBarrierShared();
		barrier();
		if (chunk == 0) sum_weights();
		int weights = thread_y() * WEIGHT_PITCH + chunk * (VALUE_CHUNK / 4);
		int values = SH_VALUES + thread_x();
		if (POISON >= 0) {
			for (int n = 0; n < VALUE_CHUNK; n++) add_values_guarded(weights, values, n);
		} else {
			for (int quad = 0; quad < VALUE_CHUNK / 4; quad += QUAD_STEP) {
				UNROLL for (int u = 0; u < QUAD_STEP; u++) add_values(weights + quad + u, values + 4 * VALUE_PITCH * (quad + u));
			}
		}
	}
}

void store_row(Block block, int row, int r, float sum) {
	if (row >= block.end_row) return;
	float factor = result_scale(sum);
	int at = result_row(block.batch, block.kv_head, row, block.split);
	if (thread_x() == 0 && block.first_column == 0) result_stats(at, sh_row_max[thread_y() + THREADS_Y * r], sum);
	UNROLL for (int c = 0; c < COLUMNS; c++) {
		int column = block.first_column + thread_x() + THREADS_X * c;
		if (column < VALUE_DIM4) o_data[at * VALUE_DIM4 + column] = acc[r][c] * factor;
	}
}

void store_rows(Block block) {
	barrier();
	sh_tile[thread()] = vec4(row_sum);
	memoryBarrierShared();
	barrier();
	UNROLL for (int r = 0; r < ROWS; r++) {
		int row = thread_y() + THREADS_Y * r;
		float sum = 0.0;
		for (int part = 0; part < SUM_PARTS; part++) sum += sh_tile[row + BLOCK_ROWS * part].x;
		store_row(block, block.first_row + row, r, sum);
	}
}

void main() {
	Block block = this_block();
	int first_query = row_query(block.first_row);
	int end_query = row_query(block.end_row - 1) + 1;
	ivec2 range = mask_range(block.sequence, first_query, end_query);
	range.x = max(range.x, block.split * split_len);
	range.y = min(range.y, (block.split + 1) * split_len);
	start_rows(block);
	for (int key = range.x / BLOCK_KEYS * BLOCK_KEYS; key < range.y; key += BLOCK_KEYS) {
		bool full = key + BLOCK_KEYS <= range.y
			&& mask_full(block.sequence, first_query, end_query, key, key + BLOCK_KEYS);
#ifdef MASK_BOOL
		read_mask(block, key, range.y);
		if (KEEP != key) continue;
		full = DROP != key;
#endif
		multiply_keys(block, key);
		update_max(block, key, range.y, full);
		store_weights();
		multiply_values(block, key);
	}
	store_rows(block);
}
