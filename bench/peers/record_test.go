package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention/bench"
)

// testRecords are those of three libraries on one job: ours, one of half the speed that
// left an operator out, and one that is not there.
func testRecords(t *testing.T) []record {
	j := testJob(t, "h=1,lq=1,lk=64,d=8")
	run := func(name, note string, times ...time.Duration) *entry {
		f := &fakeRunner{name: name, out: j.want}
		c := f.as()
		c.note = note
		return &entry{name: name, times: times, chosen: &chosen{candidate: c, runner: f, err: 1e-6}}
	}
	other := run("onnxruntime", "in half precision", 4*time.Millisecond, 4*time.Millisecond, 5*time.Millisecond)
	other.tried = []attempt{{How: "its other operator", Reason: "no kernel"}}
	return recordsOf(j, bench.Roof{Kind: bench.RoofRead, Value: 2}, []*entry{
		run(ourName, "", 3*time.Millisecond, time.Millisecond, 2*time.Millisecond), other,
		{name: "gonum", failure: errors.Join(errors.New("not installed"), errors.New("not at all"))},
	})
}

func TestRecords(t *testing.T) {
	list := testRecords(t)
	require.Len(t, list, 3)
	require.InDelta(t, 2, *list[0].Median, 1e-9)
	require.InDelta(t, 1, *list[0].Min, 1e-9)
	require.InDelta(t, 3, *list[0].Max, 1e-9)
	require.InDelta(t, 0.5, *list[0].Spread, 1e-9, "from 1.5 to 2.5")
	require.InDelta(t, 1, *list[0].Ratio, 1e-9)
	require.InDelta(t, 2, *list[1].Ratio, 1e-9)
	bytes := float64(4 * (8 + 64*8 + 64*8 + 8))
	require.InEpsilon(t, bytes/1e9/2e-3/2, *list[0].Share, 1e-9)
	require.Nil(t, list[2].Median)
	require.Nil(t, list[2].Error)
	require.Equal(t, "not installed; not at all", list[2].Reason)
	require.Equal(t, map[string]string{"onnxruntime": "onnxruntime"}, versions(list))
}

func TestQuantile(t *testing.T) {
	require.Equal(t, 7.0, quantile([]float64{7}, 0.25))
	require.Equal(t, 2.5, quantile([]float64{1, 2, 3, 4}, 0.5))
	require.Equal(t, 1.75, quantile([]float64{1, 2, 3, 4}, 0.25))
	require.Equal(t, 4.0, quantile([]float64{1, 2, 3, 4}, 1))
}

func TestReport(t *testing.T) {
	r := report{Machine: describeMachine(), Threads: 2, Records: testRecords(t), Roofs: []string{"CPU 2 GB/s read"}}
	r.Peers = versions(r.Records)
	var text bytes.Buffer
	require.NoError(t, r.render(&text))
	for _, want := range []string{
		r.Machine.CPU, "2 threads for each library", "2.00×", "roof: CPU 2 GB/s read",
		"gonum on ", ": not installed; not at all", "onnxruntime on ", ": in half precision", ": without its other operator: no kernel",
	} {
		require.Contains(t, text.String(), want)
	}
	require.Regexp(t, `gonum +│ +– │ +– │ +– │ +– │ +– │ +– │ +– │ no number`, text.String(), "no number for what was not measured")

	path := filepath.Join(t.TempDir(), "new", "file.json")
	require.NoError(t, r.write(path))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var back report
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, r.Records, back.Records)
	require.NotEmpty(t, back.Time)
	require.NotEmpty(t, back.Machine.CPU)
}

func TestRemarksNameAllWorkloads(t *testing.T) {
	require.Equal(t, []string{"gonum on D1, D2: slow", "gonum on D2: absent"}, remarks([]record{
		{Workload: "D1", Peer: "gonum", Note: "slow"}, {Workload: "D2", Peer: "gonum", Note: "slow"}, {Workload: "D2", Peer: "gonum", Reason: "absent"},
	}))
}

func TestShow(t *testing.T) {
	for v, want := range map[float64]string{123.4: "123", 12.34: "12.3", 1.234: "1.23", 0.1234: "0.123"} {
		require.Equal(t, want, show(&v, ""))
	}
	require.Equal(t, none, show(nil, "×"))
	require.Equal(t, "abc…", cut("abcdef", 4))
	require.Equal(t, "abcd", cut("abcd", 4))
}
