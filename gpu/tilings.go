package gpu

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"

	"github.com/glattn/attention"
	"github.com/glattn/attention/gpu/shaders"
)

// tileVersion changes with what the fields of Tile mean to Go.
const tileVersion = "1"

// kernelDigest sums up the sources that tiles belong to.
func kernelDigest() string {
	sum := sha256.New()
	_, _ = sum.Write([]byte(tileVersion)) // a hash takes everything
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
		return rowsTilings(v, p.QueryLen*p.Group())
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
		for _, scores := range [][2]int{{2, 4}, {4, 4}, {4, 8}, {8, 4}, {8, 8}} {
			for _, chunk := range []int{4, 8, 10, 16} {
				for _, values := range []int{8, 16, 32} {
					t := base
					t.ThreadsX, t.ThreadsY, t.Rows, t.Keys = grid[0], grid[1], scores[0], scores[1]
					t.Chunk, t.ValueChunk = min(chunk, v.Dim4), values
					t.Columns = ceilDiv(ceilDiv(v.Value4, t.ColumnBlocks), t.ThreadsX)
					if v.Tile.Split > 0 {
						t.Split = t.longSplit()
					}
					list = append(list, t)
				}
			}
		}
	}
	return list
}

// rowsTilings varies what a lane computes, as far as it compiles within seconds.
func rowsTilings(v Variant, rows int) []Tile {
	var list []Tile
	for _, lanes := range []int{8, 16} {
		for _, lane := range []int{1, 2, 4} {
			for _, keys := range []int{2, 4, 8} {
				t := rowsTile(rows, v.Dim4, v.Value4)
				t.ThreadsX, t.Rows, t.Keys = lanes, lane, keys
				if lane*keys*(v.Dim4+v.Value4) <= 1024 {
					list = append(list, t)
				}
			}
		}
	}
	return list
}

// decodeTilings varies the size of work groups, the keys that a thread loads at a time, how
// many threads share a key, and the keys of a partial result.
func decodeTilings(v Variant, rows int) []Tile {
	var list []Tile
	for _, threads := range []int{64, 128, 256} {
		for _, loads := range []int{2, 4, 8} {
			for _, lanes := range []int{4, 8, 16} {
				for _, split := range []int{128, 256, 512, 1024} {
					t := decodeTile(rows, v)
					t.ThreadsX, t.Lanes, t.Split = threads, lanes, split
					list = append(list, t.withKeys(v, loads*threads/lanes))
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
	used := []int{t.ThreadsX, t.ThreadsY, t.Rows, t.Keys}
	switch v.Kernel {
	case KernelTiled:
		used = append(used, t.Columns, t.ColumnBlocks, t.Chunk, t.ValueChunk)
	case KernelDecode:
		used = append(used, t.Columns, t.Lanes, t.ColumnLanes)
	}
	for _, n := range used {
		if n < 1 || n > 1024 {
			return false
		}
	}
	if t.Split < 0 || t.Split == 0 && v.Kernel != KernelTiled || v.SharedBytes() > shared || t.threads() > invocations {
		return false
	}
	switch v.Kernel {
	case KernelTiled:
		return v.tiledRuns()
	case KernelDecode:
		return v.decodeRuns()
	}
	return true
}

func (v Variant) tiledRuns() bool {
	t := v.Tile
	keys, rows := t.ThreadsX*t.Keys, t.ThreadsY*t.Rows
	whole := t.Keys%4 == 0 && keys%t.ValueChunk == 0 && t.ValueChunk%4 == 0 && rows%4 == 0 && t.threads()%rows == 0 && (t.Split == 0 || t.Split%keys == 0)
	return whole && t.Columns > 0 && t.Rows*(t.Keys+4*t.Columns) <= mostRegisters && t.ThreadsX*t.Columns <= 2*max(v.Value4, t.ThreadsX)
}

func (v Variant) decodeRuns() bool {
	t := v.Tile
	if t.Keys == 0 || t.Split%t.Keys != 0 || t.keyLoads() < 2 || t.Keys != t.keyLoads()*t.ThreadsX/t.Lanes || 4*t.Rows*t.Columns > mostRegisters {
		return false
	}
	step := v.valueLoads() * t.ThreadsX / t.ColumnLanes
	return step > 0 && t.Keys%step == 0 && t.Keys%t.rowKeys() == 0 && t.Keys/t.rowKeys()*t.Rows <= t.ThreadsX
}
