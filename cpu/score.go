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

// finishScores applies what follows the product q·k to n scores of a row, step
// apart, of keys from first on: the scale if it was not folded, softcap, bias,
// and the mask unless every key is allowed to every row.
func (w *worker) finishScores(scores []float32, step, n int, row row, first int) {
	scores = scores[:(n-1)*step+1]
	w.scaleScores(scores, step)
	if w.job.plan.mutation == mutate.SoftcapAfterMask {
		w.addBias(scores, step, n, row, first)
		w.maskScores(scores, step, n, row, first)
		w.capScores(scores, step)
		return
	}
	w.capScores(scores, step)
	w.addBias(scores, step, n, row, first)
	w.maskScores(scores, step, n, row, first)
}

func (w *worker) scaleScores(scores []float32, step int) {
	scale := w.job.plan.scale.score
	if scale == 1 {
		return
	}
	for at := 0; at < len(scores); at += step {
		scores[at] *= scale
	}
}

func (w *worker) capScores(scores []float32, step int) {
	softcap := w.job.plan.problem.Softcap
	if softcap == 0 {
		return
	}
	for at := 0; at < len(scores); at += step {
		scores[at] = softcap * tanh32(scores[at]/softcap)
	}
}

func (w *worker) addBias(scores []float32, step, n int, row row, first int) {
	bias := w.job.call.In.Bias
	if !bias.Present() {
		return
	}
	line := w.bias[:n]
	widen(w.set, line, bias, bias.Index(w.unit.batch, row.head, row.query, first), bias.Strides()[attention.AxisDim])
	at := 0
	for _, x := range line {
		if x == negativeInf {
			scores[at] = x // masked, whatever a NaN or Inf key made of the score
		} else {
			scores[at] += x
		}
		at += step
	}
}

// maskScores puts −Inf where row row may not look.
func (w *worker) maskScores(scores []float32, step, n int, row row, first int) {
	if w.unmasked {
		return
	}
	for j := range min(n, max(0, row.low-first)) {
		scores[j*step] = negativeInf
	}
	for j := max(0, row.high-first); j < n; j++ {
		scores[j*step] = negativeInf
	}
	mask := w.job.call.In.Mask
	if !mask.Present() {
		return
	}
	keep, stride := mask.Bools(), mask.Strides()[attention.AxisDim]
	at := mask.Index(w.unit.batch, row.head, row.query, first)
	for j := range n {
		if !keep[at+j*stride] {
			scores[j*step] = negativeInf
		}
	}
}
