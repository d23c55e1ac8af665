package gpu

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// fullVariant has every option on, in a tile that compiles fast.
func fullVariant(k Kernel) Variant {
	p := attention.Problem{Shape: attention.Shape{Batch: 1, Heads: 1, KVHeads: 1, QueryLen: 1, KeyLen: 1, Dim: 8, ValueDim: 8}}
	p.Q, p.K, p.V, p.O = attention.Float32, attention.Float16, attention.BFloat16, attention.Float32
	p.Masked, p.Bias, p.Softcap = true, attention.Float32, 1
	if k == KernelRows {
		return chosen(k, p, nil)
	}
	return chosen(k, p, smallTile)
}

func TestParametersAreThoseOfTheShaders(t *testing.T) {
	b := anyBackend(t)
	numbers := newParams(attention.Problem{Shape: attention.Shape{Heads: 2, KVHeads: 1}}, Variant{})
	names := slices.Concat(slices.Collect(maps.Keys(numbers.ints)), slices.Collect(maps.Keys(numbers.floats)))
	for _, k := range []Kernel{KernelTiled, KernelRows, KernelDecode, kernelMerge} {
		v := fullVariant(k)
		if k == kernelMerge {
			v = mergeOf(fullVariant(KernelRows))
		}
		onThread(t, b, func(t require.TestingT) {
			prog, err := b.programs.get(v)
			require.NoError(t, err)
			require.ElementsMatch(t, names, slices.Collect(maps.Keys(prog.offsets)), "%v", v)
			for name, at := range prog.offsets {
				require.LessOrEqual(t, at+4, prog.size, name)
			}
		})
	}
}

func TestStorageBindings(t *testing.T) {
	b := anyBackend(t)
	kernel := map[string]int{"Queries": bindQueries, "Keys": bindKeys, "Values": bindValues, "Outputs": bindOutputs, "Stats": bindStats,
		"BiasData": bindBias, "MaskData": bindMask, "Sequences": bindSequences}
	rows := maps.Clone(kernel) // it reads Q, K and V as texels
	maps.DeleteFunc(rows, func(_ string, binding int) bool { return binding <= bindValues })
	merge := map[string]int{"PartialOutputs": 0, "PartialStats": 1, "Outputs": bindOutputs, "Stats": bindStats}
	included := map[string]int{"BiasData": bindBias, "Sequences": bindSequences} // parts that the merge shares but does not use
	for _, tc := range []struct {
		variant Variant
		want    map[string]int
	}{
		{fullVariant(KernelTiled), kernel}, {fullVariant(KernelRows), rows}, {fullVariant(KernelDecode), kernel},
		{mergeOf(fullVariant(KernelRows)), merge},
	} {
		onThread(t, b, func(t require.TestingT) {
			prog, err := b.programs.get(tc.variant)
			require.NoError(t, err)
			blocks, err := b.c.StorageBlocks(prog.id)
			require.NoError(t, err)
			for name, binding := range blocks {
				want, known := tc.want[name]
				if unused, ok := included[name]; ok && tc.variant.Kernel == kernelMerge {
					want, known = unused, true
				}
				require.True(t, known, "%v has a block %s", tc.variant, name)
				require.Equal(t, want, binding, "%v: block %s", tc.variant, name)
				require.Less(t, binding, 8, "OpenGL 4.3 promises eight storage blocks")
			}
			for name := range tc.want {
				require.Contains(t, blocks, name, "%v", tc.variant)
			}
		})
	}
}

func TestPackWritesAtOffsets(t *testing.T) {
	p := params{ints: map[string]int{"a": -2, "unused": 9}, floats: map[string]float32{"f": 1.5}}
	block := p.pack(16, map[string]int{"f": 4, "a": 12, "unknown": 0})
	require.Equal(t, []uint32{0, math.Float32bits(1.5), 0, 0xfffffffe}, []uint32{
		binary.LittleEndian.Uint32(block), binary.LittleEndian.Uint32(block[4:]), binary.LittleEndian.Uint32(block[8:]), binary.LittleEndian.Uint32(block[12:]),
	})
}

func TestScaleUnits(t *testing.T) {
	p := attention.Problem{Shape: attention.Shape{Heads: 1, KVHeads: 1, Dim: 16}}
	require.InDelta(t, 0.25*math.Log2E, newParams(p, Variant{}).floats["scale"], 1e-7, "log2 units")
	require.InDelta(t, 0.25, newParams(p, Variant{Bias: true}).floats["scale"], 0, "natural units")
	p.Scale = -3
	require.InDelta(t, -3, newParams(p, Variant{Softcap: true}).floats["scale"], 0)
}

func TestReach(t *testing.T) {
	window := func(left, right int) attention.Options {
		return attention.Options{Window: attention.Window{Left: left, Right: right, Align: attention.TopLeft}}
	}
	causal := window(4, 9)
	causal.Causal = attention.TopLeft
	for _, tc := range []struct {
		name        string
		options     attention.Options
		left, right int
	}{
		{"off", attention.Options{}, maxReach, maxReach},
		{"causal", attention.Options{Causal: attention.PerBatch}, maxReach, 0},
		{"window", window(4, 9), 4, 9},
		{"own key", window(0, 0), 0, 0},
		{"unbounded", window(-1, -1), maxReach, maxReach},
		{"both", causal, 4, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			left, right := reach(attention.Problem{Options: tc.options})
			require.Equal(t, [2]int{tc.left, tc.right}, [2]int{left, right})
		})
	}
	const limit = 1 << 29 // of offsets and lengths in the root package
	require.LessOrEqual(t, limit+limit+maxReach, math.MaxInt32, "positions fit 32 bits")
	require.GreaterOrEqual(t, -limit-maxReach, math.MinInt32)
}
