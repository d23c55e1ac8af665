package gpu

import (
	"github.com/glattn/attention"
)

// span is a range of queries or keys.
type span struct{ low, high int }

func (s span) size() int { return s.high - s.low }

// work is a part of a call that is computed by itself: some batch entries and KV heads,
// in ranges of queries and of keys. Partial results of the ranges of keys are merged.
type work struct {
	region
	queries, keys []span
}

// jobBudget is the device memory a job may take, well within the smallest GPUs.
const jobBudget = 1 << 30

// sizer finds how much of a problem fits the device's storage blocks, of limit bytes
// each, and the budget together. What lies on the device already takes no room, but has to
// be bound too.
type sizer struct {
	problem attention.Problem
	variant Variant
	on      residents
	limit   int64
}

func (s sizer) fits(batch, heads, queries, keys int) bool {
	p := s.problem
	p.QueryLen, p.KeyLen = queries, keys
	n := jobBytes(p, batch, heads).withPartials(s.variant.splits(s.problem.KeyLen))
	for _, o := range []struct {
		place *located
		bytes *int64
	}{{s.on.k, &n.k}, {s.on.v, &n.v}} {
		if o.place == nil {
			continue
		}
		if o.place.bytes(batch, heads, keys) > s.limit {
			return false
		}
		*o.bytes = 0
	}
	return n.largest() <= s.limit && n.total() <= jobBudget
}

// queryStep and keyStep are what ranges of queries and keys begin at multiples of: then
// the same rows meet in a work group, and the same keys in a partial result, as without
// cuts, so that a cut changes no bits.
func (s sizer) queryStep() int {
	rows := s.variant.Tile.rowsPerGroup(s.variant.Kernel)
	return rows / gcd(rows, s.problem.Group()) // rows count query by query
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (s sizer) keyStep() int { return s.variant.Tile.Split }

// most returns the greatest number up to all for which ok, all or a multiple of step; 0 if
// there is none. What fits in n fits in less.
func most(all, step int, ok func(n int) bool) int {
	if ok(all) {
		return all
	}
	low, high := 0, (all-1)/max(step, 1)
	for low < high {
		if middle := (low + high + 1) / 2; ok(middle * step) {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low * step
}

// cuts returns the parts of the problem, nil if not even the least fits: a step of
// queries of one KV head with a step of keys.
func (s sizer) cuts() []work {
	p := s.problem
	all := []span{{0, p.QueryLen}}
	if heads := most(p.KVHeads, 1, func(n int) bool { return s.fits(1, n, p.QueryLen, p.KeyLen) }); heads > 0 {
		batch := 1
		if heads == p.KVHeads {
			batch = max(1, most(p.Batch, 1, func(n int) bool { return s.fits(n, heads, p.QueryLen, p.KeyLen) }))
		}
		return s.regions(batch, heads, all, []span{{0, p.KeyLen}})
	}
	step := s.queryStep()
	if step == 0 {
		return nil
	}
	least := min(step, p.QueryLen)
	keys := most(p.KeyLen, s.keyStep(), func(n int) bool { return n > 0 && s.fits(1, 1, least, n) })
	if keys == 0 {
		return nil
	}
	queries := most(p.QueryLen, step, func(n int) bool { return s.fits(1, 1, n, keys) })
	return s.regions(1, 1, spans(p.QueryLen, queries), spans(p.KeyLen, keys))
}

func spans(all, each int) []span {
	var list []span
	for low := 0; low < all; low += each {
		list = append(list, span{low, min(low+each, all)})
	}
	return list
}

func (s sizer) regions(batch, heads int, queries, keys []span) []work {
	var list []work
	for b := 0; b < s.problem.Batch; b += batch {
		for g := 0; g < s.problem.KVHeads; g += heads {
			list = append(list, work{region{b, min(b+batch, s.problem.Batch), g, min(g+heads, s.problem.KVHeads)}, queries, keys})
		}
	}
	return list
}

// queryHeads returns the region of the query heads that belong to the KV heads of r.
func (r region) queryHeads(group int) region {
	return region{r.b0, r.b1, r.h0 * group, r.h1 * group}
}

// part returns the problem of a region alone, with some of its queries and keys.
func part(p attention.Problem, r region, queries, keys span) attention.Problem {
	p.Batch, p.KVHeads, p.Heads = r.b1-r.b0, r.h1-r.h0, (r.h1-r.h0)*p.Group()
	p.QueryLen, p.KeyLen = queries.size(), keys.size()
	return p
}
