package cpu

import (
	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/mutate"
)

// row is one query row of a unit: where it comes from and which keys [low, high)
// the causal rule, the window and the length leave it.
type row struct{ head, query, low, high int }

// panel is rows that are computed together. Some key in [low, high) is
// left to some row; every key in [allLow, allHigh) is left to every row.
type panel struct {
	first, lanes    int // rows first to first+lanes−1
	low, high       int
	allLow, allHigh int
}

// locate fills in the rows of a unit, and its KV head.
func (w *worker) locate(u unit) (kvHead int) {
	p, c := &w.job.call.Problem, &w.job.cut
	group := p.Group()
	tiled := w.job.plan.mutation == mutate.HeadsTiled
	kvHead = u.set
	if !c.packed {
		kvHead = u.set / group
		if tiled {
			kvHead = u.set % p.KVHeads
		}
	}
	w.rows = w.rows[:0]
	var mask attention.Mask
	head := -1 // of mask
	for n := u.rowLow; n < u.rowHigh; n++ {
		r := row{head: u.set, query: n}
		if c.packed {
			r.head, r.query = u.set*group+n/p.QueryLen, n%p.QueryLen
			if tiled {
				r.head = u.set + n/p.QueryLen*p.KVHeads
			}
		}
		if r.head != head {
			head, mask = r.head, w.job.call.Mask(u.batch, r.head)
		}
		r.low, r.high = keyRange(&mask, &p.Options, w.job.plan.mutation, r.query)
		w.rows = append(w.rows, r)
	}
	return kvHead
}

// keyRange returns the keys that the geometry leaves to a query. It is exact:
// only a boolean mask or a bias hides a key inside it.
func keyRange(mask *attention.Mask, o *attention.Options, mutation mutate.Kind, query int) (low, high int) {
	low, high = mask.KeyRange(query, query+1)
	if mutation == mutate.None || low == high {
		return low, high
	}
	switch {
	case mutation == mutate.CausalOffByOne && o.Causal != attention.Off:
		high = min(mask.KeyLen(), high+1)
	case mutation == mutate.WindowOffByOne && o.Window.Align != attention.Off:
		if o.Window.Left >= 0 {
			low = max(0, low-1)
		} else {
			high = min(mask.KeyLen(), high+1)
		}
	}
	return low, high
}

// arrange groups the rows into panels of at most lanes rows and returns the keys
// that any of them needs, (0, 0) for none.
func (w *worker) arrange(lanes int) (low, high int) {
	w.panels = w.panels[:0]
	for first := 0; first < len(w.rows); first += lanes {
		n := min(lanes, len(w.rows)-first)
		p := panel{first: first, lanes: n, allHigh: w.rows[first].high}
		for i, r := range w.rows[first : first+n] {
			p.allLow, p.allHigh = max(p.allLow, r.low), min(p.allHigh, r.high)
			p.low, p.high = span(p.low, p.high, r.low, r.high)
			if !w.job.cut.narrow {
				w.low[first+i], w.high[first+i] = int32(r.low), int32(r.high)
			}
		}
		low, high = span(low, high, p.low, p.high)
		w.panels = append(w.panels, p)
	}
	return low, high
}

// span returns the smallest range that holds two ranges, of which either may be empty.
func span(low, high, low2, high2 int) (int, int) {
	switch {
	case low2 >= high2:
		return low, high
	case low >= high:
		return low2, high2
	}
	return min(low, low2), max(high, high2)
}
