package gpu

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/glattn/attention"
)

// A device that was lost is opened again by the next call, at once the first time.
// If it is lost again within lossMemory the attempts rest for reviveMin, and twice
// as long after each further loss or failure, up to reviveMax: a kernel that hangs
// its device must not hang it every other second.
const (
	reviveMin  = time.Second
	reviveMax  = time.Minute
	lossMemory = 5 * time.Minute
)

// health is what a backend knows of its device. Its zero value is healthy.
type health struct {
	mu       sync.Mutex
	cause    error // nil while the device works
	marked   time.Time
	rest     time.Duration
	until    time.Time // no attempt to open it again before
	losses   int
	rebuilds int
	refused  map[Variant]error
}

// Health is the state of a backend's device.
type Health struct {
	Lost        error     // why the device does not work now; nil if it does
	NextAttempt time.Time // when it may be opened again, if Lost
	Losses      int       // since Open
	Rebuilds    int       // contexts made since Open to replace lost ones
	// Refused are the variants that the driver could not compile and those in
	// quarantine, by their names, with a CompileError or SelfTestError each.
	Refused map[string]error
}

// Health returns the state of the device.
func (b *Backend) Health() Health {
	h := &b.health
	h.mu.Lock()
	defer h.mu.Unlock()
	state := Health{Lost: h.cause, Losses: h.losses, Rebuilds: h.rebuilds, Refused: map[string]error{}}
	if h.cause != nil {
		state.NextAttempt = h.until
	}
	for v, err := range h.refused {
		state.Refused[v.String()] = err
	}
	return state
}

// String is one line for logs.
func (h Health) String() string {
	parts := []string{"well"}
	if h.Lost != nil {
		parts[0] = fmt.Sprintf("lost: %v", h.Lost)
	}
	if h.Losses > 0 {
		parts = append(parts, fmt.Sprintf("%d losses, %d rebuilds", h.Losses, h.Rebuilds))
	}
	for _, name := range slices.Sorted(maps.Keys(h.Refused)) {
		parts = append(parts, name+" refused")
	}
	return strings.Join(parts, "; ")
}

// lose records a loss, or a failure to open the device again.
func (h *health) lose(now time.Time, cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cause == nil {
		h.losses++
		if h.marked.IsZero() || now.Sub(h.marked) > lossMemory {
			h.cause, h.marked, h.rest, h.until = cause, now, 0, now
			return
		}
	}
	h.rest = min(max(2*h.rest, reviveMin), reviveMax)
	h.cause, h.marked, h.until = cause, now, now.Add(h.rest)
}

// resting returns an error while the device may not be opened again.
func (h *health) resting(now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cause == nil || !now.Before(h.until) {
		return nil
	}
	return fmt.Errorf("gpu: %w: opened again in %v at the earliest: %w", attention.ErrDeviceLost, h.until.Sub(now), h.cause)
}

func (h *health) revived() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cause = nil
	h.rebuilds++
}

// refuse remembers that a variant cannot be used on the device.
func (h *health) refuse(v Variant, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refused == nil {
		h.refused = map[Variant]error{}
	}
	h.refused[v] = err
}

// refusal returns why a variant cannot be used, nil if it can as far as is known.
func (h *health) refusal(v Variant) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refused[v]
}

// guarded runs work of the GL thread: on a context that works, made now if the last
// one was lost. Plans made before a loss go on working, since they hold nothing of
// the device.
func (b *Backend) guarded(work func() error) error {
	if err := b.revive(); err != nil {
		return err
	}
	if b.opt.Context != nil {
		if !b.c.Current() && b.c.ResetStatus() == nil {
			return fmt.Errorf("gpu: %w: the given context is not current on the thread of Options.Run", attention.ErrUnavailable)
		}
		b.c.Forget() // errors of whoever used the context before
	}
	err := b.keepState(work)
	if glErr := b.c.Check("work"); err == nil && glErr != nil { // which would be blamed on who comes next
		err = translate(glErr)
	}
	if errors.Is(err, attention.ErrOutOfMemory) {
		b.buffers.drop() // others may need what is kept for later
		b.returns.drop()
	}
	lost := b.c.ResetStatus() // which the last call of the work may have met
	var before *LostMemoryError
	if lost == nil && errors.Is(err, attention.ErrDeviceLost) && !errors.As(err, &before) {
		lost = err
	}
	if lost == nil {
		return err
	}
	lost = translate(lost)
	b.health.lose(b.now(), lost)
	b.down = true // torn down by the next work: this one's caller may still look at mapped memory
	b.live.Store(nil)
	if err == nil || errors.Is(err, attention.ErrDeviceLost) {
		return err // work that was done before the loss was found is done
	}
	return errors.Join(err, lost)
}

// keepState runs work so that the state of a context that others use meanwhile is the
// same afterwards.
func (b *Backend) keepState(work func() error) error {
	if b.opt.Run == nil {
		return protect(work) // here, so that what follows happens after a panic too
	}
	state := b.c.Save()
	err := protect(work)
	if restoreErr := b.c.Restore(state); err == nil && restoreErr != nil {
		err = fmt.Errorf("gpu: restoring the state of the given context: %w", translate(restoreErr))
	}
	return err
}

// revive opens the device anew if it was lost.
func (b *Backend) revive() error {
	if b.down {
		_ = b.tearDown() // of a lost context nothing can fail that was not lost already
	}
	if b.c != nil {
		return nil
	}
	if b.opt.Context != nil {
		return fmt.Errorf("gpu: %w: the given context; only its owner can make another: %w", attention.ErrDeviceLost, b.Health().Lost)
	}
	if err := b.health.resting(b.now()); err != nil {
		return err
	}
	if err := b.setUp(); err != nil {
		err = fmt.Errorf("gpu: %w: opening it again: %w", attention.ErrDeviceLost, err)
		b.health.lose(b.now(), err)
		return err
	}
	b.health.revived()
	return nil
}
