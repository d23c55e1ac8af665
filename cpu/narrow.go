package cpu

import (
	"github.com/glattn/attention/internal/kernel"
)

// loadRows widens and scales the unit's queries, padded with zeros to whole vectors.
func (w *worker) loadRows() {
	dim, padded := w.job.call.Problem.Dim, w.job.cut.dim
	for r, row := range w.rows {
		line := w.queries[r*padded : (r+1)*padded]
		w.readQuery(line[:dim], row)
		clear(line[dim:])
	}
	if scale := w.job.plan.scale.query; scale != 1 {
		w.factor[0] = scale
		w.set.Scale(w.queries, padded, w.factor[:], len(w.rows)*padded) // one long row
	}
}

// attendRows lets all rows look at the keys of a tile.
func (w *worker) attendRows(t *tile, result *partial) {
	n, size := t.end-t.first, w.job.cut.tileKeys
	p := w.panels[0]
	w.unmasked = t.unmasked || t.first >= p.allLow && t.end <= p.allHigh && !w.job.call.In.Mask.Present()
	w.scoreRows(t, w.scores)
	anyHoles := false
	for r := range w.rows {
		s := w.state.of(r, 1)
		holes, odd := w.weighRow(w.scores[r*size:][:size], n, s)
		if odd {
			w.mendRow(t, r, s)
		}
		anyHoles = anyHoles || holes
	}
	factor, sumFactor := w.factors(w.state.factor)
	w.state.advance(sumFactor)
	w.mixRows(t, result.out, factor, anyHoles)
}

// mixRows adds the weighted values of a tile.
func (w *worker) mixRows(t *tile, out, factor []float32, anyHoles bool) {
	c := &w.job.cut
	w.set.Scale(out, c.stride, factor, c.stride)
	for first, end := t.first, 0; first < t.end; first = end {
		var values kernel.Rows
		values, end = w.job.values.rows(w.set, w.values, w.unit.batch, w.kvHead, first, t.end, c.keyGrain)
		weights := w.scores[first-t.first:]
		if anyHoles && !w.set.Finite(values, end-first, w.job.call.Problem.ValueDim) {
			for r := range w.rows {
				w.mixGuarded(out[r*c.stride:][:c.stride], weights[r*c.tileKeys:][:end-first], values)
			}
			continue
		}
		w.set.Mix(out, c.stride, weights, c.tileKeys, len(w.rows), values, c.stride, end-first)
	}
}

func (w *worker) scoreRows(t *tile, scores []float32) {
	c, n := &w.job.cut, t.end-t.first
	for first, end := t.first, 0; first < t.end; first = end {
		var keys kernel.Rows
		keys, end = w.job.keys.rows(w.set, w.keys, w.unit.batch, w.kvHead, first, t.end, c.keyGrain)
		w.set.Dots(scores[first-t.first:], c.tileKeys, w.queries, c.dim, len(w.rows), keys, w.job.call.Problem.Dim, end-first)
	}
	if w.unmasked && !w.job.adjusts {
		return
	}
	for r, row := range w.rows {
		w.finishRow(row, t.first, n, scores[r*c.tileKeys:])
	}
}

// weighRow is kernel.Set.WeighRow for any number n of scores.
func (w *worker) weighRow(scores []float32, n int, s state) (holes, odd bool) {
	padded := roundUp(n, w.set.Width)
	if n == padded {
		return w.set.WeighRow(scores[:n], s.top, s.factor, s.tileTotal)
	}
	fill(scores[n:padded], scores[0]) // alters neither the maximum nor the flags
	holes, odd = w.set.WeighRow(scores[:padded], s.top, s.factor, s.tileTotal)
	s.tileTotal[0] = 0
	for _, weight := range scores[:n] {
		s.tileTotal[0] += weight
	}
	return holes, odd
}

// mendRow computes the scores once more, since weights no longer tell +Inf from NaN.
func (w *worker) mendRow(t *tile, r int, s state) {
	size := w.job.cut.tileKeys
	again := make([]float32, len(w.rows)*size)
	w.scoreRows(t, again)
	s.mend(1, func(int) bool { return anyNaN(again[r*size:][:t.end-t.first], 1) })
}

// mixGuarded is kernel.Set.Mix of one row for values that hold Inf or NaN:
// weights that are masked are skipped, because 0·NaN is NaN.
func (w *worker) mixGuarded(out, weights []float32, values kernel.Rows) {
	line := w.line[:len(out)]
	for j, weight := range weights {
		if isMasked(weight) {
			continue
		}
		w.set.Widen(line, values, j)
		for c, v := range line {
			out[c] += weight * v
		}
	}
}
