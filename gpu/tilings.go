package gpu

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"

	"github.com/glattn/attention"
	"github.com/glattn/attention/gpu/shaders"
)

// kernelDigest sums up the sources that tiles belong to.
func kernelDigest() string {
	sum := sha256.New()
	err := fs.WalkDir(shaders.Sources, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(shaders.Sources, path)
		_, _ = sum.Write(append([]byte(path+"\x00"), data...)) // a hash takes everything
		return err
	})
	if err != nil {
		return "" // they are embedded
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// tilings lists tiles of a kernel for its tuner, whether the device runs them or not.
func tilings(v Variant, p attention.Problem) []Tile {
	switch v.Kernel {
	case KernelTiled:
		return tiledTilings(v)
	case KernelRows:
		return rowsTilings()
	case KernelDecode:
		return decodeTilings(v, p.QueryLen*p.Group())
	}
	return nil
}

// tiledTilings varies the thread grid, the scores of a thread, and how much of K and of V
// is staged at a time.
func tiledTilings(v Variant) []Tile {
	var list []Tile
	base := tiledTile(v.Dim4, v.Value4)
	for _, grid := range [][2]int{{8, 8}, {16, 8}, {16, 16}, {32, 4}, {32, 8}} {
		for _, scores := range [][2]int{{2, 4}, {4, 2}, {4, 4}, {8, 2}, {8, 4}, {8, 8}} {
			for _, chunk := range []int{4, 8, 16} {
				for _, values := range []int{8, 16, 32} {
					t := base
					t.ThreadsX, t.ThreadsY, t.Rows, t.Keys = grid[0], grid[1], scores[0], scores[1]
					t.Chunk, t.ValueChunk = min(chunk, v.Dim4), values
					t.Columns = ceilDiv(ceilDiv(v.Value4, t.ColumnBlocks), t.ThreadsX)
					t.Split = v.Tile.Split
					list = append(list, t)
				}
			}
		}
	}
	return list
}

func rowsTilings() []Tile {
	var list []Tile
	for _, lanes := range []int{8, 16} {
		for _, rows := range []int{1, 2, 4} {
			for _, keys := range []int{2, 4, 8} {
				list = append(list, Tile{ThreadsX: lanes, ThreadsY: 1, Rows: rows, Keys: keys, Split: 1024})
			}
		}
	}
	return list
}

// decodeTilings varies the size of work groups, the keys of a tile and of a partial
// result, and how many threads share a key.
func decodeTilings(v Variant, rows int) []Tile {
	var list []Tile
	for _, threads := range []int{64, 128, 256} {
		for _, keys := range []int{32, 64, 128} {
			for _, lanes := range []int{4, 8, 16} {
				for _, split := range []int{128, 256, 512, 1024} {
					t := decodeTile(rows, v.Value4)
					t.ThreadsX, t.Keys, t.Lanes, t.Split = threads, keys, lanes, split
					t.ColumnLanes = 1
					for t.ColumnLanes < v.Value4 && t.ColumnLanes < threads {
						t.ColumnLanes *= 2
					}
					t.Columns = ceilDiv(v.Value4, t.ColumnLanes)
					list = append(list, t)
				}
			}
		}
	}
	return list
}

// mostRegisters bounds what a thread holds of scores and outputs: beyond it all devices
// put registers into memory.
const mostRegisters = 128

// runs reports whether a device with so much shared memory and so large work groups can
// run the variant, and it computes what it should.
func (v Variant) runs(shared, invocations int) bool {
	t := v.Tile
	if v.SharedBytes() > shared || t.threads() > invocations {
		return false
	}
	switch v.Kernel {
	case KernelTiled:
		keys := t.ThreadsX * t.Keys
		whole := keys%4 == 0 && keys%t.ValueChunk == 0 && t.ValueChunk%4 == 0 && (t.Split == 0 || t.Split%keys == 0)
		return whole && t.Columns > 0 && t.Rows*(t.Keys+4*t.Columns) <= mostRegisters && t.ThreadsX*t.Columns <= 2*max(v.Value4, t.ThreadsX)
	case KernelDecode:
		pass := t.ThreadsX / t.Lanes // keys
		return pass > 0 && t.Keys%pass == 0 && t.Split%t.Keys == 0 && t.ThreadsX%t.Rows == 0 && 4*t.Rows*t.Columns <= mostRegisters
	}
	return true
}

func ceilDiv(n, by int) int { return (n + by - 1) / by }
