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

// finishScores applies what follows the product q·k to a panel's scores of keys
// from first on: the scale if it was not folded, softcap, bias, and the mask
// unless every key is allowed to every row.
func (w *worker) finishScores(scores []quad, p panel, first int) {
	for r := range p.lanes {
		row := w.rows[p.first+r]
		if w.job.plan.mutation == mutate.SoftcapAfterMask {
			w.scaleScores(scores, r)
			w.addBias(scores, r, row, first)
			w.maskScores(scores, r, row, first)
			w.capScores(scores, r)
			continue
		}
		w.scaleScores(scores, r)
		w.capScores(scores, r)
		w.addBias(scores, r, row, first)
		w.maskScores(scores, r, row, first)
	}
}

func (w *worker) scaleScores(scores []quad, r int) {
	scale := w.job.plan.scale.score
	if scale == 1 {
		return
	}
	for j := range scores {
		scores[j][r] *= scale
	}
}

func (w *worker) capScores(scores []quad, r int) {
	softcap := w.job.plan.problem.Softcap
	if softcap == 0 {
		return
	}
	for j := range scores {
		scores[j][r] = softcap * tanh32(scores[j][r]/softcap)
	}
}

func (w *worker) addBias(scores []quad, r int, row row, first int) {
	bias := w.job.call.In.Bias
	if !bias.Present() {
		return
	}
	line := w.bias[:len(scores)]
	widen(line, bias, bias.Index(w.unit.batch, row.head, row.query, first), bias.Strides()[attention.AxisDim])
	for j, x := range line {
		if x == negativeInf {
			scores[j][r] = x // masked, whatever a NaN or Inf key made of the score
		} else {
			scores[j][r] += x
		}
	}
}

// maskScores puts −Inf where row row may not look.
func (w *worker) maskScores(scores []quad, r int, row row, first int) {
	if w.unmasked {
		return
	}
	for j := range min(len(scores), max(0, row.low-first)) {
		scores[j][r] = negativeInf
	}
	for j := max(0, row.high-first); j < len(scores); j++ {
		scores[j][r] = negativeInf
	}
	mask := w.job.call.In.Mask
	if !mask.Present() {
		return
	}
	keep, stride := mask.Bools(), mask.Strides()[attention.AxisDim]
	at := mask.Index(w.unit.batch, row.head, row.query, first)
	for j := range scores {
		if !keep[at+j*stride] {
			scores[j][r] = negativeInf
		}
	}
}
