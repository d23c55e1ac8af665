package gpu

import "time"

// budget is how long a dispatch may take: far below the watchdogs of drivers, the
// strictest of which resets the device after half a second to two.
const budget = 50 * time.Millisecond

// pace predicts how long the dispatches of a program take. It is unknown at first,
// so the first rate is what the slowest devices reach; each measured dispatch
// corrects it, but for the first, in which drivers finish compiling.
type pace struct {
	flops  float64 // per second
	warmed bool
}

func newPace(software bool) pace {
	if software {
		return pace{flops: 1e9}
	}
	return pace{flops: 50e9}
}

// allowed returns the floating-point operations that fit the budget.
func (p pace) allowed() float64 { return p.flops * budget.Seconds() }

// learn takes the time of a dispatch into account. Short ones say little about
// the rate, since the cost of submitting hides it.
func (p *pace) learn(flops float64, took time.Duration) {
	if took <= 0 || flops <= 0 {
		return
	}
	if !p.warmed {
		p.warmed = true
		return
	}
	rate := flops / took.Seconds()
	switch {
	case rate < p.flops && took < time.Millisecond:
	case rate > 4*p.flops:
		p.flops *= 4 // grow in steps: one lucky measurement must not unbound the next dispatch
	default:
		p.flops += (rate - p.flops) / 2
	}
}

// cut is the part of a job that one dispatch computes.
type cut struct {
	batch, batches int // first and number
	head, heads    int // KV heads
	row, rows      int // rows of each KV head
}

// cutter walks over a job in cuts. Rows are cut at multiples of step, the rows of
// a work group, so that a cut changes no bits.
type cutter struct {
	batches, heads, rows, step int
	groupsPerHead              int     // work groups along y; heads and batches keep to maxGroups
	costPerRow                 float64 // floating-point operations
	at                         cut
	done                       bool
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
	c.batches, c.heads, c.rows = 1, 1, w.rows-c.row
	switch {
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
	w.at = cut{batch: c.batch, head: c.head, row: c.row + c.rows}
	if w.at.row == w.rows {
		w.at.row, w.at.head = 0, c.head+c.heads
	}
	if w.at.head == w.heads {
		w.at.head, w.at.batch = 0, c.batch+c.batches
	}
	w.done = w.at.batch == w.batches
}
