// Q, K and V in device layout: rows of whole vec4s, zero beyond D and Dv. K and V
// stand in their storage type, unpacked as they are read. With TEXELS they are read
// through samplers: software rasterisers load storage buffers one lane at a time.
#ifdef TEXELS
layout(binding = 0) uniform samplerBuffer q_data;
#if K_BITS == 16
layout(binding = 1) uniform usamplerBuffer k_data;
#else
layout(binding = 1) uniform samplerBuffer k_data;
#endif
#if V_BITS == 16
layout(binding = 2) uniform usamplerBuffer v_data;
#else
layout(binding = 2) uniform samplerBuffer v_data;
#endif
#define FETCH4(data, at) texelFetch(data, at)
#define FETCH2(data, at) texelFetch(data, at).xy
#else
layout(std430, binding = 0) readonly buffer Queries {
	vec4 q_data[];
};
layout(std430, binding = 1) readonly buffer Keys {
#if K_BITS == 16
	uvec2 k_data[];
#else
	vec4 k_data[];
#endif
};
layout(std430, binding = 2) readonly buffer Values {
#if V_BITS == 16
	uvec2 v_data[];
#else
	vec4 v_data[];
#endif
};
#define FETCH4(data, at) data[at]
#define FETCH2(data, at) data[at]
#endif

vec4 unpack_float16(uvec2 bits) {
	return vec4(unpackHalf2x16(bits.x), unpackHalf2x16(bits.y));
}

vec4 unpack_bfloat16(uvec2 bits) {
	return uintBitsToFloat(uvec4(bits.x << 16, bits.x & 0xffff0000u, bits.y << 16, bits.y & 0xffff0000u));
}

// key_start and value_start return where the rows of a KV head begin.
int key_start(int batch, int kv_head) {
	return k_base + batch * k_batch + kv_head * k_pitch;
}

int value_start(int batch, int kv_head) {
	return v_base + batch * v_batch + kv_head * v_pitch;
}

vec4 load_query(int at) {
	return FETCH4(q_data, at);
}

vec4 load_key(int at) {
#if defined(K_FLOAT16)
	return unpack_float16(FETCH2(k_data, at));
#elif defined(K_BFLOAT16)
	return unpack_bfloat16(FETCH2(k_data, at));
#else
	return FETCH4(k_data, at);
#endif
}

vec4 load_value(int at) {
#if defined(V_FLOAT16)
	return unpack_float16(FETCH2(v_data, at));
#elif defined(V_BFLOAT16)
	return unpack_bfloat16(FETCH2(v_data, at));
#else
	return FETCH4(v_data, at);
#endif
}
