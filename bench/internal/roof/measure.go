package roof

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Rate is the best of several measurements.
type Rate struct {
	PerSecond float64 // operations or bytes
	Loop      string  // what was run: AVX-512, AVX2 or portable Go
	Threads   int
}

// Portable reports whether no assembly was at hand, so that the machine may do more.
func (r Rate) Portable() bool { return r.Loop == portable.name }

// One run is long enough to hide starting the threads, and there are enough of
// them that some are undisturbed: on a quiet machine leastRuns, on a noisy one as
// many as it takes for the best two to agree, up to mostRuns.
const (
	runTime   = 20 * time.Millisecond
	leastRuns = 8
	mostRuns  = 40
	agreement = 0.98
)

// top holds the two best rates so far.
type top struct {
	best, second float64
	runs         int
}

func (t *top) add(rate float64) {
	t.runs++
	if rate > t.best {
		t.best, rate = rate, t.best
	}
	t.second = max(t.second, rate)
}

// settled reports whether more runs are not worth their time. A best rate that a
// second run comes near is what the machine does undisturbed; a lone one may still
// be exceeded.
func (t *top) settled() bool {
	return t.runs >= mostRuns || t.runs >= leastRuns && t.second >= agreement*t.best
}

// best is the loop that this processor should run.
func best() loops { return variants()[0] }

// FMA measures float32 operations a second, two for each multiply-add, with the
// given number of threads. The error is that of ctx.
func FMA(ctx context.Context, threads int) (Rate, error) { return best().measureFMA(ctx, threads) }

func (l loops) measureFMA(ctx context.Context, threads int) (Rate, error) {
	threads = max(1, threads)
	lanes := make([][]float32, threads)
	for n := range lanes {
		lanes[n] = make([]float32, l.lanes, l.lanes+32) // the rest keeps threads off each other's cache lines
	}
	per := float64(2 * fmaSteps * l.lanes * threads)
	rate, err := fastest(ctx, threads, 1<<10, func(n, count int) { l.fma(count, 0.5, 1, lanes[n]) })
	if err != nil {
		return Rate{}, err
	}
	for _, out := range lanes {
		for _, x := range out {
			if x != 2 { // the fixed point of x = x/2 + 1
				return Rate{}, fmt.Errorf("roof: the %s multiply-add loop yields %g, want 2", l.name, x)
			}
		}
	}
	return Rate{PerSecond: rate * per, Loop: l.name, Threads: threads}, nil
}

// Read measures bytes a second when data is read again and again by the given
// number of threads, each its own part. All numbers of data must be 1.
func Read(ctx context.Context, threads int, data []float32) (Rate, error) {
	return best().measureRead(ctx, threads, data, fastest)
}

// ReadOnce is Read as it is at the moment: one undisturbed run or a disturbed one,
// beside which a program sees the same disturbances.
func ReadOnce(ctx context.Context, threads int, data []float32) (Rate, error) {
	return best().measureRead(ctx, threads, data, once)
}

// timer returns the rate in counts a second of work(thread, count) on all threads at once.
type timer func(ctx context.Context, threads, count int, work func(thread, count int)) (float64, error)

func (l loops) measureRead(ctx context.Context, threads int, data []float32, measure timer) (Rate, error) {
	threads = max(1, min(threads, len(data)/sumBlock))
	part := len(data) / threads / sumBlock * sumBlock
	if part == 0 {
		return Rate{}, fmt.Errorf("roof: %d numbers to read, want %d or more", len(data), sumBlock)
	}
	sums := make([][]float32, threads)
	for n := range sums {
		sums[n] = make([]float32, l.width, l.width+32)
	}
	rate, err := measure(ctx, threads, 1, func(n, count int) {
		for range count {
			l.sum(data[n*part:(n+1)*part], sums[n])
		}
	})
	if err != nil {
		return Rate{}, err
	}
	for _, out := range sums {
		var total float64
		for _, x := range out {
			total += float64(x)
		}
		if total != float64(part) {
			return Rate{}, fmt.Errorf("roof: the %s read loop sums %d ones to %g", l.name, part, total)
		}
	}
	return Rate{PerSecond: rate * float64(part) * float64(threads) * 4, Loop: l.name, Threads: threads}, nil
}

// fastest is the timer of the best of several runs, each with a count that takes
// about runTime.
func fastest(ctx context.Context, threads, count int, work func(thread, count int)) (float64, error) {
	var rates top
	for !rates.settled() {
		rate, longer, err := timed(ctx, threads, count, runTime/2, work)
		if err != nil {
			return 0, err
		}
		if count == longer {
			rates.add(rate)
		}
		count = longer
	}
	return rates.best, nil
}

// once is the timer of the first run that is long enough to be timed.
func once(ctx context.Context, threads, count int, work func(thread, count int)) (float64, error) {
	for {
		rate, longer, err := timed(ctx, threads, count, runTime/20, work)
		if err != nil || count == longer {
			return rate, err
		}
		count = longer
	}
}

// timed runs work once and returns its rate, and twice the count if it took less
// than least.
func timed(ctx context.Context, threads, count int, least time.Duration, work func(thread, count int)) (rate float64, longer int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, count, fmt.Errorf("roof: %w", err)
	}
	var group sync.WaitGroup
	start := time.Now()
	for n := 1; n < threads; n++ {
		group.Go(func() { work(n, count) })
	}
	work(0, count)
	group.Wait()
	took := time.Since(start)
	rate = float64(count) / took.Seconds()
	if took < least && count < 1<<40 {
		count *= 2
	}
	return rate, count, nil
}
