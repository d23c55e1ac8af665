package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/bench"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/internal/mutate"
)

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	data, picture := filepath.Join(dir, "out.json"), filepath.Join(dir, "out.png")
	o := inProcess(t, "sweep", "-d", "64,16", "-l", "256,512", "-threads", "1", "-time", "1ms", "-json", data, "-plot", picture)
	requireOK(t, o)
	for _, words := range []string{"prefill on cpu: share of the binding roof in %", "decode on cpu", "D \\ L", "roof: ", "cliff"} {
		require.Contains(t, o.stdout, words)
	}
	require.Regexp(t, `(?m)^│ +16 │ +!?[\d.]+ │ +!?[\d.]+ │$`, o.stdout)
	text, err := os.ReadFile(data)
	require.NoError(t, err)
	var points []bench.SweepPoint
	require.NoError(t, json.Unmarshal(text, &points))
	require.Len(t, points, 8)
	for n, p := range points {
		require.Equal(t, []bench.SweepMode{bench.SweepPrefill, bench.SweepDecode}[n/4], p.Mode)
		require.Equal(t, []int{16, 64}[n%4/2], p.Dim)
		require.Equal(t, []int{256, 512}[n%2], p.Length)
		require.True(t, p.Verified, p.Reason)
		require.Equal(t, 1, p.Threads)
	}
	file, err := os.Open(picture)
	require.NoError(t, err)
	defer file.Close()
	_, err = png.Decode(file)
	require.NoError(t, err)
	requireFiles(t, dir, "out.json", "out.png")

	o = inProcess(t, "sweep", "-mode", "decode", "-d", "16", "-l", "256", "-threads", "1", "-time", "1ms", "-causal", "-json=-")
	requireOK(t, o)
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &points), "nothing but JSON on standard output")
	require.Len(t, points, 1)
	require.Contains(t, points[0].Shape, "causal=bottom-right")
}

// lagging loses time at one width.
type lagging struct{ attention.Backend }

func (b lagging) Plan(ctx context.Context, p attention.Problem) (attention.Plan, error) {
	plan, err := b.Backend.Plan(ctx, p)
	if p.Dim == 24 {
		plan = lag{plan}
	}
	return plan, err
}

type lag struct{ attention.Plan }

func (l lag) Run(ctx context.Context, call *attention.Call) error {
	time.Sleep(150 * time.Millisecond)
	return l.Plan.Run(ctx, call)
}

// TestSweepStrict plants a cliff, and mistakes.
func TestSweepStrict(t *testing.T) {
	list := []bench.Sweep{{Mode: bench.SweepDecode, Dims: []int{16, 24, 32}, Lengths: []int{512}}}
	for name, c := range map[string]struct {
		backend attention.Backend
		strict  bool
		status  error
		words   []string
	}{
		"a cliff":             {lagging{cpu.New(cpu.Options{Threads: 1})}, false, nil, []string{"cliff: decode D=24, against its neighbours along D, at L=512"}},
		"a cliff, strict":     {lagging{cpu.New(cpu.Options{Threads: 1})}, true, errFailed, []string{"cliff: decode D=24", "│ !"}},
		"a mistake":           {cpu.NewMutated(mutate.ScaleLeftOut), false, errFailed, []string{"decode D=16 L=512: wrong: verify: ", "│   – │"}},
		"no cliff is no news": {cpu.NewMutated(mutate.ScaleLeftOut), true, errFailed, []string{"No point is a cliff"}},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			p := &program{out: &stdout, err: &stderr}
			opened := &bench.Backends{List: []attention.Backend{c.backend}, Threads: 1}
			err := p.sweepOn(t.Context(), opened, bench.Config{Time: time.Nanosecond, Reps: 1}, list, sweepOutputs{}, c.strict)
			require.ErrorIs(t, err, c.status)
			for _, words := range c.words {
				require.Contains(t, stdout.String(), words)
			}
		})
	}
}
