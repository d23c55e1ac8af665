package dispatch

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/glattn/attention"
)

// planKey names a plan: the backend's place in the engine and the capacity.
type planKey struct {
	member  int
	problem attention.Problem
}

// planEntry is a plan, or one that is being made.
type planEntry struct {
	key    planKey
	member *member
	ready  chan struct{} // closed when plan, name and err are set
	plan   attention.Plan
	name   string
	err    error
	warm   atomic.Bool // has run once

	// Guarded by the cache's lock.
	users   int  // calls that hold or await it
	made    bool // ready is closed
	dropped bool // no longer in the cache: the last user closes it
	cancel  context.CancelFunc
	place   *list.Element
}

// planCache keeps the plans used last. Each is made once, however many calls ask
// for it at the same time, and closed when it is evicted and no run uses it.
type planCache struct {
	limit   int
	emit    func(Event)
	planned atomic.Int64
	evicted atomic.Int64
	making  sync.WaitGroup

	mu      sync.Mutex
	entries map[planKey]*planEntry
	recent  *list.List // of *planEntry, the one used last in front
	faults  []error    // of closing plans
}

func newPlanCache(limit int, emit func(Event)) *planCache {
	return &planCache{limit: limit, emit: emit, entries: map[planKey]*planEntry{}, recent: list.New()}
}

// acquire returns m's plan for p, which the caller must release. A caller whose
// context ends leaves; planning itself is cancelled only when all have left.
func (c *planCache) acquire(ctx context.Context, m *member, p attention.Problem) (*planEntry, error) {
	key := planKey{m.index, p}
	c.mu.Lock()
	entry, victims := c.entries[key], []*planEntry(nil)
	first := entry == nil
	if first {
		entry, victims = c.start(ctx, m, key)
	}
	c.recent.MoveToFront(entry.place)
	entry.users++
	c.mu.Unlock()
	c.closePlans(victims)
	select {
	case <-entry.ready:
	case <-ctx.Done():
		c.release(entry)
		return nil, ctx.Err()
	}
	if entry.err != nil {
		c.release(entry)
		return nil, entry.err
	}
	if first {
		c.emit(Event{Kind: EventPlanned, Backend: m.name, Problem: p})
	}
	return entry, nil
}

// start begins making a plan and returns the entries that gave it room, which
// the caller closes after unlocking.
func (c *planCache) start(ctx context.Context, m *member, key planKey) (entry *planEntry, victims []*planEntry) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	entry = &planEntry{key: key, member: m, ready: make(chan struct{}), cancel: cancel}
	entry.place = c.recent.PushFront(entry)
	c.entries[key] = entry
	for oldest := c.recent.Back(); c.recent.Len() > c.limit; oldest = c.recent.Back() {
		c.evicted.Add(1)
		victims = append(victims, c.remove(oldest.Value.(*planEntry))...)
	}
	c.making.Go(func() { c.make(ctx, entry) })
	return entry, victims
}

func (c *planCache) make(ctx context.Context, entry *planEntry) {
	defer entry.cancel()
	plan, err := entry.member.plan(ctx, entry.key.problem)
	if err == nil {
		entry.plan, entry.name = plan, entry.member.describe(plan)
		c.planned.Add(1)
	}
	entry.err = err
	c.mu.Lock()
	var idle []*planEntry
	entry.made = true
	switch {
	case err != nil:
		c.remove(entry) // the next call tries again
	case entry.dropped && entry.users == 0:
		idle = append(idle, entry)
	}
	close(entry.ready)
	c.mu.Unlock()
	c.closePlans(idle)
}

// release ends a caller's use of an entry.
func (c *planCache) release(entry *planEntry) {
	c.mu.Lock()
	var idle []*planEntry
	if entry.users--; entry.users == 0 {
		switch {
		case !entry.made: // nobody waits for it any more
			c.remove(entry)
			entry.cancel()
		case entry.dropped && entry.plan != nil:
			idle = append(idle, entry)
		}
	}
	c.mu.Unlock()
	c.closePlans(idle)
}

// remove takes an entry out of the cache and returns it if it is to be closed
// now. The lock is held.
func (c *planCache) remove(entry *planEntry) []*planEntry {
	if entry.dropped {
		return nil
	}
	entry.dropped = true
	c.recent.Remove(entry.place)
	delete(c.entries, entry.key)
	if entry.made && entry.users == 0 && entry.plan != nil {
		return []*planEntry{entry}
	}
	return nil
}

// drop takes all plans of a member out of the cache.
func (c *planCache) drop(m *member) {
	c.mu.Lock()
	var idle []*planEntry
	for _, entry := range c.entries {
		if entry.member == m {
			idle = append(idle, c.remove(entry)...)
		}
	}
	c.mu.Unlock()
	c.closePlans(idle)
}

// close closes every plan. No call may be running.
func (c *planCache) close() error {
	c.making.Wait()
	c.mu.Lock()
	var idle []*planEntry
	for element := c.recent.Front(); element != nil; element = c.recent.Front() {
		idle = append(idle, c.remove(element.Value.(*planEntry))...)
	}
	c.mu.Unlock()
	c.closePlans(idle)
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.faults...)
}

// faultLimit bounds the errors kept for the engine's Close.
const faultLimit = 16

func (c *planCache) closePlans(entries []*planEntry) {
	for _, entry := range entries {
		err := entry.member.closePlan(entry.plan)
		if err == nil {
			continue
		}
		c.mu.Lock()
		if len(c.faults) < faultLimit {
			c.faults = append(c.faults, fmt.Errorf("dispatch: closing plan of backend %q: %w", entry.member.name, err))
		}
		c.mu.Unlock()
	}
}
