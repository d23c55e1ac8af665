package roof

import "golang.org/x/sys/cpu"

// variants lists what this processor runs, widest first.
func variants() []loops {
	var list []loops
	if cpu.X86.HasAVX512F {
		list = append(list, loops{name: "AVX-512", lanes: 24 * 16, fma: fmaAVX512, width: 16, sum: sumAVX512})
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		list = append(list, loops{name: "AVX2", lanes: 12 * 8, fma: fmaAVX2, width: 8, sum: sumAVX2})
	}
	return append(list, portable)
}
