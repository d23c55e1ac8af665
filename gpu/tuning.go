package gpu

import (
	"fmt"
	"strconv"
)

// Tile is how a kernel divides its work. The fields a kernel does not use are 0.
type Tile struct {
	ThreadsX, ThreadsY int // tiled: the thread grid; others: ThreadsX threads
	Rows               int // rows per thread (tiled, rows) or per work group (decode)
	Keys               int // keys per thread (tiled, rows) or per tile (decode)
	Columns            int // vec4 columns of the values per thread
	ColumnBlocks       int // tiled: work groups that share the columns of a row block
	Chunk              int // tiled: vec4s of D staged at a time; naive: numbers read at a time, 1 or 4
	ValueChunk         int // tiled: keys whose values are staged at a time
	Lanes              int // decode: threads that share a key
	ColumnLanes        int // decode: threads side by side over the value columns
	Split              int // keys per partial result; 0 for no splitting
}

// String is compact, such as t16x8r8k4c1.
func (t Tile) String() string {
	s := fmt.Sprintf("t%dx%d", t.ThreadsX, t.ThreadsY)
	for _, part := range []struct {
		letter string
		n      int
	}{{"r", t.Rows}, {"k", t.Keys}, {"c", t.Columns}, {"b", t.ColumnBlocks}, {"q", t.Chunk}, {"v", t.ValueChunk}, {"l", t.Lanes}, {"s", t.Split}} {
		if part.n != 0 {
			s += part.letter + strconv.Itoa(part.n)
		}
	}
	return s
}

func (t Tile) threads() int { return t.ThreadsX * max(t.ThreadsY, 1) }

// rowsPerGroup returns how many rows a work group of kernel k computes.
func (t Tile) rowsPerGroup(k Kernel) int {
	switch k {
	case KernelTiled:
		return t.ThreadsY * t.Rows
	case KernelRows:
		return t.ThreadsX * t.Rows
	case KernelNaive:
		return t.ThreadsX
	}
	return t.Rows
}

// defines returns the defines of the tile for the variant it belongs to, the
// size of shared memory among them.
func (t Tile) defines(v Variant) map[string]string {
	n := map[string]int{}
	switch v.Kernel {
	case KernelTiled:
		n = t.tiledDefines()
	case KernelRows:
		n = map[string]int{"LANES": t.ThreadsX, "ROWS": t.Rows, "KEYS": t.Keys}
	case KernelDecode:
		n = map[string]int{
			"THREADS": t.ThreadsX, "ROWS": t.Rows, "BLOCK_KEYS": t.Keys, "COLUMNS": t.Columns,
			"LANES": t.Lanes, "COLUMN_LANES": t.ColumnLanes, "PART_FLOATS": t.partFloats(),
			"KEY_LOADS": t.keyLoads(), "VALUE_LOADS": v.valueLoads(), "ROW_KEYS": t.rowKeys(),
		}
	case KernelNaive:
		n = map[string]int{"CHUNK": t.Chunk}
	case kernelMerge:
		n = map[string]int{"THREADS": t.ThreadsX}
	}
	d := make(map[string]string, len(n)+1)
	for name, value := range n {
		d[name] = strconv.Itoa(value)
	}
	if v.Kernel == KernelRows {
		d["TEXELS"] = ""
	}
	return d
}

// rowsTile returns the tile of the row-per-lane kernel for a number of rows per
// KV head and D and Dv in vec4s. Eight lanes fill a 256-bit vector, the native width
// of llvmpipe. Rows and keys keep its unrolled loops near a thousand multiply-adds
// at usual widths, which llvmpipe compiles in a second.
//
// Keys are split because llvmpipe silently ends the loops of an invocation after
// 65535 iterations in all (LP_MAX_TGSI_LOOP_ITERATIONS), and so that few rows occupy
// all cores.
func rowsTile(rows, dim4, value4 int) Tile {
	t := Tile{ThreadsX: 8, ThreadsY: 1, Rows: 4, Keys: 4, Split: 4096}
	switch width := dim4 + value4; {
	case width > 128:
		t.Rows, t.Keys, t.Split = 1, 2, 1024
	case rows <= t.ThreadsX:
		t.Rows, t.Split = 1, 1024
	case width > 64:
		t.Rows, t.Keys = 2, 2
	case width > 32:
		t.Keys = 2
	}
	return t
}

