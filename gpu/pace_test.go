package gpu

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPaceLearns(t *testing.T) {
	p := newPace(false)
	start := p.allowed(defaultBudget)
	require.InEpsilon(t, 0.8*defaultBudget.Seconds()*50e9, start, 1e-9)
	p.learn(1e9, time.Hour)
	require.InDelta(t, start, p.allowed(defaultBudget), 0, "the first dispatch is not counted: drivers finish compiling in it")
	for range 50 {
		p.learn(1e9, 100*time.Millisecond)
	}
	require.InEpsilon(t, 1e10*0.8*defaultBudget.Seconds(), p.allowed(defaultBudget), 1e-6, "a steady rate is found")
	p.learn(1e15, time.Millisecond)
	require.InEpsilon(t, 4e10*0.8*defaultBudget.Seconds(), p.allowed(defaultBudget), 1e-6, "one lucky measurement grows it fourfold, no more")
	before := p.allowed(defaultBudget)
	p.learn(1, 10*time.Microsecond)
	require.InDelta(t, before, p.allowed(defaultBudget), 0, "the cost of submitting hides the rate of short dispatches")
	p.learn(0, time.Second)
	p.learn(1e9, 0)
	require.InDelta(t, before, p.allowed(defaultBudget), 0, "nothing was measured")
	require.Less(t, newPace(true).allowed(defaultBudget), start, "software is slower")
}
