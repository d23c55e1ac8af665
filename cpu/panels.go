package cpu

import (
	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/kernel"
)

// loadPanels widens and scales the unit's queries and interleaves the rows of
// each panel. Missing rows of the last panel are 0.
func (w *worker) loadPanels() {
	q, lanes, dim := w.job.call.In.Q, w.set.Lanes, w.job.call.Problem.Dim
	direct := q.DType() == attention.Float32 && adjacent(q) && q.Strides()[attention.AxisSequence] >= dim && !w.job.cut.packed
	for number, p := range w.panels {
		queries := w.queries[number*dim*lanes:][:dim*lanes]
		if p.lanes < lanes {
			clear(queries)
		}
		if direct { // a panel's rows are a matrix in memory
			row := w.rows[p.first]
			rows := inPlace(&q, w.unit.batch, row.head, row.query, row.query+p.lanes)
			w.set.Transpose(queries, lanes, rows.Float32s, rows.Stride, p.lanes, dim, w.job.plan.scale.query)
			continue
		}
		for r := range p.lanes {
			line := w.line[:dim]
			w.readQuery(line, w.rows[p.first+r])
			w.set.Transpose(queries[r:], lanes, line, dim, 1, dim, w.job.plan.scale.query)
		}
	}
}

// attendPanels lets all panels look at the keys of a tile that they need.
func (w *worker) attendPanels(t *tile, result *partial) {
	c, in := &w.job.cut, &w.job.call.In
	t.keys = closeRows(w.set, w.keys, in.K, w.unit.batch, w.kvHead, t.first, t.end, c.dim)
	t.values = closeRows(w.set, w.values, in.V, w.unit.batch, w.kvHead, t.first, t.end, c.stride)
	for number := range w.panels {
		if w.job.ctx.Err() != nil {
			return
		}
		first, end := max(t.first, w.panels[number].low), min(t.end, w.panels[number].high)
		if t.unmasked {
			first, end = t.first, t.end
		}
		if first < end {
			w.attendPanel(number, t, first, end, result.out[number*c.lanes*c.stride:])
		}
	}
}

// attendPanel lets a panel look at keys [first, end).
func (w *worker) attendPanel(number int, t *tile, first, end int, out []float32) {
	p, lanes, width := w.panels[number], w.set.Lanes, w.job.cut.stride
	n := end - first
	scores := w.scores[:n*lanes]
	w.unmasked = t.unmasked || first >= p.allLow && end <= p.allHigh && !w.job.call.In.Mask.Present()
	w.scorePanel(number, t, first, scores)
	s := w.state.of(number*lanes, lanes)
	fine := 0
	if first >= p.allLow {
		fine = p.allHigh - first
	}
	holes, odd := w.set.Weigh(scores, n, fine, s.top, s.factor, s.tileTotal)
	if odd {
		w.mendPanel(number, t, first, n, s)
	}
	factor, sumFactor := w.factors(s.factor)
	s.advance(sumFactor)
	values := t.values
	if holes {
		values = w.cleanValues(t)
	}
	values = values.From(first - t.first)
	w.set.Values(out, width, factor, scores, values.Float32s, values.Stride, n, width, w.countKeys(p, t, first, end))
	if t.clean.Float32s != nil {
		addOdd(out, p.lanes, lanes, scores, t.values.From(first-t.first), n, width)
	}
}

// countKeys returns for each four rows how many of the keys [first, end) they need,
// nil for all: at the edge of a causal mask half of the products are of weight 0.
func (w *worker) countKeys(p panel, t *tile, first, end int) []int32 {
	if end <= p.allHigh || t.unmasked {
		return nil
	}
	counts := w.counts[:w.set.Lanes/4]
	clear(counts)
	for r, row := range w.rows[p.first : p.first+p.lanes] {
		counts[r/4] = max(counts[r/4], int32(min(row.high, end)-first))
	}
	return counts
}

func (w *worker) scorePanel(number int, t *tile, first int, scores []float32) {
	p, lanes, dim := w.panels[number], w.set.Lanes, w.job.cut.dim
	keys := t.keys.From(first - t.first)
	w.set.Scores(scores, w.queries[number*dim*lanes:][:dim*lanes], keys.Float32s, keys.Stride, dim, len(scores)/lanes)
	if w.unmasked && !w.job.adjusts {
		return
	}
	w.finishPanel(p, first, scores)
}

// mendPanel computes the scores once more, since weights no longer tell +Inf from NaN.
func (w *worker) mendPanel(number int, t *tile, first, n int, s state) {
	lanes := w.set.Lanes
	again := make([]float32, n*lanes) // NaN and Inf among scores are no case to keep memory for
	w.scorePanel(number, t, first, again)
	s.mend(w.panels[number].lanes, func(r int) bool { return anyNaN(again[r:], lanes) })
}

// cleanValues returns the tile's values with 0 for Inf and NaN: weights of masked keys,
// and of scores of −Inf, must not meet them, because 0·NaN is NaN. What other weights
// make of them is left to addOdd, so that rows that see none of them have the same bits
// as without.
func (w *worker) cleanValues(t *tile) kernel.Rows {
	n, width := t.end-t.first, w.job.cut.stride
	if !t.checked && !w.set.Finite(t.values, n, width) {
		w.cleaned = append(w.cleaned[:0], t.values.Float32s[:(n-1)*t.values.Stride+width]...)
		for n, x := range w.cleaned {
			if x*0 != 0 {
				w.cleaned[n] = 0
			}
		}
		t.clean = kernel.Rows{Float32s: w.cleaned, Stride: t.values.Stride}
	}
	t.checked = true
	if t.clean.Float32s != nil {
		return t.clean
	}
	return t.values
}

// addOdd adds to the rows of a panel what cleanValues has taken from the first keys
// rows of values, for weights that are not masked.
func addOdd(out []float32, rows, lanes int, weights []float32, values kernel.Rows, keys, width int) {
	for j := range keys {
		for c, v := range values.Float32s[j*values.Stride:][:width] {
			if v*0 == 0 {
				continue
			}
			for r := range rows {
				if weight := weights[j*lanes+r]; !isMasked(weight) {
					out[r*width+c] += weight * v
				}
			}
		}
	}
}