// naiveTile returns the work group of the kernel without blocking, which reads
// number by number, and a split short enough for the loops of llvmpipe: see rowsTile.
func naiveTile(dim4, value4 int) Tile {
	t := Tile{ThreadsX: 64, ThreadsY: 1, Chunk: 1, Split: 1024}
	for t.Split*4*(dim4+value4) > 60000 {
		t.Split /= 2
	}
	return t
}

// decodeTile returns the tile of the decode kernel for a number of rows per KV head
// and the widths and types of v: four loads of keys in flight a thread and eight rows
// a work group, unless that takes more shared memory than OpenGL 4.3 promises.
func decodeTile(rows int, v Variant) Tile {
	v.Tile.Rows = 8
	for v.Tile.Rows/2 >= rows {
		v.Tile.Rows /= 2
	}
	for ; ; v.Tile.Rows /= 2 {
		for _, loads := range []int{4, 2} {
			v.Tile = decodeShape(v, loads)
			if v.SharedBytes() <= 32<<10 {
				return v.Tile
			}
		}
	}
}

// decodeShape returns the tile of v.Tile.Rows rows and so many keys a thread.
func decodeShape(v Variant, loads int) Tile {
	keyPart, _ := v.parts()
	t := Tile{ThreadsX: 128, ThreadsY: 1, Rows: v.Tile.Rows, Lanes: 8, Split: 256}
	for t.Lanes > 2 && t.Lanes/2 >= v.Dim4/keyPart {
		t.Lanes /= 2
	}
	return t.withKeys(v, min(loads*t.ThreadsX/t.Lanes, 128)) // more would take each thread many scores
}

// withKeys returns the tile of the decode kernel with so many keys, and with columns that
// suit them and its threads.
func (t Tile) withKeys(v Variant, keys int) Tile {
	_, valuePart := v.parts()
	t.Keys = keys
	t.ColumnLanes = max(t.ThreadsX/t.Keys, 1) // each key group has a key
	for t.ColumnLanes < v.Value4/valuePart && t.ColumnLanes < t.ThreadsX {
		t.ColumnLanes *= 2
	}
	t.Columns = ceilDiv(v.Value4/valuePart, t.ColumnLanes)
	return t
}

// keyLoads returns how many keys a thread of the decode kernel loads at a time.
func (t Tile) keyLoads() int { return t.Keys * t.Lanes / t.ThreadsX }

// valueLoads returns the same for values: four, eight where a load is shorter than 16
// bytes, or what a key group has of a tile.
func (v Variant) valueLoads() int {
	loads := 4
	if _, part := v.parts(); part*storedBits(v.V) < 32 {
		loads = 8
	}
	return min(loads, v.Tile.Keys*v.Tile.ColumnLanes/v.Tile.ThreadsX)
}

// rowKeys returns how many keys of a tile each thread of a row weighs in the decode
// kernel: a few, so that few threads exchange their maxima.
func (t Tile) rowKeys() int { return max(min(4, t.Keys), t.Keys*t.Rows/t.ThreadsX) }

// partFloats sizes what the lanes of the decode kernel exchange: products of all keys
// of a tile, in the end the sums of the key groups.
func (t Tile) partFloats() int {
	floats := t.Rows * t.Lanes * (t.Keys + 32/t.Lanes)
	if t.ColumnLanes < t.ThreadsX {
		floats = max(floats, 4*t.Rows*t.ThreadsX)
	}
	return floats
}

// decodeRows is the most rows per KV head that the decode kernel is used for: two
// work groups of eight, which still read K and V less often than they are reused.
const decodeRows = 16
