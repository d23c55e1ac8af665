package dispatch

import (
	"fmt"
	"slices"
	"time"

	"github.com/glattn/attention"
)

// Explanation says what the engine would do with a problem now, and why.
type Explanation struct {
	Problem string `json:"problem"`
	// Chosen is the backend that would be tried first; empty, with a Reason, if none.
	Chosen      string        `json:"chosen"`
	Reason      string        `json:"reason,omitempty"`
	Predicted   time.Duration `json:"-"`
	PredictedMS float64       `json:"predicted_ms"`
	// Candidates lists every backend, in the order in which they would be tried.
	Candidates []Candidate `json:"candidates"`
}

// Candidate is one backend of an [Explanation].
type Candidate struct {
	Backend     string        `json:"backend"`
	Device      string        `json:"device,omitempty"`
	Software    bool          `json:"software,omitempty"` // a software rasteriser
	Copies      bool          `json:"copies,omitempty"`   // it gets copies of what lies on another device
	Chosen      bool          `json:"chosen"`
	Reason      string        `json:"reason,omitempty"` // why it is not chosen
	Predicted   time.Duration `json:"-"`
	PredictedMS float64       `json:"predicted_ms,omitempty"` // 0 for a backend that cannot run the problem
}

// Explain returns the choice for a problem as data. It plans nothing and changes
// nothing; a closed engine or an invalid problem gives an explanation without a
// choice.
func (e *Engine) Explain(p attention.Problem) Explanation {
	x := Explanation{Problem: p.String()}
	if err := e.enter(); err != nil {
		x.Reason = err.Error()
		return x
	}
	defer e.running.Done()
	if err := p.Validate(); err != nil {
		x.Reason = err.Error()
		return x
	}
	ready, resting, refused := e.sort(p)
	for n, c := range slices.Concat(ready, resting) {
		if n == 0 {
			c.Chosen, c.Reason = true, ""
			x.Chosen, x.Predicted, x.PredictedMS = c.Backend, c.Predicted, c.PredictedMS
		} else if c.Reason == "" {
			c.Reason = behind(c, x)
		}
		x.Candidates = append(x.Candidates, c)
	}
	x.Candidates = append(x.Candidates, refused...)
	if x.Chosen == "" {
		x.Reason = "no backend runs the problem"
	}
	return x
}

// sort divides all backends as a call would find them: ready and resting ones in
// the order of their ranks, and those that are out of the question.
func (e *Engine) sort(p attention.Problem) (ready, resting, refused []Candidate) {
	now := e.clock()
	for _, c := range e.rank(p) {
		shown := Candidate{Backend: c.name, Software: c.software, Copies: c.copies, Device: deviceName(c.backend)}
		if _, err := c.serves(p); err != nil {
			shown.Reason = string(Unsupported) + ": " + err.Error()
			refused = append(refused, shown)
			continue
		}
		shown.Predicted, shown.PredictedMS = c.predicted, c.predicted.Seconds()*1e3
		if err := c.peek(now, p); err != nil {
			shown.Reason = string(Unhealthy) + ": " + err.Error()
			resting = append(resting, shown)
			continue
		}
		ready = append(ready, shown)
	}
	for _, m := range e.members {
		if e.named != "" && m.name != e.named {
			refused = append(refused, Candidate{Backend: m.name, Software: m.software, Device: deviceName(m.backend),
				Reason: fmt.Sprintf("not asked for: backend %q was asked for by name", e.named)})
		}
	}
	for _, a := range e.absent {
		refused = append(refused, Candidate{Backend: a.Backend, Reason: string(a.Reason) + ": " + a.Detail})
	}
	return ready, resting, refused
}

// behind says why a backend that could run the problem comes after the chosen one.
func behind(c Candidate, x Explanation) string {
	switch {
	case c.Copies && !x.Candidates[0].Copies:
		return fmt.Sprintf("copies to the host what lies on the device of %q", x.Chosen)
	case c.Software:
		return fmt.Sprintf("software rasteriser: comes after every other backend, such as %q", x.Chosen)
	case c.Predicted == x.Predicted:
		return fmt.Sprintf("listed after %q, which is predicted to be as fast", x.Chosen)
	}
	return fmt.Sprintf("slower: predicted %v against %v on %q", c.Predicted, x.Predicted, x.Chosen)
}
