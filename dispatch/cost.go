package dispatch

import (
	"math"
	"runtime"
	"sync"
	"time"

	"github.com/glattn/attention"
)

// Work is what the cost model looks at. It follows from the problem alone, so
// that [Engine.Explain] and a call agree.
type Work struct {
	FLOPs float64 // 2·(D+Dv) for each pair that causal rule and window allow
	Bytes float64 // Q, K, V, O and the log-sum-exp, once each, but for what lies on the device
}

// Estimator predicts how long a class of backends takes and learns from calls
// that were run. A class is the name of a backend, with "-software" behind it
// for a software rasteriser. It must be safe for concurrent use.
type Estimator interface {
	Estimate(class string, work Work) time.Duration
	Observe(class string, work Work, took time.Duration)
}

const softwareSuffix = "-software"

// rates describe a class: time = overhead + FLOPs/compute + Bytes/transfer.
type rates struct {
	overhead float64 // seconds a call
	compute  float64 // FLOPs a second
	transfer float64 // bytes a second
}

// startRates are what an engine assumes before its first calls: a desktop GPU
// of the last ten years behind PCIe 3 at half its speed, a CPU core with eight
// float32 lanes at an eighth of its peak. They only have to lie on the right
// side of each other; a few calls correct them.
func startRates() map[string]rates {
	threads := float64(runtime.GOMAXPROCS(0))
	return map[string]rates{
		"gpu":                  {overhead: 200e-6, compute: 2e12, transfer: 6e9},
		"gpu" + softwareSuffix: {overhead: 2e-3, compute: 1e9, transfer: 4e9},
		"cpu":                  {overhead: 5e-6, compute: 12e9 * threads, transfer: 10e9},
		"reference":            {overhead: 5e-6, compute: 0.2e9, transfer: 5e9},
	}
}

// otherRates serve backends that are not ours: as a plain CPU loop.
var otherRates = rates{overhead: 5e-6, compute: 5e9, transfer: 5e9}

// learner is the estimator of an engine unless another is given. Each class
// keeps its three rates; a call that was run moves the rate that dominates its
// prediction by an exponentially weighted moving average of the logarithm of
// measured over predicted time.
type learner struct {
	mu      sync.Mutex
	classes map[string]rates
}

// Observation weight, and the most that one call can seem to be off by, so that
// a call beside a busy machine does not undo what was learnt.
const (
	learnWeight = 0.25
	learnClamp  = 8.0
)

func newLearner() *learner { return &learner{classes: startRates()} }

func (l *learner) rates(class string) rates {
	if r, ok := l.classes[class]; ok {
		return r
	}
	return otherRates
}

func (r rates) parts(w Work) (overhead, compute, transfer float64) {
	return r.overhead, w.FLOPs / r.compute, w.Bytes / r.transfer
}

// Estimate returns the predicted time of one call.
func (l *learner) Estimate(class string, w Work) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	overhead, compute, transfer := l.rates(class).parts(w)
	return seconds(overhead + compute + transfer)
}

// Observe moves the rate that dominates the call towards what was measured.
func (l *learner) Observe(class string, w Work, took time.Duration) {
	if took <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rates(class)
	overhead, compute, transfer := r.parts(w)
	ratio := took.Seconds() / (overhead + compute + transfer)
	factor := math.Pow(min(max(ratio, 1/learnClamp), learnClamp), learnWeight)
	switch max(overhead, compute, transfer) {
	case compute:
		r.compute /= factor
	case transfer:
		r.transfer /= factor
	default:
		r.overhead *= factor
	}
	l.classes[class] = r
}

// seconds converts, bounded to what a Duration can hold.
func seconds(s float64) time.Duration {
	if ns := s * 1e9; ns < math.MaxInt64 {
		return time.Duration(ns)
	}
	return math.MaxInt64
}

// sampledRows is the number of query rows whose key ranges stand for all: rows
// see linearly more or fewer keys, so that a few are as good as all.
const sampledRows = 64

// workOf returns the work of p. Lengths, offsets and boolean masks are data and
// not known here: every key counts, and a cache is taken to be full.
func workOf(p attention.Problem) Work {
	geometry := p
	geometry.Lengths, geometry.Masked = false, false
	if geometry.Causal == attention.PerBatch {
		geometry.Causal = attention.BottomRight
	}
	if geometry.Window.Align == attention.PerBatch {
		geometry.Window.Align = attention.BottomRight
	}
	mask := (&attention.Call{Problem: geometry}).Mask(0, 0)
	rows := min(p.QueryLen, sampledRows)
	var keys float64
	for n := range rows {
		i := (2*n + 1) * p.QueryLen / (2 * rows) // the middle of the n-th part
		j0, j1 := mask.KeyRange(i, i+1)
		keys += float64(j1 - j0)
	}
	if rows > 0 {
		keys *= float64(p.QueryLen) / float64(rows)
	}
	pairs := keys * float64(p.Batch) * float64(p.Heads)
	return Work{FLOPs: 2 * float64(p.Dim+p.ValueDim) * pairs, Bytes: math.Max(0, transferred(p))}
}

// transferred returns the bytes that p moves to and from a device.
func transferred(p attention.Problem) float64 {
	rows, keys := float64(p.Batch)*float64(p.Heads)*float64(p.QueryLen), float64(p.Batch)*float64(p.KVHeads)*float64(p.KeyLen)
	bytes := float64(p.Bytes())
	for _, t := range []struct {
		bit   attention.Residents
		bytes float64
	}{
		{attention.ResidentQ, rows * float64(p.Q.Bytes(p.Dim))}, {attention.ResidentO, rows * float64(p.O.Bytes(p.ValueDim))},
		{attention.ResidentK, keys * float64(p.K.Bytes(p.Dim))}, {attention.ResidentV, keys * float64(p.V.Bytes(p.ValueDim))},
	} {
		if p.Resident&t.bit != 0 {
			bytes -= t.bytes
		}
	}
	return bytes
}
