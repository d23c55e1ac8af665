package cpu

import (
	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/kernel"
)

// loadRows widens and scales the unit's queries, padded with zeros to whole vectors.
func (w *worker) loadRows() {
	dim := w.job.call.Problem.Dim
	padded := roundUp(dim, w.set.Width)
	for r, row := range w.rows {
		line := w.queries[r*padded : (r+1)*padded]
		w.readQuery(line[:dim], row)
		clear(line[dim:])
	}
}

// attendRows lets all rows look at the keys of a tile. K and V are read from
// where they lie if rows are whole vectors.
func (w *worker) attendRows(t *tile) {
	in, n := &w.job.call.In, t.end-t.first
	width := roundUp(w.job.call.Problem.ValueDim, w.set.Width)
	t.keys = wholeRows(w.set, w.keys, in.K, w.unit.batch, w.kvHead, t.first, t.end)
	t.values = wholeRows(w.set, w.values, in.V, w.unit.batch, w.kvHead, t.first, t.end)
	rows, size := len(w.rows), w.job.cut.tileKeys
	p := w.panels[0]
	w.unmasked = t.unmasked || t.first >= p.allLow && t.end <= p.allHigh && !in.Mask.Present()
	w.scoreRows(t, w.scores)
	anyHoles := false
	for r := range rows {
		s := w.state.of(r, 1)
		holes, odd := w.weighRow(w.scores[r*size:][:size], n, s)
		if odd {
			w.mendRow(t, r, s)
		}
		anyHoles = anyHoles || holes
	}
	factor, sumFactor := w.factors(w.state.factor)
	w.state.advance(sumFactor)
	if anyHoles && !t.finite(width) {
		for r := range rows {
			w.mixGuarded(t, r, factor[r])
		}
		return
	}
	w.set.Mix(w.outputs, width, factor, w.scores, size, rows, t.values, width, n, w.following(t))
}

// following returns the keys of the next tile, none if they are not this unit's.
func (w *worker) following(t *tile) kernel.Rows {
	k := w.job.call.In.K
	end := min(t.end+w.job.cut.tileKeys, w.unit.keyHigh)
	if t.end >= end || !wholeInPlace(w.set, k) {
		return kernel.Rows{}
	}
	return closed(inPlace(k, w.unit.batch, w.kvHead, t.end, end), k)
}

// closed returns the rows r of t if they lie one after another; only then are
// they the bytes that are prefetched.
func closed(r kernel.Rows, t attention.Tensor) kernel.Rows {
	if r.Stride != t.Shape()[attention.AxisDim] {
		return kernel.Rows{}
	}
	return r
}

func (w *worker) scoreRows(t *tile, scores []float32) {
	n, size := t.end-t.first, w.job.cut.tileKeys
	dim := roundUp(w.job.call.Problem.Dim, w.set.Width)
	w.set.Dots(scores, size, w.queries, dim, len(w.rows), t.keys, dim, n, closed(t.values, w.job.call.In.V))
	if w.unmasked && !w.job.adjusts {
		return
	}
	for r, row := range w.rows {
		w.finishScores(scores[r*size:], 1, n, row, t.first)
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
func (w *worker) mixGuarded(t *tile, r int, factor float32) {
	width := roundUp(w.job.call.Problem.ValueDim, w.set.Width)
	out := w.outputs[r*width : (r+1)*width]
	for c := range out {
		out[c] *= factor
	}
	for j, weight := range w.scores[r*w.job.cut.tileKeys:][:t.end-t.first] {
		if isMasked(weight) {
			continue
		}
		w.line = resized(w.line, width)
		rowOf(w.line, t.values, j)
		for c, v := range w.line {
			out[c] += weight * v
		}
	}
}
