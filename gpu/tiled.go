package gpu

// tiledDefines returns the numbers of the tiled kernel.
func (t Tile) tiledDefines() map[string]int {
	rows, keys, threads := t.ThreadsY*t.Rows, t.ThreadsX*t.Keys, t.threads()
	loads := func(vec4s int) int { return ceilDiv(vec4s, threads) }
	return map[string]int{
		"THREADS_X": t.ThreadsX, "THREADS_Y": t.ThreadsY, "ROWS": t.Rows, "KEYS": t.Keys, "COLUMNS": t.Columns,
		"COLUMN_BLOCKS": t.ColumnBlocks, "CHUNK": t.Chunk, "VALUE_CHUNK": t.ValueChunk, "SHARED_VEC4S": t.sharedVec4s(),
		"ROW_QUADS": vec4s(t.Rows), "KEY_QUADS": t.Keys / 4,
		"QUERY_LOADS": loads(rows * t.Chunk), "KEY_LOADS": loads(keys * t.Chunk), "VALUE_LOADS": loads(t.ValueChunk * t.ThreadsX * t.Columns),
		"DIM_STEP": step(t.Chunk), "QUAD_STEP": step(t.ValueChunk / 4),
	}
}

// step returns how many of n iterations of an inner loop are written out: enough
// that counting and branching cost little beside up to 256 FMAs an iteration.
func step(n int) int {
	for _, s := range []int{4, 5, 3, 2, 7} {
		if n%s == 0 {
			return s
		}
	}
	return 1
}

// sharedVec4s sizes the shared tile of the tiled kernel: the chunks of Q and K
// share their place with the weights and the chunk of V, and with reductions.
func (t Tile) sharedVec4s() int {
	rows, keys := t.ThreadsY*t.Rows, t.ThreadsX*t.Keys
	chunks := (rows + keys) * (t.Chunk | 1)
	products := rows*(keys/4+1) + t.ValueChunk*t.ThreadsX*t.Columns
	reduction := vec4s(t.Rows) * t.threads() // maxima; a number a thread for sums is less
	return max(chunks, products, reduction)
}

// tiledSharedBytes returns the shared memory of a work group of the tiled kernel.
func (t Tile) tiledSharedBytes() int {
	perRow := 5 * 4 // its place, query, head, maximum and decay
	return 16*t.sharedVec4s() + perRow*t.ThreadsY*t.Rows + 4*4
}

// tiledShapes are the thread grids of the tiled kernel by the vec4s of value columns
// a work group takes: 64 or 128 rows, four keys a thread, and no idle columns for
// the widths of models. ARCHITECTURE.md weighs them.
var tiledShapes = []struct{ width, threadsX, threadsY, rows, columns int }{
	{8, 8, 16, 8, 1},
	{10, 10, 16, 8, 1},
	{12, 12, 16, 8, 1},
	{16, 16, 8, 8, 1},
	{18, 18, 8, 8, 1},
	{20, 20, 8, 8, 1},
	{24, 24, 8, 8, 1},
	{32, 16, 8, 8, 2},
	{40, 20, 16, 4, 2},
	{48, 16, 16, 4, 3},
	{64, 16, 16, 4, 4},
}

// tiledTile returns the tile of the tiled kernel for D and Dv in vec4s. Values of
// more columns than the widest shape has are shared by several work groups.
func tiledTile(dim4, value4 int) Tile {
	widest := tiledShapes[len(tiledShapes)-1].width
	t := Tile{Keys: 4, ColumnBlocks: ceilDiv(value4, widest)}
	perBlock := ceilDiv(value4, t.ColumnBlocks)
	for _, s := range tiledShapes {
		if perBlock <= s.width {
			t.ThreadsX, t.ThreadsY, t.Rows, t.Columns = s.threadsX, s.threadsY, s.rows, s.columns
			break
		}
	}
	t.Chunk = t.tiledChunk(dim4)
	for _, keys := range []int{16, 20, 12, 8, 4} {
		t.ValueChunk = keys
		if t.ThreadsX*t.Keys%keys == 0 && t.tiledSharedBytes() <= sharedBytes {
			break
		}
	}
	return t
}

// sharedBytes is the shared memory that OpenGL 4.3 promises a work group.
const sharedBytes = 32 << 10

// tiledChunk returns how many vec4s of D are staged at a time, at most ten: such
// that they fit, little is staged beyond D, a thread's rows are a constant apart,
// and barriers are few.
func (t Tile) tiledChunk(dim4 int) int {
	best, cost := 1, 0
	full := t.Rows*(4*t.Columns+t.Keys) > 90 // accumulators leave few registers to stage with
	for chunk := min(10, dim4); chunk > 0; chunk-- {
		if (Tile{ThreadsX: t.ThreadsX, ThreadsY: t.ThreadsY, Rows: t.Rows, Keys: t.Keys, Chunk: chunk}).tiledSharedBytes() > sharedBytes {
			continue
		}
		loads := ceilDiv(max(t.ThreadsY*t.Rows, t.ThreadsX*t.Keys)*chunk, t.threads())
		uneven := t.threads()%chunk != 0
		if loads > 8 || full && (loads > 4 || uneven) {
			continue
		}
		chunks := ceilDiv(dim4, chunk)
		c := chunks + 2*(chunks*chunk-dim4)
		if uneven {
			c++
		}
		if cost == 0 || c < cost {
			best, cost = chunk, c
		}
	}
	return best
}
