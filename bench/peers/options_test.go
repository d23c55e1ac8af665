package main

import (
	"bytes"
	"flag"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

func TestParse(t *testing.T) {
	o, err := parse(nil, io.Discard)
	require.NoError(t, err)
	require.Equal(t, 2, o.threads)
	require.Equal(t, 10, o.reps)
	require.Equal(t, time.Second, o.time)
	require.Equal(t, peerNames, o.peers)
	require.Equal(t, "bench/results/peers-cpu.json", o.json)
	var names []string
	for _, s := range o.specs {
		names = append(names, s.Title())
	}
	require.Subset(t, names, []string{"P1", "P2", "P3", "P4", "D1", "D1-f16", "D2", "D3"})

	o, err = parse([]string{"-threads", "3", "-reps=5", "-time", "20ms", "-workload", "d1,P2", "-peers", "gonum, openblas", "-json", "", "-dir", "x"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, []string{"gonum", "openblas-blocked", "openblas-unfused"}, o.peers)
	require.Len(t, o.specs, 2)
	require.Equal(t, "D1", o.specs[0].Title())
	require.Empty(t, o.json)

	o, err = parse([]string{"-peers", "none"}, io.Discard)
	require.NoError(t, err)
	require.Empty(t, o.peers)
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ arguments, want string }{
		{"-threads=0", "-threads is 0"},
		{"-reps=0", "-reps is 0"},
		{"-time=0s", "-time is 0s"},
		{"-dir=", "-dir is empty"},
		{"-workload=P9", `"P9"`},
		{"-peers=mkl", `"mkl" (known: all, none, onnxruntime`},
		{"-peers=", `""`},
		{"P1", `"P1", want flags only`},
	} {
		_, err := parse([]string{c.arguments}, io.Discard)
		require.ErrorIs(t, err, attention.ErrInvalid, c.arguments)
		require.ErrorContains(t, err, c.want)
	}
	var usage bytes.Buffer
	_, err := parse([]string{"-h"}, &usage)
	require.ErrorIs(t, err, flag.ErrHelp)
	require.Contains(t, usage.String(), "onednn-blocked")
}

func TestExecute(t *testing.T) {
	var out, errs bytes.Buffer
	require.Equal(t, 2, execute(t.Context(), []string{"-threads=0"}, &out, &errs))
	require.Contains(t, errs.String(), "-threads is 0")
	require.Equal(t, 0, execute(t.Context(), []string{"-h"}, &out, &errs))
}
