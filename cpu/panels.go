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
			rows := inPlace(q, w.unit.batch, row.head, row.query, row.query+p.lanes)
			w.set.Transpose(queries, lanes, rows.Float32s, rows.Stride, p.lanes, dim, w.job.plan.scale.query)
			continue
		}
		for r := range p.lanes {
			line := w.line[:dim]
			w.readQuery(line, w.rows[p.first+r])
			w.set.Transpose(queries[r:], lanes, line, dim, 1, dim, 1)
		}
	}
}

// attendPanels lets all panels look at the keys of a tile that they need.
func (w *worker) attendPanels(t *tile) {
	p, in := w.job.call.Problem, &w.job.call.In
	t.keys = closeRows(w.set, w.keys, in.K, w.unit.batch, w.kvHead, t.first, t.end, p.Dim)
	t.values = anyRows(w.set, w.values, in.V, w.unit.batch, w.kvHead, t.first, t.end, p.ValueDim)
	w.packValues(t)
	for number := range w.panels {
		if w.job.ctx.Err() != nil {
			return
		}
		first, end := max(t.first, w.panels[number].low), min(t.end, w.panels[number].high)
		if t.unmasked {
			first, end = t.first, t.end
		}
		if first >= end {
			continue
		}
		w.attendPanel(number, t, first, end)
	}
}

// attendPanel lets a panel look at keys [first, end).
func (w *worker) attendPanel(number int, t *tile, first, end int) {
	p, lanes := w.panels[number], w.set.Lanes
	width, n := w.job.call.Problem.ValueDim, end-first
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
	out := w.outputs[number*width*lanes:][:width*lanes]
	if holes && !t.finite(width) && !t.cleaned {
		t.cleaned = true
		clean(w.packed[:(t.end-t.first)*width])
	}
	w.set.Values(out, factor, scores, w.packed, first-t.first, n, t.end-t.first, width)
	if t.cleaned {
		addOdd(out, p.lanes, lanes, scores, t.values.From(first-t.first), n)
	}
}

func (w *worker) scorePanel(number int, t *tile, first int, scores []float32) {
	p, lanes, dim := w.panels[number], w.set.Lanes, w.job.call.Problem.Dim
	keys := t.keys.From(first - t.first)
	w.set.Scores(scores, w.queries[number*dim*lanes:][:dim*lanes], keys.Float32s, keys.Stride, dim, len(scores)/lanes)
	if w.unmasked && !w.job.adjusts {
		return
	}
	for r := range p.lanes {
		w.finishScores(scores[r:], lanes, len(scores)/lanes, w.rows[p.first+r], first)
	}
}

// mendPanel computes the scores once more, since weights no longer tell +Inf from NaN.
func (w *worker) mendPanel(number int, t *tile, first, n int, s state) {
	lanes := w.set.Lanes
	again := make([]float32, n*lanes) // NaN and Inf among scores are no case to keep memory for
	w.scorePanel(number, t, first, again)
	s.mend(w.panels[number].lanes, func(r int) bool { return anyNaN(again[r:], lanes) })
}

// clean replaces Inf and NaN by 0: masked weights must not meet them, because
// 0·NaN is NaN. What other weights make of them is left to addOdd, so that rows
// that see none of them have the same bits as without.
func clean(values []float32) {
	for n, x := range values {
		if x*0 != 0 {
			values[n] = 0
		}
	}
}

// addOdd adds to a panel of outputs what clean has taken from the first keys
// rows of values, for weights that are not masked.
func addOdd(out []float32, rows, lanes int, weights []float32, values kernel.Rows, keys int) {
	width := len(out) / lanes
	for j := range keys {
		for c, v := range values.Float32s[j*values.Stride:][:width] {
			if v*0 == 0 {
				continue
			}
			for r := range rows {
				if weight := weights[j*lanes+r]; !isMasked(weight) {
					out[c*lanes+r] += weight * v
				}
			}
		}
	}
}

// storePanels divides by the row sums and writes the rows to the call's outputs,
// like partial.store, but from panels to where they belong without a copy. It
// reports whether the output's layout allows that.
func (w *worker) storePanels() bool {
	o, lse := w.job.call.Out.O, w.job.call.Out.LSE
	lanes, width := w.set.Lanes, w.job.call.Problem.ValueDim
	if w.job.cut.packed || o.DType() != attention.Float32 || !adjacent(o) || o.Strides()[attention.AxisSequence] < width && o.Shape()[attention.AxisSequence] > 1 {
		return false
	}
	for number, p := range w.panels {
		s, out := w.state.of(number*lanes, lanes), w.outputs[number*width*lanes:][:width*lanes]
		for r, total := range s.total {
			s.factor[r] = 1 / total
			if s.top[r] == negativeInf {
				s.factor[r] = 0
			}
		}
		w.set.Values(out, s.factor, nil, nil, 0, 0, 0, width)
		row := w.rows[p.first]
		to := inPlace(o, w.unit.batch, row.head, row.query, row.query+p.lanes)
		w.set.Transpose(to.Float32s, to.Stride, out, lanes, width, p.lanes, 1)
		if !lse.Present() {
			continue
		}
		for r, row := range w.rows[p.first : p.first+p.lanes] {
			lse.Float32s()[lse.Index(w.unit.batch, row.head, row.query, 0)] = logSumExp(s.top[r], s.total[r])
		}
	}
	return true
}

// gather brings the outputs of panels, or rows, into the partial.
func (w *worker) gather(result *partial) {
	copy(result.top, w.state.top)
	copy(result.total, w.state.total)
	width, lanes := result.width, w.set.Lanes
	if w.job.cut.narrow {
		padded := roundUp(width, w.set.Width)
		for r := range w.rows {
			copy(result.row(r), w.outputs[r*padded:])
		}
		return
	}
	for number, p := range w.panels {
		w.set.Transpose(result.out[p.first*width:], width, w.outputs[number*width*lanes:][:width*lanes], lanes, width, p.lanes, 1)
	}
}
