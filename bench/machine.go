package bench

import (
	"context"
	"errors"
	"runtime"
	"strings"

	"github.com/klauspost/cpuid/v2"

	"github.com/glattn/attention"
	"github.com/glattn/attention/gpu"
	"github.com/glattn/attention/internal/kernel"
)

// Machine describes what measurements are taken on.
type Machine struct {
	OS          string           `json:"os"`
	Arch        string           `json:"arch"`
	Go          string           `json:"go"`
	CPU         string           `json:"cpu"`
	Cores       int              `json:"cores"`   // logical ones that the process may use
	Threads     int              `json:"threads"` // GOMAXPROCS
	Features    []string         `json:"features"`
	Kernels     []string         `json:"kernels"`         // sets of CPU kernels that run here, by their names for ATTN_CPU; the first is used
	CacheL1D    int              `json:"cache_l1d_bytes"` // of a core; -1 or 0 if not known
	CacheL2     int              `json:"cache_l2_bytes"`
	CacheL3     int              `json:"cache_l3_bytes"`
	MemoryBytes uint64           `json:"memory_bytes"`
	Devices     []gpu.DeviceInfo `json:"devices"`
	GPU         *gpu.Info        `json:"gpu"`       // the device that would be used; null if none opens
	GPUError    string           `json:"gpu_error"` // why none opens
}

// cpuFeatures are those that matter here, by their names in package cpuid.
var cpuFeatures = []cpuid.FeatureID{
	cpuid.SSE2, cpuid.AVX, cpuid.F16C, cpuid.FMA3, cpuid.AVX2, cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512VL, cpuid.AVX512FP16,
	cpuid.AVX512BF16, cpuid.AMXTILE, cpuid.ASIMD, cpuid.FPHP, cpuid.ASIMDHP, cpuid.SVE,
}

// DescribeMachine looks at the processor and, unless ctx ends, opens the GPU for
// a moment. A machine without a GPU is no error.
func DescribeMachine(ctx context.Context, opt OpenOptions) (Machine, error) {
	m := describeCPU()
	var err error
	if m.Devices, err = gpu.Devices(); err != nil && !errors.Is(err, attention.ErrUnavailable) {
		return m, err
	}
	backend, err := openGPU(ctx, opt)
	switch {
	case err == nil:
		info := backend.Device()
		m.GPU = &info
		return m, backend.Close()
	case errors.Is(err, attention.ErrUnavailable):
		m.GPUError = oneLine(err)
		return m, nil
	}
	return m, err
}

func describeCPU() Machine {
	m := Machine{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(),
		CPU: strings.TrimSpace(cpuid.CPU.BrandName), Cores: runtime.NumCPU(), Threads: runtime.GOMAXPROCS(0),
		CacheL1D: cpuid.CPU.Cache.L1D, CacheL2: cpuid.CPU.Cache.L2, CacheL3: cpuid.CPU.Cache.L3,
		MemoryBytes: TotalMemory(), Features: []string{}, Kernels: kernel.Available(), Devices: []gpu.DeviceInfo{},
	}
	if m.CPU == "" {
		m.CPU = runtime.GOARCH + " processor"
	}
	for _, f := range cpuFeatures {
		if cpuid.CPU.Supports(f) {
			m.Features = append(m.Features, f.String())
		}
	}
	return m
}

// oneLine joins the lines of an error, which errors.Join breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
