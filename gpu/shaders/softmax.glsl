// The running softmax: row_max, row_sum and acc of the keys seen so far.

// ROW_MAX_NONE is the maximum before any key was seen: finite, and no score is lower.
const float ROW_MAX_NONE = -3.4028234e38;

// LAZY is how far a score may exceed the running maximum before the sums are
// rescaled: weights up to 2^16 lose no precision in float32.
#ifdef SCORE_NATURAL
const float LAZY = 11.0;
#else
const float LAZY = 16.0;
#endif

// WEIGHT_MASKED_BITS is the weight of a key that is not allowed: -0.0. It adds
// nothing, and the bits tell it from an allowed weight that underflowed.
const uint WEIGHT_MASKED_BITS = 0x80000000u;

bool is_finite(vec4 v) {
	uvec4 exponent = floatBitsToUint(v) & 0x7f800000u;
	return !any(equal(exponent, uvec4(0x7f800000u)));
}

// softmax_exp returns e^x or 2^x by the units of the scores. NaN stays NaN, which
// the exp2 of some software rasterisers does not ensure.
float softmax_exp(float x) {
	if (is_nan(x)) return x;
#ifdef SCORE_NATURAL
	x *= LOG2E;
#endif
	return exp2(x);
}

// softmax_weight returns the weight of a score against the running maximum. An
// infinite maximum makes the weights of infinite scores NaN, as Inf - Inf is.
float softmax_weight(float score, float row_max) {
	if (floatBitsToUint(score) == MASKED_BITS) return uintBitsToFloat(WEIGHT_MASKED_BITS);
	return softmax_exp(score - row_max);
}

bool weight_masked(float weight) {
	return floatBitsToUint(weight) == WEIGHT_MASKED_BITS;
}
