package bench

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/dispatch"
	"github.com/glattn/attention/internal/env"
)

func TestNamesOf(t *testing.T) {
	for _, c := range []struct {
		list            string
		names, optional []string
	}{
		{"cpu", []string{"cpu"}, nil},
		{" cpu , gpu,cpu", []string{"cpu", "gpu"}, nil},
		{"all", []string{"gpu", "cpu", "reference"}, []string{"gpu", "cpu", "reference"}},
		{"all,gpu", []string{"gpu", "cpu", "reference"}, []string{"cpu", "reference"}},
		{"gpu,all", []string{"gpu", "cpu", "reference"}, []string{"cpu", "reference"}},
		{"auto", []string{"auto"}, nil},
	} {
		names, optional, err := namesOf(c.list)
		require.NoError(t, err, c.list)
		require.Equal(t, c.names, names, c.list)
		require.Equal(t, c.optional, optional, c.list)
	}
	for _, list := range []string{"", "cuda", "cpu,", "cpu,cuda"} {
		_, _, err := namesOf(list)
		require.ErrorIs(t, err, attention.ErrInvalid, list)
		require.ErrorContains(t, err, "known: gpu, cpu, reference, auto, all")
	}
}

func TestOpenBackendsRefuses(t *testing.T) {
	for _, threads := range []int{-1, 1 << 20} {
		_, err := OpenBackends(t.Context(), "cpu", OpenOptions{Threads: threads})
		require.ErrorIs(t, err, attention.ErrInvalid)
	}
	t.Setenv("ATTN_GPU", "99")
	_, err := OpenBackends(t.Context(), "gpu", OpenOptions{})
	require.ErrorIs(t, err, attention.ErrUnavailable, "asked for by name")
	b, err := OpenBackends(t.Context(), "all", OpenOptions{})
	require.NoError(t, err)
	require.Len(t, b.List, 2)
	require.Len(t, b.Missing, 1)
	require.NoError(t, b.Close())
	t.Setenv("ATTN_GPU", "first")
	_, err = OpenBackends(t.Context(), "all", OpenOptions{})
	require.ErrorIs(t, err, attention.ErrInvalid)
}

// TestAuto runs the engine as a backend, over backends of the test's own.
func TestAuto(t *testing.T) {
	refusing := &fake{name: "first", refuse: &attention.UnsupportedError{Backend: "first", Feature: "all", Limit: "none"}}
	engine, err := dispatch.Open(t.Context(), dispatch.WithBackends(refusing, &fake{name: "second"}))
	require.NoError(t, err)
	auto := &automatic{engine: engine}
	r := runOne(t, tiny(auto), tinyShape)
	require.Equal(t, StatusOK, r.Status, r.Reason)
	require.Equal(t, "auto", r.Backend)
	require.Equal(t, "second", r.Ran)
	require.Equal(t, "fake plan", r.Plan)
	require.NoError(t, auto.Close())

	engine, err = dispatch.Open(t.Context(), dispatch.WithBackends(refusing))
	require.NoError(t, err)
	r = runOne(t, tiny(&automatic{engine: engine}), tinyShape)
	require.Equal(t, StatusUnsupported, r.Status)
	require.NoError(t, engine.Close())
}

func TestRoofsAreRemembered(t *testing.T) {
	r := new(Roofs)
	first, err := r.CPUFMA(t.Context(), 1)
	require.NoError(t, err)
	again, err := r.CPUFMA(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Equal(t, RoofFMA, first.Kind)
	require.Positive(t, first.Value)

	small, err := r.CPURead(t.Context(), 1, 1<<20)
	require.NoError(t, err)
	same, err := r.CPURead(t.Context(), 1, 1<<20+5)
	require.NoError(t, err)
	require.Equal(t, small, same)
	require.Contains(t, small.How, "1 MB")
}

func TestMachine(t *testing.T) {
	m := describeCPU()
	require.NotEmpty(t, m.CPU)
	require.Positive(t, m.Cores)
	require.NotNil(t, m.Features)
}

// TestGPU times a tiny problem on the device there is.
func TestGPU(t *testing.T) {
	b, err := OpenBackends(t.Context(), "gpu", OpenOptions{})
	if errors.Is(err, attention.ErrUnavailable) && !env.RequireGPU() {
		t.Skipf("NO GPU TESTED: %v", err)
	}
	require.NoError(t, err)
	r := runOne(t, tiny(b.List...), "hq=2,hkv=1,l=20,d=8,causal=top-left")
	require.Equal(t, StatusOK, r.Status, r.Reason)
	require.NotEmpty(t, r.Device)
	require.NotEmpty(t, r.Driver)
	require.True(t, r.Transfers)
	require.Positive(t, *r.Roof)
	require.NoError(t, b.Close())
	m, err := DescribeMachine(t.Context(), OpenOptions{})
	require.NoError(t, err)
	require.NotNil(t, m.GPU)
	require.NotEmpty(t, m.Devices)
}
