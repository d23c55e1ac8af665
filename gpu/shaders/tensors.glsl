// Q, K and V in device layout: rows of whole vec4s, zero beyond D and Dv. K and V
// stand in their storage type and are unpacked as they are read; K_LOAD and V_LOAD
// are the types of a load, of K_PART and V_PART vec4s. With TEXELS they are read
// through samplers: software rasterisers load storage buffers one lane at a time.
//
// q8_0 keeps the int8 numbers of all rows first, four a word, and behind them, from
// word k_scales or v_scales on, the binary16 scales of the blocks of 8 vec4s, two a
// word. That is as many bytes as ggml's blocks take, with the numbers aligned.
#ifdef TEXELS
layout(binding = 0) uniform samplerBuffer q_data;
#if K_BITS == 32
layout(binding = 1) uniform samplerBuffer k_data;
#else
layout(binding = 1) uniform usamplerBuffer k_data; // two words a texel
#endif
#if V_BITS == 32
layout(binding = 2) uniform samplerBuffer v_data;
#else
layout(binding = 2) uniform usamplerBuffer v_data;
#endif
#else
layout(std430, binding = 0) readonly buffer Queries {
	vec4 q_data[];
};
layout(std430, binding = 1) readonly buffer Keys {
	K_LOAD k_data[];
};
layout(std430, binding = 2) readonly buffer Values {
	V_LOAD v_data[];
};
#endif

vec4 unpack_float32(vec4 numbers, int part) { return numbers; }

vec4 unpack_float16(uvec2 bits, int part) { return vec4(unpackHalf2x16(bits.x), unpackHalf2x16(bits.y)); }
vec4 unpack_float16(uvec4 bits, int part) { return unpack_float16(part == 0 ? bits.xy : bits.zw, 0); }

vec4 unpack_bfloat16(uvec2 bits, int part) {
	return uintBitsToFloat(uvec4(bits.x << 16, bits.x & 0xffff0000u, bits.y << 16, bits.y & 0xffff0000u));
}
vec4 unpack_bfloat16(uvec4 bits, int part) { return unpack_bfloat16(part == 0 ? bits.xy : bits.zw, 0); }

// unpack_int8 leaves the scale to the caller. unpackSnorm4x8 would divide by 127.
vec4 unpack_int8(uint bits, int part) {
	int numbers = int(bits);
	return vec4(ivec4(numbers << 24, numbers << 16, numbers << 8, numbers) >> 24);
}
vec4 unpack_int8(uvec2 bits, int part) { return unpack_int8(bits[part], 0); }
vec4 unpack_int8(uvec4 bits, int part) { return unpack_int8(bits[part], 0); }

// block_of_vec4 returns the number of the q8_0 block that holds vec4 at, where rows
// of width vec4s begin new blocks.
int block_of_vec4(int at, int width) {
	return width % 8 == 0 ? at / 8 : at / width * ((width + 7) / 8) + at % width / 8;
}

float unpack_scale(uint pair, int block) {
	vec2 scales = unpackHalf2x16(pair);
	return (block & 1) == 0 ? scales.x : scales.y;
}

// key_start and value_start return where the rows of a KV head begin.
int key_start(int batch, int kv_head) {
	return k_base + batch * k_batch + kv_head * k_pitch;
}

int value_start(int batch, int kv_head) {
	return v_base + batch * v_batch + kv_head * v_pitch;
}

vec4 load_query(int at) {
#ifdef TEXELS
	return texelFetch(q_data, at);
#else
	return q_data[at];
#endif
}

// fetch_key brings the K_PART vec4s from vec4 at on as they are stored.
K_LOAD fetch_key(int at) {
#if !defined(TEXELS)
	return k_data[at / K_PART];
#elif K_BITS == 32
	return texelFetch(k_data, at);
#elif K_BITS == 16
	return texelFetch(k_data, at).xy;
#else
	return texelFetch(k_data, at / 2)[at & 1];
#endif
}

V_LOAD fetch_value(int at) {
#if !defined(TEXELS)
	return v_data[at / V_PART];
#elif V_BITS == 32
	return texelFetch(v_data, at);
#elif V_BITS == 16
	return texelFetch(v_data, at).xy;
#else
	return texelFetch(v_data, at / 2)[at & 1];
#endif
}

#if K_BITS == 8
// key_scale returns the scale of vec4 at.
float key_scale(int at) {
	int block = block_of_vec4(at, DIM4);
	int word = k_scales + block / 2;
#if defined(TEXELS)
	return unpack_scale(texelFetch(k_data, word / 2)[word & 1], block);
#elif K_PART == 1
	return unpack_scale(k_data[word], block);
#else
	return unpack_scale(k_data[word / K_PART][word & (K_PART - 1)], block);
#endif
}
#endif

#if V_BITS == 8
float value_scale(int at) {
	int block = block_of_vec4(at, VALUE_DIM4);
	int word = v_scales + block / 2;
#if defined(TEXELS)
	return unpack_scale(texelFetch(v_data, word / 2)[word & 1], block);
#elif V_PART == 1
	return unpack_scale(v_data[word], block);
#else
	return unpack_scale(v_data[word / V_PART][word & (V_PART - 1)], block);
#endif
}
#endif

vec4 load_key(int at) {
	vec4 key = K_UNPACK(fetch_key(at), at % K_PART);
#if K_BITS == 8
	key *= key_scale(at);
#endif
	return key;
}

vec4 load_value(int at) {
	vec4 value = V_UNPACK(fetch_value(at), at % V_PART);
#if V_BITS == 8
	value *= value_scale(at);
#endif
	return value;
}
