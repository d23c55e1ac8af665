package gpu

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/glattn/attention"
	"github.com/glattn/attention/gpu/shaders"
)

// Kernel names one of the ways the backend computes attention.
type Kernel uint8

// The kernels.
const (
	// KernelAuto picks by the number of rows and by whether the device is software.
	KernelAuto Kernel = iota
	// KernelTiled serves many rows: register-blocked tiles in shared memory.
	KernelTiled
	// KernelRows serves software rasterisers: a row or four per SIMD lane.
	KernelRows
	// KernelDecode serves few rows: keys split over work groups, then merged.
	KernelDecode
	// KernelNaive has no blocking at all. It is the yardstick of the others and is
	// used only where it is asked for.
	KernelNaive
	kernelMerge
)

var kernelNames = [...]string{"auto", "tiled", "rows", "decode", "naive", "merge"}

// String returns auto, tiled, rows, decode or naive.
func (k Kernel) String() string {
	if int(k) < len(kernelNames) {
		return kernelNames[k]
	}
	return fmt.Sprintf("kernel(%d)", uint8(k))
}

// Variant is everything that shapes the code of a kernel, and nothing that does
// not: no lengths, strides or scales. It is comparable and the key of the program
// cache. Causal masks and windows are numbers, so they make no variants.
type Variant struct {
	Kernel   Kernel
	Dim4     int // D and Dv in vec4s
	Value4   int
	K, V     attention.DType // as the device stores them
	BoolMask bool
	Bias     bool
	Softcap  bool
	Partial  bool // writes partial results for the merge
	Guarded  bool // KernelRows: V holds NaN or Inf, which masked keys must not leak
	Tile     Tile
}

// variantOf returns the variant of kernel k for problem p.
func variantOf(k Kernel, p attention.Problem, tile Tile, partial bool) Variant {
	v := Variant{
		Kernel: k, K: stored(p.K, p.Dim), V: stored(p.V, p.ValueDim), Tile: tile, Partial: partial,
		BoolMask: p.Masked, Bias: p.Bias != attention.NoType, Softcap: p.Softcap > 0,
	}
	v.Dim4, v.Value4 = vec4s(p.Dim), vec4s(p.ValueDim)
	return v
}

// mergeOf returns the variant that joins the partial results of v.
func mergeOf(v Variant) Variant {
	return Variant{Kernel: kernelMerge, Bias: v.Bias, Softcap: v.Softcap, Tile: Tile{ThreadsX: 64, ThreadsY: 1}}
}

// splits returns the number of partial results of each row over so many keys.
func (v Variant) splits(keys int) int {
	if !v.Partial {
		return 1
	}
	return ceilDiv(keys, v.Tile.Split)
}

// String is the variant's name in logs, labels, caches and records, such as
// attention_tiled.d16v16.kf16.vf16.mask.t16x8r8k4.
func (v Variant) String() string {
	parts := []string{"attention_" + v.Kernel.String()}
	if v.Dim4 != 0 {
		parts = append(parts, fmt.Sprintf("d%dv%d", v.Dim4, v.Value4))
	}
	if v.Kernel != kernelMerge {
		parts = append(parts, "k"+v.K.String(), "v"+v.V.String())
	}
	for _, flag := range v.flags() {
		if flag.on {
			parts = append(parts, flag.name)
		}
	}
	return strings.Join(append(parts, v.Tile.String()), ".")
}

type flag struct {
	on           bool
	name, define string
}

// flags is the one place where an option becomes a define.
func (v Variant) flags() []flag {
	return []flag{
		{v.BoolMask, "mask", "MASK_BOOL"},
		{v.Bias, "bias", "SCORE_BIAS"},
		{v.Softcap, "softcap", "SCORE_SOFTCAP"},
		{v.Partial, "partial", "PARTIAL"},
		{v.Guarded, "guarded", "VALUES_GUARDED"},
	}
}

// defines returns the defines of the variant. An empty value is a flag.
func (v Variant) defines() map[string]string {
	d := map[string]string{}
	for _, flag := range v.flags() {
		if flag.on {
			d[flag.define] = ""
		}
	}
	if v.Kernel != kernelMerge {
		d["DIM4"] = strconv.Itoa(v.Dim4)
		d["VALUE_DIM4"] = strconv.Itoa(v.Value4)
		keyPart, valuePart := v.parts()
		typeDefines(d, "K", v.K, keyPart)
		typeDefines(d, "V", v.V, valuePart)
	}
	maps.Copy(d, v.Tile.defines(v))
	return d
}

// typeDefines says how an operand is stored and how many vec4s of it a load brings.
func typeDefines(d map[string]string, operand string, t attention.DType, part int) {
	bits := storedBits(t)
	load := map[int]string{8: "uint", 16: "uvec2", 32: "uvec4"}[bits*part]
	if bits == 32 {
		load = "vec4"
	}
	d[operand+"_BITS"], d[operand+"_PART"], d[operand+"_LOAD"] = strconv.Itoa(bits), strconv.Itoa(part), load
	d[operand+"_UNPACK"] = map[attention.DType]string{
		attention.Float32: "unpack_float32", attention.Float16: "unpack_float16", attention.BFloat16: "unpack_bfloat16", attention.Q8_0: "unpack_int8",
	}[t]
}

// storedBits returns the bits of a number on the device, without the scales of q8_0.
func storedBits(t attention.DType) int {
	if t == attention.Q8_0 {
		return 8
	}
	return 8 * t.Size()
}

// parts returns how many vec4s of K and of V the kernel loads at a time: the decode
// kernel whole uvec4s of keys where rows are made of them. Of values it loads what
// keeps the sums of its rows within 32 registers.
func (v Variant) parts() (key, value int) {
	key, value = 1, 1
	if v.Kernel != KernelDecode {
		return key, value
	}
	whole := func(t attention.DType, width4, most int) int {
		part := map[attention.DType]int{attention.Float16: 2, attention.BFloat16: 2, attention.Q8_0: 4}[t]
		for part = max(min(part, most), 1); width4%part != 0; {
			part /= 2
		}
		return part
	}
	return whole(v.K, v.Dim4, 4), whole(v.V, v.Value4, max(8/v.Tile.Rows, 1))
}

// source composes the variant's shader.
func (v Variant) source() (source, error) {
	size := [3]int{v.Tile.threads(), 1, 1}
	return compose(shaders.Sources, "attention_"+v.Kernel.String()+".comp", size, v.defines())
}

// Source returns the complete GLSL text of the variant, for tools that check or
// measure shaders.
func (v Variant) Source() (string, error) {
	s, err := v.source()
	return s.text, err
}

// natural reports whether the variant keeps scores in natural units instead of
// log2 units; score.glsl decides the same by the same flags.
func (v Variant) natural() bool { return v.Bias || v.Softcap }

func vec4s(n int) int { return ceilDiv(n, 4) }

func ceilDiv(n, by int) int { return (n + by - 1) / by }
