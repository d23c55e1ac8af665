package cpu

import "github.com/glattn/attention"

const (
	rowBlock  = 64  // query rows of a unit: reuses each K and V tile this often
	tileKeys  = 64  // keys of a tile: with D = 64, K and V tiles fit the L1 cache together
	splitKeys = 512 // keys of a unit in a packed call

	// packedQueries is the longest query for which rows are packed: a decode
	// step, also with a few speculated tokens.
	packedQueries = 16
)

// cut says how a call falls into units of work. A set is the rows that read the
// same keys and are numbered together: the queries of one query head or, packed,
// those of all query heads that share a KV head. Packing reads K and V once for
// the whole group, and splits the keys, as few rows alone are too little work
// for many threads.
//
// It depends on sizes of a batch entry only, never on the batch or the threads.
type cut struct {
	packed    bool
	sets      int // sets of a batch entry
	rows      int // rows of a set
	rowBlocks int // blocks of rowBlock rows in a set
	keyBlocks int // blocks of splitKeys keys; 1 unless packed
}

func cutOf(p attention.Problem) cut {
	c := cut{sets: p.Heads, rows: p.QueryLen, keyBlocks: 1}
	if p.QueryLen <= packedQueries {
		c.packed = true
		c.sets, c.rows = p.KVHeads, p.QueryLen*p.Group()
		c.keyBlocks = max(1, ceilDiv(p.KeyLen, splitKeys))
	}
	c.rowBlocks = ceilDiv(c.rows, rowBlock)
	return c
}

func (c cut) units(batch int) int { return batch * c.sets * c.rowBlocks * c.keyBlocks }

// unit is one piece of work: a block of rows of a set against a range of keys.
type unit struct {
	batch, set        int
	rowLow, rowHigh   int // rows of the set
	keyLow, keyHigh   int
	block, ofKeyBlock int // number of the row block in the call; of the key block in it
}

// unit returns unit n. Row blocks come last to first, because under a causal
// rule the last ones have the most keys and should not be started at the end.
func (c cut) unit(n, keyLen int) unit {
	u := unit{ofKeyBlock: n % c.keyBlocks, block: n / c.keyBlocks}
	rowBlockOfSet := c.rowBlocks - 1 - u.block%c.rowBlocks
	set := u.block / c.rowBlocks
	u.batch, u.set = set/c.sets, set%c.sets
	u.rowLow = rowBlockOfSet * rowBlock
	u.rowHigh = min(u.rowLow+rowBlock, c.rows)
	u.keyHigh = keyLen
	if c.packed {
		u.keyLow = u.ofKeyBlock * splitKeys
		u.keyHigh = min(u.keyLow+splitKeys, keyLen)
	}
	return u
}

func ceilDiv(n, by int) int { return (n + by - 1) / by }
