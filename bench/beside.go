package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/glattn/attention/bench/internal/roof"
)

// beside holds what reading memory comes to in turn with what is timed. A machine that
// others use too reads memory at half the rate in one second and at all of it in the
// next: the roof of another moment says little about a call that waits for memory.
type beside struct {
	rates map[cpuKey][]float64 // GB/s
	begun time.Time            // of the first sample
	spent time.Duration        // on samples
}

// sample reads once for each roof, unless half the time went to samples already.
func (b *beside) sample(ctx context.Context, roofs *Roofs) error {
	start := time.Now()
	if b.spent == 0 {
		b.begun = start
	} else if 2*b.spent > start.Sub(b.begun) {
		return nil
	}
	for key := range b.rates {
		rate, err := roofs.readOnce(ctx, key)
		if err != nil {
			return err
		}
		b.rates[key] = append(b.rates[key], rate.PerSecond/1e9)
	}
	b.spent += time.Since(start)
	return nil
}

// lower puts the median of the samples in the place of the read roof, if there are any
// for it. What a program reached, GB/s, is no more than the machine can do.
func (b *beside) lower(c *ceilings, key cpuKey, reached float64) {
	now := middle(b.rates[key])
	if now == 0 {
		return
	}
	c.read.Value = max(reached, now)
	c.read.How += ", in turn with the calls"
}

func (r *Roofs) readOnce(ctx context.Context, key cpuKey) (roof.Rate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rate, err := roof.ReadOnce(ctx, key.threads, r.stream(key))
	if err != nil {
		return rate, fmt.Errorf("bench: %w", err)
	}
	return rate, nil
}
