// Joins the partial results (acc, row_max, row_sum) of the splits of each row, in
// the order of the splits, into the finished output. A split that saw no allowed
// key has row_sum 0 and adds nothing.
#include "params.glsl"
#include "rows.glsl"
#include "score.glsl"
#include "softmax.glsl"

layout(std430, binding = 0) readonly buffer PartialOutputs {
	vec4 partial_data[];
};

layout(std430, binding = 1) readonly buffer PartialStats {
	vec2 partial_stats[];
};

#include "result.glsl"

shared float sh_top[THREADS];    // the highest score that each thread's splits saw
shared float sh_factor[THREADS]; // of the splits at hand
shared float sh_sum[THREADS];

// highest_score returns the maximum over all splits of the row.
float highest_score(int first) {
	int t = int(gl_LocalInvocationIndex);
	float top = ROW_MAX_NONE;
	for (int s = t; s < splits; s += THREADS) {
		vec2 stats = partial_stats[first + s];
		if (stats.y != 0.0) top = max(top, stats.x);
	}
	sh_top[t] = top;
	memoryBarrierShared();
	barrier();
	for (int x = 0; x < min(splits, THREADS); x++) top = max(top, sh_top[x]);
	return top;
}

// stage_splits leaves the factors of up to THREADS splits, and their shares of the
// row sum, in shared memory.
void stage_splits(int first, int count, float row_max) {
	int t = int(gl_LocalInvocationIndex);
	barrier(); // everyone has read those before
	if (t < count) {
		vec2 stats = partial_stats[first + t];
		float factor = stats.x == row_max ? 1.0 : softmax_exp(stats.x - row_max);
		sh_factor[t] = factor;
		sh_sum[t] = stats.y * factor;
	}
	memoryBarrierShared();
	barrier();
}

// add_splits adds column c of the staged splits to acc; four loads are on their way
// before the first is used.
vec4 add_splits(vec4 acc, int first, int count, int c) {
	for (int s = 0; s < count; s += 4) {
		vec4 part[4];
		UNROLL for (int n = 0; n < 4; n++) part[n] = partial_data[(first + min(s + n, count - 1)) * value_dim4 + c];
		UNROLL for (int n = 0; n < 4; n++)
			if (s + n < count) acc += part[n] * sh_factor[s + n];
	}
	return acc;
}

void main() {
	int row = row_base + int(gl_WorkGroupID.x);
	int kv_head = kv_base + int(gl_WorkGroupID.y);
	int batch = batch_base + int(gl_WorkGroupID.z);
	int first = row_partial(batch, kv_head, row, 0);
	int at = row_output(batch, kv_head, row);
	float row_max = highest_score(first);
	for (int column = 0; column < value_dim4; column += THREADS) {
		int c = column + int(gl_LocalInvocationIndex);
		vec4 acc = vec4(0.0);
		float row_sum = 0.0;
		for (int s = 0; s < splits; s += THREADS) {
			int count = min(THREADS, splits - s);
			stage_splits(first + s, count, row_max);
			for (int x = 0; x < count; x++) row_sum += sh_sum[x];
			if (c < value_dim4) acc = add_splits(acc, first + s, count, c);
		}
		if (c < value_dim4) o_data[at * value_dim4 + c] = acc * result_scale(row_sum);
		if (c == 0) result_stats(at, row_max, row_sum);
	}
}
