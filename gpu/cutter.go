package gpu

// cut is the part of a job that one dispatch computes.
type cut struct {
	batch, batches int // first and number
	head, heads    int // KV heads
	row, rows      int // rows of each KV head
	split, splits  int // ranges of keys, each of which has its own partial result
}

// cutter walks over a job in cuts. Rows are cut at multiples of step, the rows of
// a work group, so that a cut changes no bits.
type cutter struct {
	batches, heads, rows, step, splits int

	groupsPerHead int     // work groups along y; heads and batches keep to maxGroups
	mostSplits    int     // of a dispatch, to keep to maxGroups; 0 for all
	costPerRow    float64 // floating-point operations, over all splits
	at            cut
	done          bool
}

// cost returns the floating-point operations of a cut.
func (w *cutter) cost(c cut) float64 {
	return w.costPerRow * float64(c.rows*c.heads*c.batches) * float64(c.splits) / float64(w.splits)
}

// next returns a cut of at most allowed operations, but at least one work group.
func (w *cutter) next(allowed float64) (cut, bool) {
	if w.done {
		return cut{}, false
	}
	rows := int(min(allowed/w.costPerRow, 1e15)) // affordable
	if w.rows/w.step >= maxGroups {
		rows = min(rows, maxGroups*w.step)
	}
	mostHeads := max(maxGroups/w.groupsPerHead, 1)
	c := w.at
	c.batches, c.heads, c.rows, c.splits = 1, 1, w.rows-c.row, w.splits-c.split
	switch {
	case c.split > 0 || rows < min(w.step, c.rows) && w.splits > 1 || w.mostSplits > 0 && w.splits > w.mostSplits:
		c.rows = min(c.rows, w.step)
		c.splits = min(c.splits, max(1, int(min(allowed/w.costPerRow/float64(c.rows)*float64(w.splits), 1e15))))
		if w.mostSplits > 0 {
			c.splits = min(c.splits, w.mostSplits)
		}
	case c.row > 0 || rows < w.rows:
		c.rows = min(c.rows, max(rows/w.step, 1)*w.step)
	case c.head > 0 || rows/w.rows < w.heads || mostHeads < w.heads:
		c.heads = min(w.heads-c.head, max(rows/w.rows, 1), mostHeads)
	default:
		c.heads = w.heads
		c.batches = min(w.batches-c.batch, max(rows/w.rows/w.heads, 1), maxGroups)
	}
	w.advance(c)
	return c, true
}

func (w *cutter) advance(c cut) {
	w.at = cut{batch: c.batch, head: c.head, row: c.row, split: c.split + c.splits}
	if w.at.split == w.splits {
		w.at.split, w.at.row = 0, c.row+c.rows
	}
	if w.at.row == w.rows {
		w.at.row, w.at.head = 0, c.head+c.heads
	}
	if w.at.head == w.heads {
		w.at.head, w.at.batch = 0, c.batch+c.batches
	}
	w.done = w.at.batch == w.batches
}
