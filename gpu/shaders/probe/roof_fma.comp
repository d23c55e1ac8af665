// Measures the rate of float32 multiply-adds: four independent vec4 chains a
// thread, STEPS deep per loop. The result is stored so that no compiler drops it.
layout(std140, binding = 8) uniform Probe {
	int loops;
};

layout(std430, binding = 0) buffer Sink {
	vec4 sink[];
};

void main() {
	int at = int(gl_LocalInvocationIndex);
	vec4 a = sink[at];
	vec4 b = a + 1.0;
	vec4 c = a + 2.0;
	vec4 d = a + 3.0;
	vec4 scale = a * 0.5;
	for (int i = 0; i < loops; i++) {
		for (int s = 0; s < STEPS; s++) {
			a = a * scale + 0.25;
			b = b * scale + 0.25;
			c = c * scale + 0.25;
			d = d * scale + 0.25;
		}
	}
	if (a.x + b.x + c.x + d.x == 12345.0) sink[at] = a + b + c + d; // never true, but only the sums tell
}
