package cpu

import (
	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/kernel"
)

const (
	splitKeys = 512 // keys of a unit in a packed call

	// packedQueries is the longest query for which rows are packed: a decode
	// step, also with a few speculated tokens.
	packedQueries = 16

	rowGrain = 32 // rows of a unit are a multiple of it: whole panels of any width

	// grainBytes of K or V in float32 stay in the second-level cache while all rows
	// of a narrow unit use them; with less, the memory would be read in short pieces.
	grainBytes = 1 << 17

	// copiedBytes are widened at once where rows cannot be read in place.
	copiedBytes = 1 << 14
)

// cut says how a call falls into units of work. A set is the rows that read the
// same keys and are numbered together: the queries of one query head or, packed,
// those of all query heads that share a KV head. Packing reads K and V once for
// the whole group, and splits the keys, as few rows alone are too little work
// for many threads.
//
// All of it but rowBlock depends on sizes of a batch entry and the kernels only. Row blocks hold
// whole panels and tiles lie on one grid, so that rowBlock may follow batch and
// threads: it changes no bit.
type cut struct {
	packed    bool
	narrow    bool // by row kernels, not panels
	causal    bool
	sets      int // sets of a batch entry
	rows      int // rows of a set
	rowBlock  int // rows of a unit
	rowBlocks int // blocks of rowBlock rows in a set
	keyBlocks int // blocks of splitKeys keys; 1 unless packed
	tileKeys  int // keys of a tile
	lanes     int // rows are computed in multiples of it
	dim       int // numbers of a row of queries: D, in whole vectors for row kernels
	stride    int // numbers of a row of outputs: Dv in whole vectors
	keyGrain  int // keys of which K, or V, is read by all rows of a narrow unit before the next
}

func cutOf(p attention.Problem, set *kernel.Set, threads int) cut {
	c := cut{sets: p.Heads, rows: p.QueryLen, keyBlocks: 1, causal: p.Causal != attention.Off}
	if p.QueryLen <= packedQueries {
		c.packed = true
		c.sets, c.rows = p.KVHeads, p.QueryLen*p.Group()
		c.keyBlocks = max(1, ceilDiv(p.KeyLen, splitKeys))
		// Panels compute with all their lanes, row kernels read K and V again for
		// every four rows.
		c.narrow = c.rows <= set.Lanes/2
	}
	c.lanes, c.dim, c.stride = set.Lanes, p.Dim, roundUp(p.ValueDim, set.Width)
	// Queries and outputs of a unit, and a tile of K and V, share the second-level
	// cache. The more rows, the less is read of K and V for each.
	c.tileKeys, c.rowBlock = 256, 512
	width := p.Dim + p.ValueDim
	for c.rowBlock > 2*rowGrain && c.rowBlock*width > 1<<16 {
		c.rowBlock /= 2
	}
	if width > 256 {
		c.tileKeys = 64
	}
	if c.narrow {
		c.tileKeys, c.lanes = splitKeys, 1
		c.dim, c.stride = roundUp(p.Dim, wholeOf(p.K, set)), roundUp(p.ValueDim, wholeOf(p.V, set))
		c.keyGrain = splitKeys
		if c.rows > set.Rows {
			c.keyGrain = min(splitKeys, max(8, grainBytes/4/max(c.dim, c.stride)/8*8))
		}
	}
	// Units enough that threads end together, though those under a causal rule differ.
	for c.rowBlock > rowGrain && p.Batch*c.sets*c.keyBlocks*ceilDiv(c.rows, c.rowBlock) < 16*threads {
		c.rowBlock /= 2
	}
	c.rowBlocks = ceilDiv(c.rows, c.rowBlock)
	return c
}

// wholeOf returns what row kernels take widths in multiples of.
func wholeOf(t attention.DType, set *kernel.Set) int {
	if t == attention.Q8_0 {
		return kernel.Block // a multiple of all widths of vectors
	}
	return set.Width
}

// paddedRows returns the rows that are computed for rows of them.
func (c *cut) paddedRows(rows int) int { return roundUp(rows, c.lanes) }

func (c *cut) units(batch int) int { return batch * c.sets * c.rowBlocks * c.keyBlocks }

// unit is one piece of work: a block of rows of a set against a range of keys.
type unit struct {
	batch, set        int
	rowLow, rowHigh   int // rows of the set
	keyLow, keyHigh   int
	block, ofKeyBlock int // number of the row block in the call; of the key block in it
}

// unit returns unit n. Under a causal rule the last row blocks have the most keys:
// they come first, those of all sets before the next ones, so that threads end
// together. Else the blocks of a set follow each other, which share K and V.
func (c *cut) unit(n, keyLen, batch int) unit {
	u := unit{ofKeyBlock: n % c.keyBlocks, block: n / c.keyBlocks}
	sets := batch * c.sets
	set, rowBlock := u.block/c.rowBlocks, u.block%c.rowBlocks
	if c.causal {
		set, rowBlock = u.block%sets, c.rowBlocks-1-u.block/sets
	}
	u.batch, u.set = set/c.sets, set%c.sets
	u.rowLow = rowBlock * c.rowBlock
	u.rowHigh = min(u.rowLow+c.rowBlock, c.rows)
	u.keyHigh = keyLen
	if c.packed {
		u.keyLow = u.ofKeyBlock * splitKeys
		u.keyHigh = min(u.keyLow+splitKeys, keyLen)
	}
	return u
}

func ceilDiv(n, by int) int { return (n + by - 1) / by }

func roundUp(n, by int) int { return ceilDiv(n, by) * by }
