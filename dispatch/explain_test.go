package dispatch

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

func TestExplain(t *testing.T) {
	lame, best, even, ill, soft := newFake("lame", 1), newFake("best", 1), newFake("even", 1), newFake("ill", 1), newFake("soft", 1)
	soft.software = true
	lame.supports = func(attention.Problem) error {
		return &attention.UnsupportedError{Backend: "lame", Feature: "feature window", Limit: "supports causal"}
	}
	ill.run = func(context.Context, *attention.Call) error { return attention.ErrDeviceLost }
	order := &fixed{times: map[string]time.Duration{"lame": 1, "best": 20 * time.Millisecond,
		"even": 20 * time.Millisecond, "ill": time.Millisecond, "soft-software": 1}}
	now := newClock()
	e := open(t, []*fake{lame, best, even, ill, soft}, WithEstimator(order), WithClock(now.Now))
	p := problemOf(t, 3, 5)
	require.Equal(t, "ill", e.Explain(p).Chosen, "healthy until it fails")
	_, report, err := attend(t.Context(), e, 3, 5)
	require.NoError(t, err)

	x := e.Explain(p)
	require.Equal(t, report.Backend, x.Chosen, "explanation and call agree")
	require.Equal(t, "best", x.Chosen)
	require.Equal(t, 20*time.Millisecond, x.Predicted)
	require.InDelta(t, 20, x.PredictedMS, 1e-9)
	reasons := map[string]string{}
	for _, c := range x.Candidates {
		reasons[c.Backend] = c.Reason
		require.Equal(t, c.Backend == "best", c.Chosen)
		require.Equal(t, c.Chosen, c.Reason == "", "every other backend has its reason")
	}
	require.Len(t, reasons, 5)
	require.Contains(t, reasons["lame"], "unsupported: lame: feature window is unsupported: supports causal")
	require.Contains(t, reasons["even"], "listed after")
	require.Contains(t, reasons["ill"], "unhealthy: resting for another 1s after")
	require.Contains(t, reasons["ill"], "device lost")
	require.Contains(t, reasons["soft"], "software rasteriser")

	text, err := json.Marshal(x)
	require.NoError(t, err)
	require.Contains(t, string(text), `"chosen":"best"`)
	require.Contains(t, string(text), `"predicted_ms":20`)
	var back Explanation
	require.NoError(t, json.Unmarshal(text, &back))
	require.Len(t, back.Candidates, 5)

	runs := ill.runs.Load()
	now.Advance(restMin)
	require.Equal(t, "ill", e.Explain(p).Chosen)
	require.Equal(t, "ill", e.Explain(p).Chosen, "explaining does not use up the probe")
	require.Equal(t, runs, ill.runs.Load())
}

func TestExplainNamed(t *testing.T) {
	first, second := newFake("first", 1), newFake("second", 2)
	e := open(t, []*fake{first, second}, WithBackend("second"))
	x := e.Explain(problemOf(t, 3, 5))
	require.Equal(t, "second", x.Chosen)
	require.Contains(t, x.Candidates[1].Reason, `"second" was asked for by name`)

	second.supports = func(attention.Problem) error { return attention.ErrUnsupported }
	x = e.Explain(problemOf(t, 3, 5))
	require.Empty(t, x.Chosen)
	require.NotEmpty(t, x.Reason)

	bad := problemOf(t, 3, 5)
	bad.Dim = 0
	x = e.Explain(bad)
	require.Empty(t, x.Chosen)
	require.Contains(t, x.Reason, "dim is 0")

	x = e.Explain(attention.Problem{Shape: problemOf(t, 3, 5).Shape})
	require.Empty(t, x.Chosen)
	require.Contains(t, x.Reason, "Q: dtype is none")
}

func TestExplainSlower(t *testing.T) {
	first, second := newFake("first", 1), newFake("second", 2)
	e := open(t, []*fake{second, first})
	e.estimate = &fixed{times: map[string]time.Duration{"first": 1, "second": 5}}
	x := e.Explain(problemOf(t, 3, 5))
	require.Equal(t, "first", x.Chosen)
	require.Equal(t, `slower: predicted 5ns against 1ns on "first"`, x.Candidates[1].Reason)
}
