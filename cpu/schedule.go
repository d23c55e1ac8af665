package cpu

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/glattn/attention"
)

// job is one call under way and the memory it uses. Plans keep finished ones
// for the next call.
type job struct {
	plan    *plan
	ctx     context.Context // of the call; a job lives no longer than it
	call    *attention.Call
	cut     cut
	adjusts bool // scores need more than Q·Kᵀ and a mask

	keys, values source

	units   int
	next    atomic.Int64 // the next unit to take
	workers []*worker
	running sync.WaitGroup
	rescue  rescue

	// With several key blocks, each unit has a slot for its partial, and each row
	// block the number of units it still waits for.
	numbers []float32
	waiting []atomic.Int32
}

func newJob(p *plan) *job { return &job{plan: p} }

// run computes call on the calling goroutine and as many more as are allowed
// and useful.
func (j *job) run(ctx context.Context, call *attention.Call) error {
	j.prepare(ctx, call)
	n := min(j.plan.backend.options.Threads, j.units, worthwhile(call.Problem))
	for len(j.workers) < n {
		w := &worker{job: j}
		w.start = func() { j.plan.backend.crew.help(w) }
		j.workers = append(j.workers, w)
	}
	if n > 0 {
		j.running.Add(n)
		for _, w := range j.workers[1:n] {
			w.fit()
			j.plan.backend.crew.start(w)
		}
		j.workers[0].fit()
		j.workers[0].main()
		j.running.Wait()
	}
	j.ctx, j.call, j.keys, j.values = nil, nil, source{}, source{} // the pool must not keep the caller's tensors alive
	j.rescue.rethrow()
	return ctx.Err()
}

// worthwhile returns for how many goroutines p has work: some ten microseconds each,
// what waking one may take.
func worthwhile(p attention.Problem) int {
	const least, most = 1 << 20, 1 << 16 // multiply-adds, goroutines
	const perSet = 1 << 14               // multiply-adds in the time it takes to begin and end a set of rows
	sets := float64(p.Batch) * float64(p.KVHeads)
	pairs := float64(p.Batch) * float64(p.Heads) * float64(p.QueryLen) * float64(p.KeyLen)
	return 1 + int(min((pairs*float64(p.Dim+p.ValueDim)+sets*perSet)/least, most))
}

func (j *job) prepare(ctx context.Context, call *attention.Call) {
	p := call.Problem
	j.ctx, j.call, j.cut = ctx, call, cutOf(p, j.plan.set, j.plan.backend.options.Threads)
	j.adjusts = j.plan.scale.score != 1 || p.Softcap > 0 || p.Bias != attention.NoType
	j.keys, j.values = sourceOf(&call.In.K, j.cut.dim), sourceOf(&call.In.V, j.cut.stride)
	j.units = j.cut.units(p.Batch)
	j.next.Store(0)
	if j.cut.keyBlocks == 1 {
		return
	}
	j.numbers = resized(j.numbers, j.units*j.slotSize())
	j.waiting = resized(j.waiting, j.units/j.cut.keyBlocks)
	for n := range j.waiting {
		j.waiting[n].Store(int32(j.cut.keyBlocks))
	}
}

// slotSize returns what the partial of any row block needs at most, in whole
// cache lines.
func (j *job) slotSize() int {
	return roundUp(partialSize(j.cut.paddedRows(min(j.cut.rowBlock, j.cut.rows)), j.cut.stride), 16)
}

// slot returns the place of a unit's partial.
func (j *job) slot(u unit, ofKeyBlock int) partial {
	n := u.block*j.cut.keyBlocks + ofKeyBlock
	return makePartial(j.numbers[n*j.slotSize():][:j.slotSize()], j.cut.paddedRows(u.rowHigh-u.rowLow), j.cut.stride)
}

// main takes units until none is left or the call is cancelled.
func (w *worker) main() {
	j := w.job
	defer j.running.Done()
	defer j.rescue.catch()
	for j.ctx.Err() == nil {
		n := int(j.next.Add(1) - 1)
		if n >= j.units {
			return
		}
		u := j.cut.unit(n, j.call.Problem.KeyLen, j.call.Problem.Batch)
		if j.cut.keyBlocks == 1 {
			result := makePartial(w.numbers, j.cut.paddedRows(u.rowHigh-u.rowLow), j.cut.stride)
			if w.compute(u, &result) {
				result.store(w.set, j.call, u.batch, w.rows)
			}
			continue
		}
		result := j.slot(u, u.ofKeyBlock)
		if !w.compute(u, &result) {
			return
		}
		if j.waiting[u.block].Add(-1) == 0 { // all the others are done and visible
			w.join(u)
		}
	}
}

// join merges the partials of a row block in the order of their keys, whoever
// finished last, and stores the result.
func (w *worker) join(u unit) {
	j := w.job
	result := j.slot(u, 0)
	for n := 1; n < j.cut.keyBlocks; n++ {
		other := j.slot(u, n)
		result.merge(w.set, &other, u.rowHigh-u.rowLow, w.running)
	}
	result.store(w.set, j.call, u.batch, w.rows)
}
