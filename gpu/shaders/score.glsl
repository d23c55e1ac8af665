// From the scaled product of a query and a key to the score, twin of
// attention.Call.Score. With a bias or a softcap scores are kept in natural
// units, otherwise in log2 units with log2(e) folded into the scale.
#if defined(SCORE_BIAS) || defined(SCORE_SOFTCAP)
#define SCORE_NATURAL
#endif

const float LOG2E = 1.4426950408889634;

// MASKED_BITS is the score of a key that is not allowed: -Inf, compared as bits,
// since drivers may assume that floats are finite.
const uint MASKED_BITS = 0xff800000u;

bool is_nan(float x) {
	return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u; // isnan() is optimised away by some drivers
}

#ifdef SCORE_BIAS
layout(std430, binding = 5) readonly buffer BiasData {
	float bias_data[];
};
#endif

#ifdef SCORE_SOFTCAP
// score_tanh is accurate to a few ULP; GLSL promises nothing of its own tanh, and
// one driver errs by 8e-5 near 0. The polynomial is a Chebyshev fit of
// (tanh(x)-x)/x³ in x² on [0, 0.625], off by 0.3 units of 2^-24.
float score_tanh(float x) {
	float z = x * x;
	if (abs(x) < 0.625) {
		float p = -0.006096691875119195;
		p = p * z + 0.02099715902563725;
		p = p * z - 0.053850903746431776;
		p = p * z + 0.13332769680135548;
		p = p * z - 0.3333332894364246;
		return x + x * z * p;
	}
	if (is_nan(x)) return x; // min() of NaN is the other operand on most devices
	float t = 1.0 - 2.0 / (exp2(min(2.0 * LOG2E * abs(x), 64.0)) + 1.0);
	return x < 0.0 ? -t : t;
}
#endif

// score_final applies softcap and bias to s = scale·q·k for query i and key j.
float score_final(float s, int batch, int head, int i, int j) {
#ifdef SCORE_SOFTCAP
	s = softcap * score_tanh(s / softcap);
#endif
#ifdef SCORE_BIAS
	float bias = bias_data[batch * bias_batch + head * bias_head + i * bias_query + j * bias_key];
	s = floatBitsToUint(bias) == MASKED_BITS ? uintBitsToFloat(MASKED_BITS) : s + bias;
#endif
	return s;
}
