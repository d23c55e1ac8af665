// Where results go. A kernel that saw all keys of a row writes the finished
// output; with PARTIAL it writes (acc, row_max, row_sum) of its key range, which
// attention_merge.comp joins.
layout(std430, binding = 3) writeonly buffer Outputs {
	vec4 o_data[];
};

layout(std430, binding = 4) writeonly buffer Stats {
	vec2 stats_data[]; // (row_max, row_sum) of each row; the host takes the logarithm
};

// result_scale returns what acc is multiplied by: 1 for a partial result, else
// 1/row_sum, and 0 for a row with no allowed key, whose output is 0 by contract.
float result_scale(float row_sum) {
#ifdef PARTIAL
	return 1.0;
#else
	return floatBitsToUint(row_sum) << 1 == 0u ? 0.0 : 1.0 / row_sum;
#endif
}

// result_row returns the index of the row in stats_data, and of its vec4s in
// o_data once multiplied by the row's width.
int result_row(int batch, int kv_head, int row, int split) {
#ifdef PARTIAL
	return row_partial(batch, kv_head, row, split_base + split);
#else
	return row_output(batch, kv_head, row);
#endif
}

void result_stats(int at, float row_max, float row_sum) {
	stats_data[at] = vec2(row_max, row_sum);
}
