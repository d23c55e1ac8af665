package verify

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/internal/mutate"
)

func TestReferencePassesShortCases(t *testing.T) {
	summary, err := RunAll(t.Context(), cpu.NewReference(), ShortCases(), func(c Case, _ Report, err error) {
		require.NoError(t, err, c.Name)
	})
	require.NoError(t, err)
	require.Equal(t, len(ShortCases()), summary.Passed)
	t.Log(summary)
}

// TestMutationsAreCaught plants each mistake in the CPU backend: the short list
// must notice every one.
func TestMutationsAreCaught(t *testing.T) {
	for _, kind := range mutate.All() {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			backend := cpu.NewMutated(kind)
			defer func() { require.NoError(t, backend.Close()) }()
			summary, err := RunAll(t.Context(), backend, ShortCases(), nil)
			require.NoError(t, err)
			require.Positive(t, summary.Failed, "no case notices: %s", kind)
			for _, f := range summary.Failures {
				require.ErrorIs(t, f.Err, ErrMismatch, "caught by the wrong thing: %s", f.Case.Name)
			}
			t.Logf("%d of %d cases notice, the first is %s", summary.Failed, len(ShortCases()), summary.Failures[0].Case.Name)
		})
	}
}

func TestRunAllStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	summary, err := RunAll(ctx, cpu.NewReference(), ShortCases(), func(Case, Report, error) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, summary.Passed)
	require.Zero(t, summary.Failed)
}

// refusing is a backend that supports nothing and says so with err.
type refusing struct {
	attention.Backend
	err, planned error
}

func (r refusing) Name() string                     { return "refusing" }
func (r refusing) Supports(attention.Problem) error { return r.err }
func (r refusing) Plan(context.Context, attention.Problem) (attention.Plan, error) {
	return nil, r.planned
}

func TestRefusalsAreCounted(t *testing.T) {
	c, ok := CaseNamed("batch-5")
	require.True(t, ok)
	due := &attention.UnsupportedError{Backend: "refusing", Feature: "all", Limit: "nothing"}
	for _, r := range []struct {
		name                string
		err, planned        error
		failed, unsupported int
	}{
		{"in due form", due, due, 0, 1},
		{"a bare sentinel", attention.ErrUnsupported, due, 1, 0},
		{"another's name", &attention.UnsupportedError{Backend: "cpu", Feature: "all", Limit: "nothing"}, due, 1, 0},
		{"no limit", &attention.UnsupportedError{Backend: "refusing", Feature: "all"}, due, 1, 0},
		{"planned all the same", due, nil, 1, 0},
	} {
		t.Run(r.name, func(t *testing.T) {
			summary, err := RunAll(t.Context(), refusing{err: r.err, planned: r.planned}, []Case{c}, nil)
			require.NoError(t, err)
			require.Equal(t, r.failed, summary.Failed)
			require.Equal(t, r.unsupported, summary.Unsupported)
			require.Len(t, summary.Refusals, r.unsupported)
		})
	}
}
