package gpu

import "time"

// defaultBudget is how long a dispatch may take unless Options say otherwise: far below
// the watchdogs of drivers, the strictest of which resets the device after half a second
// to two.
const defaultBudget = 50 * time.Millisecond

func (b *Backend) budget() time.Duration {
	if b.opt.Budget > 0 {
		return b.opt.Budget
	}
	return defaultBudget
}

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

// allowed returns the floating-point operations that fit the budget, with some to spare:
// a dispatch may turn out slower than those before.
func (p pace) allowed(budget time.Duration) float64 { return 0.8 * p.flops * budget.Seconds() }

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
