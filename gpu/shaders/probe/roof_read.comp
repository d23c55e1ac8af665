// Measures the rate of reading a buffer: each thread sums LOADS vec4s that lie
// THREADS apart, so that neighbouring threads read neighbouring vec4s. With TEXELS
// it reads through a sampler, as the kernel for software rasterisers does.
layout(std140, binding = 8) uniform Probe {
	int loops;
};

#ifdef TEXELS
layout(binding = 0) uniform samplerBuffer source_data;
#define FETCH(at) texelFetch(source_data, at)
#else
layout(std430, binding = 0) readonly buffer Source {
	vec4 source_data[];
};
#define FETCH(at) source_data[at]
#endif

layout(std430, binding = 3) writeonly buffer Sink {
	vec4 sink[];
};

void main() {
	int first = int(gl_WorkGroupID.x) * THREADS * LOADS + int(gl_LocalInvocationIndex);
	vec4 sum = vec4(float(loops));
	for (int n = 0; n < LOADS; n++) sum += FETCH(first + n * THREADS);
	if (sum.x + sum.y + sum.z + sum.w == 12345.0) sink[0] = sum; // never true for what the buffer holds; keeps the loads alive
}
