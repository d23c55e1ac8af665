package cpu

import (
	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/kernel"
	"github.com/glattn/attention/internal/mutate"
)

// worker is the memory of one goroutine.
type worker struct {
	job    *job
	set    *kernel.Set
	start  func() // the goroutine's body, made once so that starting it allocates nothing
	unit   unit
	kvHead int
	rows   []row
	panels []panel

	queries      []float32 // scaled; by panels [dim][lane], or rows
	scores       []float32 // of one panel [key][lane], or of all rows [row][key]
	running      []float32 // what the last tile did to all rows
	low, high    []int32   // the keys of all rows, for panel kernels
	counts       []int32   // of a panel, see countKeys
	state        state
	line         []float32
	keys, values []float32 // a tile or grain, when it cannot be used in place
	cleaned      []float32 // a tile of values without Inf and NaN
	lines        []float32 // biases of rows [row][key], and of a panel [key][lane]
	factor       [1]float32
	numbers      []float32 // the partial, when units have no slot of their own

	lastFactor []float32 // for mutations
	unmasked   bool      // this tile needs no mask
}

// fit sizes the buffers for the call at hand.
func (w *worker) fit() {
	p, c := &w.job.call.Problem, &w.job.cut
	w.set = w.job.plan.set
	rows := min(c.rowBlock, c.rows)
	padded := c.paddedRows(rows)
	w.rows = resized(w.rows, rows)
	grain := c.tileKeys
	if c.narrow {
		grain = max(1, copiedBytes/4/max(c.dim, c.stride))
		w.scores = resized(w.scores, rows*c.tileKeys)
	} else {
		w.panels = resized(w.panels, padded/c.lanes)
		w.scores = resized(w.scores, c.lanes*c.tileKeys)
		w.counts = resized(w.counts, c.lanes/4)
		w.low, w.high = resized(w.low, padded), resized(w.high, padded)
	}
	w.queries = resized(w.queries, padded*c.dim)
	w.running = resized(w.running, 2*padded)
	w.lastFactor = resized(w.lastFactor, padded)
	w.line = resized(w.line, max(c.dim, c.stride))
	w.keys = resized(w.keys, grain*c.dim)
	w.values = resized(w.values, grain*c.stride)
	if p.Bias != attention.NoType || p.Masked {
		w.lines = resized(w.lines, 2*c.lanes*c.tileKeys)
	}
	if c.keyBlocks == 1 {
		w.numbers = resized(w.numbers, partialSize(padded, c.stride))
	}
}

// compute fills result with the unit's rows over its keys. It returns false, with
// result undefined, when the call is cancelled.
//
//	for each tile of keys:
//	    for each panel of rows that needs some of them, or for all rows:
//	        scores  = Q·Kᵀ, then scale, softcap, bias, mask
//	        weights = exp(scores − running maximum)
//	        result  = result·factor + weights·V
func (w *worker) compute(u unit, result *partial) bool {
	c := &w.job.cut
	w.unit = u
	result.reset()
	w.kvHead = w.locate(u)
	lanes := c.lanes
	if c.narrow {
		lanes = len(w.rows)
	}
	low, high := w.arrange(lanes)
	low, high = max(low, u.keyLow), min(high, u.keyHigh)
	if low >= high {
		return true
	}
	w.state = makeState(result, w.running)
	if c.narrow {
		w.loadRows()
	} else {
		w.loadPanels()
	}
	for first := low / c.tileKeys * c.tileKeys; first < high; first += c.tileKeys { // on one grid for all units
		t := tile{first: max(first, low), end: min(first+c.tileKeys, high)}
		if t.end == high && w.job.plan.mutation == mutate.LastTileUnmasked {
			t.unmasked, t.end = true, min(first+c.tileKeys, u.keyHigh)
		}
		if c.narrow {
			w.attendRows(&t, result)
		} else {
			w.attendPanels(&t, result)
		}
		if w.job.ctx.Err() != nil {
			return false
		}
	}
	return true
}

// tile is a range of keys.
type tile struct {
	first, end int
	keys       kernel.Rows
	values     kernel.Rows
	unmasked   bool // mutate.LastTileUnmasked

	// For values with Inf or NaN, when some weights are of masked keys: 0·NaN is NaN.
	checked bool        // for them
	clean   kernel.Rows // without them, if there are any
}

// readQuery widens a row of the unit.
func (w *worker) readQuery(dst []float32, row row) {
	q := w.job.call.In.Q
	w.set.ReadElements(dst, q, q.Index(w.unit.batch, row.head, row.query, 0), q.Strides()[attention.AxisDim])
}

// factors returns what outputs and totals are to be multiplied by: the factors
// of the last tile, but for a planted mistake.
func (w *worker) factors(factor []float32) (outputs, totals []float32) {
	switch w.job.plan.mutation {
	case mutate.StaleMaximum:
		fill(w.lastFactor, 1)
		return w.lastFactor, w.lastFactor
	case mutate.SumNotRescaled:
		fill(w.lastFactor, 1)
		return factor, w.lastFactor
	}
	return factor, factor
}
