package verifytest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/verify"
)

// repeatCases are where a race would show: many tiles, many partial results,
// uneven work.
var repeatCases = []string{"decode-16384", "everything-d16-lq35", "option-causal-window-d64", "type-f16-lq29", "q8-decode"}

// shortShare is the part of the repeats that -short runs.
const shortShare = 10

// RunRepeat runs a few cases n times each and wants the same bits every time;
// a tenth as often under -short.
func RunRepeat(t *testing.T, open func(t *testing.T) attention.Backend, n int) {
	t.Helper()
	if testing.Short() {
		t.Logf("-short: %d repeats of %d", n/shortShare, n)
		n /= shortShare
	}
	backend := open(t)
	for _, name := range repeatCases {
		t.Run(name, func(t *testing.T) {
			c, ok := verify.CaseNamed(name)
			require.True(t, ok)
			data, err := verify.Build(c)
			require.NoError(t, err)
			plan := planOrSkip(t, backend, data.Call.Problem)
			var first verify.Snapshot
			for k := range n {
				data.Blank()
				require.NoError(t, plan.Run(t.Context(), data.Call))
				if k == 0 {
					first = data.Snapshot()
					_, err = data.Check()
				} else {
					err = data.CheckSame(first)
				}
				require.NoError(t, err, "run %d of %d; repeat: %s", k+1, n, Command(t))
			}
			require.NoError(t, data.CheckBytes())
		})
	}
}

// planOrSkip plans p, closes the plan at the test's end, and skips the test if the
// backend refuses p.
func planOrSkip(t *testing.T, backend attention.Backend, p attention.Problem) attention.Plan {
	t.Helper()
	if err := backend.Supports(p); err != nil {
		require.ErrorIs(t, err, attention.ErrUnsupported)
		t.Skip(err)
	}
	plan, err := backend.Plan(t.Context(), p)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, plan.Close()) })
	return plan
}
