// Q, K and V in device layout: rows of whole vec4s, zero beyond D and Dv. K and V
// stand in their storage type, unpacked as they are read.
layout(std430, binding = 0) readonly buffer Queries {
	vec4 q_data[];
};

#if K_BITS == 16
layout(std430, binding = 1) readonly buffer Keys {
	uvec2 k_data[];
};
#else
layout(std430, binding = 1) readonly buffer Keys {
	vec4 k_data[];
};
#endif

#if V_BITS == 16
layout(std430, binding = 2) readonly buffer Values {
	uvec2 v_data[];
};
#else
layout(std430, binding = 2) readonly buffer Values {
	vec4 v_data[];
};
#endif

vec4 unpack_float16(uvec2 bits) {
	return vec4(unpackHalf2x16(bits.x), unpackHalf2x16(bits.y));
}

vec4 unpack_bfloat16(uvec2 bits) {
	return uintBitsToFloat(uvec4(bits.x << 16, bits.x & 0xffff0000u, bits.y << 16, bits.y & 0xffff0000u));
}

vec4 load_key(int at) {
#if defined(K_FLOAT16)
	return unpack_float16(k_data[at]);
#elif defined(K_BFLOAT16)
	return unpack_bfloat16(k_data[at]);
#else
	return k_data[at];
#endif
}

vec4 load_value(int at) {
#if defined(V_FLOAT16)
	return unpack_float16(v_data[at]);
#elif defined(V_BFLOAT16)
	return unpack_bfloat16(v_data[at]);
#else
	return v_data[at];
#endif
}
