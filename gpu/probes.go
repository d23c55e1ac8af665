package gpu

import (
	"strconv"

	"github.com/glattn/attention/gpu/shaders"
)

// probes are the shaders that measure or test, beside the kernels: their files,
// work groups and defines.
var probes = map[string]struct {
	file    string
	local   [3]int
	defines map[string]string
}{
	"probe/roof_fma.comp":         {"probe/roof_fma.comp", [3]int{roofThreads, 1, 1}, map[string]string{"STEPS": strconv.Itoa(roofSteps)}},
	"probe/roof_read.comp":        {"probe/roof_read.comp", [3]int{roofThreads, 1, 1}, map[string]string{"THREADS": strconv.Itoa(roofThreads), "LOADS": strconv.Itoa(roofLoads)}},
	"probe/roof_read.comp texels": {"probe/roof_read.comp", [3]int{roofThreads, 1, 1}, map[string]string{"THREADS": strconv.Itoa(roofThreads), "LOADS": strconv.Itoa(roofLoads), "TEXELS": ""}},
	"probe/mask.comp":             {"probe/mask.comp", [3]int{8, 8, 1}, nil},
	"probe/mask.comp bool":        {"probe/mask.comp", [3]int{8, 8, 1}, map[string]string{"MASK_BOOL": ""}},
}

// probeSource composes a probe by its name.
func probeSource(name string) (source, error) {
	p := probes[name]
	return compose(shaders.Sources, p.file, p.local, p.defines)
}

// Probes returns the complete GLSL text of the probe shaders by their names, for
// tools that check shaders.
func Probes() (map[string]string, error) {
	texts := map[string]string{}
	for name := range probes {
		src, err := probeSource(name)
		if err != nil {
			return nil, err
		}
		texts[name] = src.text
	}
	return texts, nil
}
