package cpu

import (
	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/mutate"
)

// scaling says how the scale reaches the scores: queries are multiplied by
// query when they are loaded, scores by score. One of the two is 1.
type scaling struct{ query, score float32 }

// scalingOf folds the scale into the queries, which saves a pass over the
// scores, unless it is so large or small that scaled queries could overflow or
// lose bits.
func scalingOf(p attention.Problem, mutation mutate.Kind) scaling {
	scale := float32(p.EffectiveScale())
	if mutation == mutate.ScaleLeftOut {
		scale = 1
	}
	if size := max(scale, -scale); size >= 0x1p-20 && size <= 1 {
		return scaling{query: scale, score: 1}
	}
	return scaling{query: 1, score: scale}
}

// finishPanel applies what follows the product q·k to the scores [key][lane] of a
// panel for keys from first on: the scale if it was not folded, softcap, bias and
// mask. The planted mistake is to let softcap come last.
func (w *worker) finishPanel(p panel, first int, scores []float32) {
	in, end := &w.job.call.In, first+len(scores)/w.set.Lanes
	w.scaleScores(scores)
	late := w.job.plan.mutation == mutate.SoftcapAfterMask
	if !late {
		w.capScores(scores)
	}
	if in.Bias.Present() {
		w.addLines(p, first, scores, (*worker).biasLine)
	}
	if !w.unmasked {
		if in.Mask.Present() {
			w.addLines(p, first, scores, (*worker).maskLine)
		}
		// Between allLow and allHigh all rows are alike.
		w.fence(p, first, first, min(end, p.allLow), scores)
		w.fence(p, first, max(first, p.allHigh), end, scores)
	}
	if late {
		w.capScores(scores)
	}
}

// fence masks those of the keys [from, end) that the geometry does not leave to a row.
func (w *worker) fence(p panel, first, from, end int, scores []float32) {
	if from < end {
		w.set.Fence(scores[(from-first)*w.set.Lanes:], from, end-from, w.low[p.first:], w.high[p.first:])
	}
}

// finishRow is finishPanel for n scores of one row, which may be padded to whole vectors.
func (w *worker) finishRow(r row, first, n int, scores []float32) {
	in := &w.job.call.In
	scores = scores[:roundUp(n, w.set.Width)]
	w.scaleScores(scores)
	late := w.job.plan.mutation == mutate.SoftcapAfterMask
	if !late {
		w.capScores(scores)
	}
	if in.Bias.Present() {
		w.biasLine(w.lines[:n], r, first)
		w.set.AddBias(scores, w.lines)
	}
	if !w.unmasked {
		if in.Mask.Present() {
			w.maskLine(w.lines[:n], r, first)
			w.set.AddBias(scores, w.lines)
		}
		fill(scores[:min(n, max(0, r.low-first))], negativeInf)
		fill(scores[min(n, max(0, r.high-first)):n], negativeInf)
	}
	if late {
		w.capScores(scores)
	}
}

func (w *worker) scaleScores(scores []float32) {
	if w.job.plan.scale.score == 1 {
		return
	}
	w.factor[0] = w.job.plan.scale.score
	w.set.Scale(scores, len(scores), w.factor[:], len(scores))
}

func (w *worker) capScores(scores []float32) {
	if softcap := w.job.plan.problem.Softcap; softcap > 0 {
		w.set.Softcap(scores, softcap)
	}
}

// addLines adds to the scores of a panel what read gives for the keys of each row.
func (w *worker) addLines(p panel, first int, scores []float32, read func(w *worker, line []float32, r row, first int)) {
	lanes, size := w.set.Lanes, w.job.cut.tileKeys
	n := len(scores) / lanes
	turned := w.lines[lanes*size:][:len(scores)]
	if p.lanes < lanes {
		clear(turned)
	}
	for r, row := range w.rows[p.first : p.first+p.lanes] {
		read(w, w.lines[r*size:][:n], row, first)
	}
	w.set.Transpose(turned, lanes, w.lines, size, p.lanes, n, 1)
	w.set.AddBias(scores, turned)
}

// biasLine reads the biases of a row for keys from first on.
func (w *worker) biasLine(line []float32, r row, first int) {
	bias := w.job.call.In.Bias
	w.set.ReadElements(line, bias, bias.Index(w.unit.batch, r.head, r.query, first), bias.Strides()[attention.AxisDim])
}

// maskLine turns the boolean mask of a row into biases.
func (w *worker) maskLine(line []float32, r row, first int) {
	mask := w.job.call.In.Mask
	keep, stride := mask.Bools(), mask.Strides()[attention.AxisDim]
	at := mask.Index(w.unit.batch, r.head, r.query, first)
	if stride == 1 || len(line) == 1 {
		w.set.Expand(line, keep[at:at+len(line)])
		return
	}
	for j := range line {
		w.set.Expand(line[j:j+1], keep[at+j*stride:][:1])
	}
}
