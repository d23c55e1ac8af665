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
	outputs      []float32 // by panels [column][lane], or rows
	running      []float32 // the state of all rows
	state        state
	line         []float32
	keys, values []float32 // a tile, when it cannot be used in place
	packed       []float32 // a tile of values, for panel kernels
	bias         []float32
	numbers      []float32 // the partial, when units have no slot of their own

	lastFactor []float32 // for mutations
	unmasked   bool      // this tile needs no mask
}

// fit sizes the buffers for the call at hand.
func (w *worker) fit() {
	p, c := w.job.call.Problem, w.job.cut
	w.set = w.job.plan.set
	rows := min(c.rowBlock, c.rows)
	tile := c.tileKeys
	w.rows = resized(w.rows, rows)
	dim, width, padded := p.Dim, p.ValueDim, roundUp(rows, w.set.Lanes)
	if c.narrow {
		dim, width, padded = roundUp(dim, w.set.Width), roundUp(width, w.set.Width), rows
		w.scores = resized(w.scores, rows*tile)
	} else {
		w.panels = resized(w.panels, padded/w.set.Lanes)
		w.scores = resized(w.scores, w.set.Lanes*tile)
		w.packed = resized(w.packed, tile*width)
	}
	w.queries = resized(w.queries, padded*dim)
	w.outputs = resized(w.outputs, padded*width)
	w.running = resized(w.running, 4*padded)
	w.lastFactor = resized(w.lastFactor, padded)
	w.line = resized(w.line, max(dim, width))
	w.keys = resized(w.keys, tile*dim)
	w.values = resized(w.values, tile*width)
	w.bias = resized(w.bias, tile)
	if c.keyBlocks == 1 {
		w.numbers = resized(w.numbers, partialSize(rows, p.ValueDim))
	}
}

// compute fills result with the unit's rows over its keys, or stores them if
// they are complete and the layout of the output is plain. It returns early, with
// result undefined, when the call is cancelled.
//
//	for each tile of keys:
//	    for each panel of rows that needs some of them, or for all rows:
//	        scores  = Q·Kᵀ, then scale, softcap, bias, mask
//	        weights = exp(scores − running maximum)
//	        result  = result·factor + weights·V
func (w *worker) compute(u unit, result *partial) {
	w.unit = u
	result.reset()
	w.kvHead = w.locate(u)
	lanes := w.set.Lanes
	if w.job.cut.narrow {
		lanes = len(w.rows)
	}
	low, high := w.arrange(lanes)
	low, high = max(low, u.keyLow), min(high, u.keyHigh)
	if low >= high {
		return
	}
	w.state = makeState(w.running, len(w.panels)*lanes)
	clear(w.outputs)
	if w.job.cut.narrow {
		w.loadRows()
	} else {
		w.loadPanels()
	}
	size := w.job.cut.tileKeys
	for first := low / size * size; first < high; first += size { // on one grid for all units
		t := tile{first: max(first, low), end: min(first+size, high)}
		if t.end == high && w.job.plan.mutation == mutate.LastTileUnmasked {
			t.unmasked, t.end = true, min(first+size, u.keyHigh)
		}
		if w.job.cut.narrow {
			w.attendRows(&t)
		} else {
			w.attendPanels(&t)
		}
		if w.job.ctx.Err() != nil {
			return
		}
	}
	if w.job.cut.keyBlocks == 1 && !w.job.cut.narrow && w.storePanels() {
		result.stored = true
		return
	}
	w.gather(result)
}

// tile is a range of keys.
type tile struct {
	first, end int
	keys       kernel.Rows
	values     kernel.Rows
	unmasked   bool  // mutate.LastTileUnmasked
	cleaned    bool  // Inf and NaN are taken out of the packed values
	finiteness uint8 // of the values: 0 is not known
}

const (
	allFinite uint8 = iota + 1
	notAllFinite
)

// finite reports whether all values of the tile are, looking only once.
func (t *tile) finite(width int) bool {
	if t.finiteness == 0 {
		t.finiteness = notAllFinite
		if finite(t.values, t.end-t.first, width) {
			t.finiteness = allFinite
		}
	}
	return t.finiteness == allFinite
}

// readQuery widens and scales a row of the unit.
func (w *worker) readQuery(dst []float32, row row) {
	q := w.job.call.In.Q
	widen(w.set, dst, q, q.Index(w.unit.batch, row.head, row.query, 0), q.Strides()[attention.AxisDim])
	for d := range dst {
		dst[d] *= w.job.plan.scale.query
	}
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
