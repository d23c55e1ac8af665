package gpu

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// TestTiledTilesOfAllWidths holds the shipped tiles to what the kernel assumes.
func TestTiledTilesOfAllWidths(t *testing.T) {
	for dim4 := 1; dim4 <= vec4s(MaxDim); dim4++ {
		for value4 := 1; value4 <= vec4s(MaxDim); value4++ {
			tile := tiledTile(dim4, value4)
			rows, keys, columns := tile.ThreadsY*tile.Rows, tile.ThreadsX*tile.Keys, tile.ThreadsX*tile.Columns
			if tile.tiledSharedBytes() > sharedBytes || rows > tile.threads() || keys%tile.ValueChunk != 0 || columns*tile.ColumnBlocks < value4 {
				require.Fail(t, "unfit tile", "dim4 %d, value4 %d: %+v takes %d bytes", dim4, value4, tile, tile.tiledSharedBytes())
			}
			if tile.ColumnBlocks > 1 && columns*(tile.ColumnBlocks-1) >= value4 {
				require.Fail(t, "idle work groups", "dim4 %d, value4 %d: %+v", dim4, value4, tile)
			}
		}
	}
}

// TestTiledTilesOfModels keeps columns and threads busy at the widths of models.
func TestTiledTilesOfModels(t *testing.T) {
	for _, d := range []int{32, 40, 48, 64, 72, 80, 96, 128, 160, 192, 256, 512, 576} {
		tile := tiledTile(d/4, d/4)
		require.Equal(t, d/4, tile.ThreadsX*tile.Columns*tile.ColumnBlocks, "D=%d: %+v has idle columns", d, tile)
		require.Zero(t, d/4%tile.Chunk, "D=%d: %+v stages zeros", d, tile)
	}
}

func TestStep(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 3, 7: 7, 8: 4, 9: 3, 10: 5, 11: 1} {
		require.Equal(t, want, step(n), "%d", n)
	}
}

// TestTilesThatAMaskForbids has tiles of keys that no query may look at, some of
// them first, last or next to each other, and tiles that all queries may. Keys and
// values behind the mask are NaN.
func TestTilesThatAMaskForbids(t *testing.T) {
	b := sharedBackend(t, "tiled small", Options{Kernel: KernelTiled, Tile: smallTile})
	const tile = 16                              // keys of smallTile
	for name, allowed := range map[string][]int{ // tiles, the last of 5 keys
		"first": {0}, "last": {5}, "alternating": {1, 3, 5}, "all but first": {1, 2, 3, 4, 5}, "none": nil, "mixed": {0, 2},
	} {
		call := newTestCall(t, callSpec{batch: 1, lk: 5*tile + 5, d: 16, mask: true})
		bools, lk := call.In.Mask.Bools(), call.Problem.KeyLen
		for n := range bools {
			bools[n] = slices.Contains(allowed, n%lk/tile) && (name != "mixed" || bools[n])
		}
		for _, x := range []attention.Tensor{call.In.K, call.In.V} {
			for n := range x.Float32s() {
				if !slices.Contains(allowed, n/16%lk/tile) {
					x.Float32s()[n] = float32(math.NaN())
				}
			}
		}
		require.NoError(t, runOn(t.Context(), b, call), name)
		requireRight(t, call)
	}
}
