package cpu

import "github.com/glattn/attention/internal/mutate"

// worker is the memory of one goroutine.
type worker struct {
	job    *job
	start  func() // the goroutine's body, made once so that starting it allocates nothing
	unit   unit
	rows   []row
	panels []panel

	queries      []quad // D quads for each panel, scaled
	scores       []quad // of one panel
	line         []float32
	keys, values []float32 // a tile, when it cannot be used in place
	bias         []float32
	numbers      []float32 // the partial, when units have no slot of their own
	quads        []quad

	unmasked bool // this panel needs no mask
}

// fit sizes the buffers for the call at hand.
func (w *worker) fit() {
	p := w.job.call.Problem
	block := min(rowBlock, w.job.cut.rows)
	numbers, quads := partialSize(block, p.ValueDim)
	tile := min(tileKeys, p.KeyLen)
	w.rows = resized(w.rows, block)
	w.panels = resized(w.panels, ceilDiv(block, lanes))
	w.queries = resized(w.queries, ceilDiv(block, lanes)*p.Dim)
	w.scores = resized(w.scores, tile)
	w.line = resized(w.line, p.Dim)
	w.keys = resized(w.keys, tile*p.Dim)
	w.values = resized(w.values, tile*p.ValueDim)
	w.bias = resized(w.bias, tile)
	if w.job.cut.keyBlocks == 1 {
		w.numbers, w.quads = resized(w.numbers, numbers), resized(w.quads, quads)
	}
}

// compute fills result with the unit's rows over its keys. It returns early,
// with result undefined, when the call is cancelled.
//
//	for each tile of keys:
//	    for each panel of rows that needs some of them:
//	        scores  = Q·Kᵀ, then scale, softcap, bias, mask
//	        weights = exp(scores − running maximum)
//	        result  = result·factor + weights·V
func (w *worker) compute(u unit, result *partial) {
	w.unit = u
	result.reset()
	kvHead := w.locate(u)
	low, high := w.arrange()
	low, high = max(low, u.keyLow), min(high, u.keyHigh)
	if low >= high {
		return
	}
	w.loadQueries()
	p := w.job.call.Problem
	for first := low; first < high; first += tileKeys {
		end := min(first+tileKeys, high)
		last := end == high && w.job.plan.mutation == mutate.LastTileUnmasked
		if last {
			end = min(first+tileKeys, u.keyHigh)
		}
		t := tile{first: first, end: end, unmasked: last,
			keys:   rowsOf(w.keys, w.job.call.In.K, u.batch, kvHead, first, end, p.Dim),
			values: rowsOf(w.values, w.job.call.In.V, u.batch, kvHead, first, end, p.ValueDim)}
		for n := range w.panels {
			if w.job.ctx.Err() != nil {
				return
			}
			w.attend(n, &t, result)
		}
	}
}

// tile is a range of keys with their rows of K and V.
type tile struct {
	first, end   int
	keys, values matrix
	unmasked     bool  // mutate.LastTileUnmasked
	finiteness   uint8 // of the values: 0 is not known
}

const (
	allFinite uint8 = iota + 1
	notAllFinite
)

// attend lets panel number look at the keys of a tile that it needs.
func (w *worker) attend(number int, t *tile, result *partial) {
	p, width := w.panels[number], result.width
	first, end := max(t.first, p.low), min(t.end, p.high)
	if t.unmasked {
		first, end = t.first, t.end
	}
	if first >= end {
		return
	}
	dim := w.job.call.Problem.Dim
	scores, queries := w.scores[:end-first], w.queries[number*dim:(number+1)*dim]
	keys, values := t.keys.from(first-t.first), t.values.from(first-t.first)
	if p.lanes == 1 {
		scoreRow(scores, queries, keys)
	} else {
		scoreTile(scores, queries, keys)
	}
	w.unmasked = t.unmasked || first >= p.allLow && end <= p.allHigh && !w.job.call.In.Mask.Present()
	if !w.unmasked || w.job.adjusts {
		w.finishScores(scores, p, first)
	}
	top, total := &result.top[number], &result.total[number]
	factor, tileTotal, holes := weigh(scores, p.lanes, top)
	sumFactor := factor
	if m := w.job.plan.mutation; m != mutate.None {
		factor, sumFactor = mutateFactors(m, factor)
	}
	for r := range p.lanes {
		total[r] = total[r]*sumFactor[r] + tileTotal[r]
	}
	out := result.outputs(number)
	switch {
	case holes && !t.finite(width):
		valueTileGuarded(out, width, p.lanes, &factor, scores, values)
	case p.lanes == 1:
		valueRow(out, factor[0], scores, values)
	default:
		valueTile(out, width, &factor, scores, values)
	}
}

// finite reports whether all values of the tile are, looking only once.
func (t *tile) finite(width int) bool {
	if t.finiteness == 0 {
		t.finiteness = notAllFinite
		if t.values.finite(t.end-t.first, width) {
			t.finiteness = allFinite
		}
	}
	return t.finiteness == allFinite
}

// from returns m without its first n rows.
func (m matrix) from(n int) matrix { return matrix{m.data[n*m.ld:], m.ld} }

// loadQueries widens and scales the unit's queries and interleaves the rows of
// each panel. Missing rows of the last panel are 0.
func (w *worker) loadQueries() {
	q, dim := w.job.call.In.Q, w.job.call.Problem.Dim
	stride, scale := q.Strides()[3], w.job.plan.scale.query
	for number, p := range w.panels {
		queries := w.queries[number*dim : (number+1)*dim]
		clear(queries)
		for r := range p.lanes {
			row := w.rows[p.first+r]
			widen(w.line[:dim], q, q.Index(w.unit.batch, row.head, row.query, 0), stride)
			for d, x := range w.line[:dim] {
				queries[d][r] = x * scale
			}
		}
	}
}

// mutateFactors returns the factors of outputs and of row sums with a mistake.
func mutateFactors(m mutate.Kind, factor quad) (outputs, sums quad) {
	one := quad{1, 1, 1, 1}
	switch m {
	case mutate.StaleMaximum:
		return one, one
	case mutate.SumNotRescaled:
		return factor, one
	}
	return factor, factor
}
