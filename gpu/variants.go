package gpu

import "github.com/glattn/attention"

// With more than longKeys keys a work group of the tiled kernel would run for long, and K
// and V may not fit a storage block: they are computed about 4096 at a time.
const longKeys = 16384

// longSplit is how many: whole tiles.
func (t Tile) longSplit() int {
	keys := t.ThreadsX * t.Keys
	return max(1, 4096/keys) * keys
}

// chosen returns the variant of kernel k that p is dispatched to. A tile function
// that is not nil replaces the shipped tiles.
func chosen(k Kernel, p attention.Problem, tile func(Variant) Tile) Variant {
	rows := p.QueryLen * p.Group()
	v := variantOf(k, p, Tile{}, false)
	switch {
	case tile != nil:
		v.Tile = tile(v)
	case k == KernelTiled:
		v.Tile = tiledTile(v.Dim4, v.Value4)
	case k == KernelRows:
		v.Tile = rowsTile(rows, v.Dim4, v.Value4)
	case k == KernelDecode:
		v.Tile = decodeTile(rows, v)
	case k == KernelNaive:
		v.Tile = naiveTile(v.Dim4, v.Value4)
	}
	if k == KernelTiled && p.KeyLen > longKeys && v.Tile.Split == 0 {
		v.Tile.Split = v.Tile.longSplit()
	}
	v.Partial = v.Tile.Split > 0
	return v
}

// variantWidths are the D and Dv of Variants: those of models, and neighbours of
// vectors and tiles.
var variantWidths = [][2]int{
	{1, 1}, {2, 2}, {3, 3}, {7, 7}, {8, 8}, {16, 16}, {21, 21}, {31, 31}, {32, 32}, {40, 40}, {59, 59}, {64, 64},
	{72, 72}, {80, 80}, {96, 96}, {111, 111}, {128, 128}, {160, 160}, {192, 192}, {203, 203}, {224, 224}, {256, 256},
	{320, 320}, {512, 512}, {576, 576}, {192, 128}, {576, 512}, {128, 300}, {1, 576}, {576, 1},
}

// variantModels are the widths of which Variants holds all types, without options
// and with a mask and a bias: registers are scarce there, or the shape is uneven.
var variantModels = []int{40, 80, 128, 256, 576}

// variantTypes are the types of K and V of Variants.
var variantTypes = [][2]attention.DType{
	{attention.Float32, attention.Float32}, {attention.Float16, attention.Float16},
	{attention.BFloat16, attention.BFloat16}, {attention.Float16, attention.Float32},
	{attention.Q8_0, attention.Q8_0}, {attention.Float16, attention.Q8_0},
}

// Variants returns the variants that calls over a representative set of problems
// are dispatched to, each once: for every kernel, all combinations of options and
// types at D = Dv = 64, fewer at the widths of models, all widths without options,
// and for few rows all numbers of them; and the merges of what is partial. Tools and tests compile them all.
func Variants() []Variant {
	var list []Variant
	seen := map[Variant]bool{}
	add := func(v Variant) {
		if !seen[v] {
			seen[v] = true
			list = append(list, v)
		}
	}
	for _, p := range variantProblems() {
		for _, k := range []Kernel{KernelTiled, KernelRows, KernelDecode, KernelNaive} {
			if k == KernelDecode && p.QueryLen > decodeRows || k == KernelNaive && p.QueryLen != 1 {
				continue
			}
			if k == KernelRows && p.Dim != 64 && (p.Masked || p.K != attention.Float32) {
				continue // its registers are not counted, so what it makes of options is seen at one width
			}
			v := chosen(k, p, nil)
			add(v)
			if k == KernelRows {
				v.Guarded = true // decided by the data of a call
				add(v)
			}
			if v.Partial {
				add(mergeOf(v))
			}
		}
	}
	return list
}

// variantProblems returns the problems of Variants. Lengths matter only where the
// number of rows or of keys chooses a tile.
func variantProblems() []attention.Problem {
	var list []attention.Problem
	for _, rows := range []int{1, 2, 4, 8, decodeRows, 1024} {
		problem := func(width [2]int, types [2]attention.DType) attention.Problem {
			p := attention.Problem{Shape: attention.Shape{Batch: 1, Heads: 1, KVHeads: 1, QueryLen: rows, KeyLen: 1024, Dim: width[0], ValueDim: width[1]}}
			p.Q, p.K, p.V, p.O = attention.Float32, types[0], types[1], attention.Float32
			return p
		}
		for _, types := range variantTypes {
			for options := range 8 {
				p := problem([2]int{64, 64}, types)
				p.Masked = options&1 != 0
				if options&2 != 0 {
					p.Bias = attention.Float32
				}
				if options&4 != 0 {
					p.Softcap = 30
				}
				list = append(list, p)
			}
		}
		for _, width := range variantWidths {
			list = append(list, problem(width, variantTypes[0]))
			if rows > decodeRows {
				long := problem(width, variantTypes[0])
				long.KeyLen = 2 * longKeys
				list = append(list, long)
			}
		}
		if rows != 1 && rows != 8 && rows != 1024 {
			continue
		}
		for _, d := range variantModels {
			for _, types := range variantTypes[:3] {
				p := problem([2]int{d, d}, types)
				list = append(list, p)
				p.Masked, p.Bias = true, attention.Float32
				list = append(list, p)
			}
		}
	}
	return list
}

// SharedBytes returns the shared memory of a work group. OpenGL 4.3 promises
// 32 KiB, which no shipped variant exceeds.
func (v Variant) SharedBytes() int {
	t := v.Tile
	switch v.Kernel {
	case KernelTiled:
		return t.tiledSharedBytes()
	case kernelMerge:
		return 3 * 4 * t.ThreadsX // maxima, factors and shares of the row sum
	case KernelDecode:
		floats := t.partFloats() + t.Keys*t.Rows + t.Keys/t.rowKeys()*t.Rows + t.Rows // shares, weights, maxima, decays
		return 16*t.Rows*v.Dim4 + 4*floats
	}
	return 0
}
