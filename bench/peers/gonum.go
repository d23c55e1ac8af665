package main

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/glattn/attention"
)

// gonum is the plain formula over gonum's BLAS, what a Go program would otherwise write.
type gonum struct{}

func (gonum) name() string { return "gonum" }

func (gonum) candidates(_ context.Context, j *job) ([]candidate, error) {
	if j.half() {
		return nil, fmt.Errorf("%w: gonum's BLAS has no float16", attention.ErrUnsupported)
	}
	return []candidate{{how: "blas32.Gemm, heads over goroutines", layout: byHead, tolerance: singleTolerance,
		start: func(context.Context) (runner, error) { return newGonumRunner(j), nil }}}, nil
}

// gonumRunner computes, for each KV head with the rows of its query heads as one matrix,
//
//	s = scale·q·kᵀ, p = softmax(s), o = p·v
type gonumRunner struct {
	job    *job
	out    []float32
	scores []blas32.General // of each goroutine
}

func newGonumRunner(j *job) *gonumRunner {
	p := j.problem
	r := &gonumRunner{job: j, out: make([]float32, p.Batch*p.Heads*p.QueryLen*p.ValueDim)}
	for range max(1, min(j.threads, p.Batch*p.KVHeads)) {
		r.scores = append(r.scores, matrix(make([]float32, p.Group()*p.QueryLen*p.KeyLen), p.KeyLen))
	}
	return r
}

// matrix views data as rows of the given width.
func matrix(data []float32, width int) blas32.General {
	return blas32.General{Rows: len(data) / width, Cols: width, Stride: width, Data: data}
}

func (r *gonumRunner) run(ctx context.Context) (time.Duration, float64, error) {
	blank(r.out)
	start := time.Now()
	heads := make(chan int)
	var group sync.WaitGroup
	for _, scores := range r.scores {
		group.Go(func() {
			for head := range heads {
				r.head(head, scores)
			}
		})
	}
	for head := range r.job.problem.Batch * r.job.problem.KVHeads {
		if ctx.Err() != nil {
			break
		}
		heads <- head
	}
	close(heads)
	group.Wait()
	return time.Since(start), magnitudes(r.out), ctx.Err()
}

// head computes the n-th KV head, counted over the batch.
func (r *gonumRunner) head(n int, s blas32.General) {
	p := r.job.problem
	part := func(data []float32, rows, width int) blas32.General {
		return matrix(data[n*rows*width:(n+1)*rows*width], width)
	}
	q := part(r.job.in.Q.Float32s(), s.Rows, p.Dim)
	k := part(r.job.in.K.Float32s(), p.KeyLen, p.Dim)
	v := part(r.job.in.V.Float32s(), p.KeyLen, p.ValueDim)
	o := part(r.out, s.Rows, p.ValueDim)
	blas32.Gemm(blas.NoTrans, blas.Trans, r.job.scale(), q, k, 0, s)
	for row := range s.Rows {
		seen := p.KeyLen
		if p.Causal != attention.Off {
			seen = max(0, min(seen, row%p.QueryLen+r.job.offset()+1))
		}
		softmax(s.Data[row*s.Stride:(row+1)*s.Stride], seen)
	}
	blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, s, v, 0, o)
}

// softmax turns the first n of a row's scores into weights that sum to 1, the rest into 0.
func softmax(row []float32, n int) {
	top := float32(math.Inf(-1))
	for _, x := range row[:n] {
		top = max(top, x)
	}
	sum := float32(0)
	for i, x := range row[:n] {
		row[i] = float32(math.Exp(float64(x - top)))
		sum += row[i]
	}
	for i := range row[:n] {
		row[i] /= sum
	}
	clear(row[n:])
}

// rest and wake do nothing: goroutines are gone when a run ends.
func (*gonumRunner) rest() error { return nil }
func (*gonumRunner) wake() error { return nil }

func (r *gonumRunner) output(context.Context) ([]float32, error) { return r.out, nil }

func (r *gonumRunner) close() error { return nil }

// about takes the version from what was linked.
func (r *gonumRunner) about() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "gonum.org/v1/gonum" {
				return "gonum " + m.Version
			}
		}
	}
	return "gonum"
}
