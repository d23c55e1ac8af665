// Measures the rate of reading a buffer: each thread sums LOADS vec4s that lie
// THREADS apart, so that neighbouring threads read neighbouring vec4s.
layout(std140, binding = 8) uniform Probe {
	int loops;
};

layout(std430, binding = 0) buffer Source {
	vec4 source_data[];
};

void main() {
	int first = int(gl_WorkGroupID.x) * THREADS * LOADS + int(gl_LocalInvocationIndex);
	vec4 sum = vec4(float(loops));
	for (int n = 0; n < LOADS; n++) sum += source_data[first + n * THREADS];
	if (sum.x + sum.y + sum.z + sum.w == 12345.0) source_data[first] = sum; // keeps the loads alive
}
