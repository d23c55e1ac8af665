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

void main() {
	int row = row_base + int(gl_WorkGroupID.x);
	int kv_head = kv_base + int(gl_WorkGroupID.y);
	int batch = batch_base + int(gl_WorkGroupID.z);
	int first = row_partial(batch, kv_head, row, 0);

	float row_max = ROW_MAX_NONE;
	for (int s = 0; s < splits; s++) {
		if (partial_stats[first + s].y != 0.0) row_max = max(row_max, partial_stats[first + s].x);
	}
	float row_sum = 0.0;
	for (int s = 0; s < splits; s++) {
		vec2 stats = partial_stats[first + s];
		row_sum += stats.y * (stats.x == row_max ? 1.0 : softmax_exp(stats.x - row_max));
	}
	float factor = result_scale(row_sum);
	int at = row_output(batch, kv_head, row);
	if (gl_LocalInvocationIndex == 0u) result_stats(at, row_max, row_sum);
	for (int c = int(gl_LocalInvocationIndex); c < value_dim4; c += THREADS) {
		vec4 acc = vec4(0.0);
		for (int s = 0; s < splits; s++) {
			float top = partial_stats[first + s].x;
			acc += partial_data[(first + s) * value_dim4 + c] * (top == row_max ? 1.0 : softmax_exp(top - row_max));
		}
		o_data[at * value_dim4 + c] = acc * factor;
	}
}
