// The masking rule, twin of attention.Mask; probe/mask.comp compares the two cell
// by cell.
#ifdef MASK_BOOL
layout(std430, binding = 6) readonly buffer MaskData {
	uint mask_data[]; // four booleans a word, one byte each
};
#endif

// mask_range returns the keys [x, y) that queries [i0, i1) can need. Causal rule
// and window are one pair of numbers, so they cost no variant.
// sequence is the (key_len, query_offset) of the batch entry.
ivec2 mask_range(ivec2 sequence, int i0, int i1) {
	int low = max(0, sequence.y + i0 - reach_left);
	int high = min(sequence.x, sequence.y + i1 + reach_right);
	return high <= low ? ivec2(0) : ivec2(low, high);
}

// mask_keep reports whether query i of (batch, head) may look at key j, where
// range is mask_range of that query alone.
bool mask_keep(ivec2 range, int batch, int head, int i, int j) {
	bool keep = j >= range.x && j < range.y;
#ifdef MASK_BOOL
	if (keep) {
		int at = batch * mask_batch + head * mask_head + i * mask_query + j * mask_key;
		keep = (mask_data[at >> 2] >> (8 * (at & 3)) & 0xffu) != 0u;
	}
#endif
	return keep;
}

// mask_full reports whether queries [i0, i1) may look at every key of [j0, j1).
bool mask_full(ivec2 sequence, int i0, int i1, int j0, int j1) {
#ifdef MASK_BOOL
	return false;
#else
	ivec2 first = mask_range(sequence, i0, i0 + 1);
	ivec2 last = mask_range(sequence, i1 - 1, i1);
	return j1 <= min(first.y, last.y) && j0 >= max(first.x, last.x);
#endif
}
