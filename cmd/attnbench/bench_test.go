package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/bench"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/internal/mutate"
	"github.com/glattn/attention/verify"
)

const tinyShape = "b=1,hq=4,hkv=2,lq=20,lk=24,d=8,causal=bottom-right,window=3:-1"

func TestInfo(t *testing.T) {
	o := attnbench(t, "info")
	requireOK(t, o)
	require.Contains(t, o.stdout, "CPU ")
	o = attnbench(t, "info", "-json")
	requireOK(t, o)
	var m bench.Machine
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &m))
	require.Positive(t, m.Cores)
	require.NotEmpty(t, m.CPU)
	require.Equal(t, m.GPU == nil, m.GPUError != "")
}

func TestBench(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.json")
	for _, dash := range []string{"-", "--"} {
		o := attnbench(t, "bench", dash+"backend", "cpu,reference", dash+"shape", tinyShape, dash+"shape", "h=2,lq=1,lk=30,d=8,kv=f16",
			dash+"threads", "1", dash+"time", "2ms", dash+"json", path)
		requireOK(t, o)
		require.Contains(t, o.stdout, "speed-up")
		require.Contains(t, o.stdout, "roof: ")
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var records []bench.Record
		require.NoError(t, json.Unmarshal(text, &records))
		require.Len(t, records, 4)
		for n, r := range records {
			require.Equal(t, []string{"cpu", "reference"}[n%2], r.Backend)
			require.True(t, r.Verified, r.Reason)
			require.Positive(t, *r.Median)
			require.Positive(t, *r.SpeedUp)
		}
		require.Equal(t, 1, records[0].Threads)
		for _, r := range records {
			require.InEpsilon(t, max(*r.FMAShare, *r.ReadShare), *r.RoofShare, 1e-9)
			require.Contains(t, o.stdout, fmt.Sprintf("%.1f %% %s ", *r.RoofShare*100, r.RoofKind), "the table says which roof binds")
		}
		requireFiles(t, filepath.Dir(path), "out.json")
	}
	o := attnbench(t, "bench", "-backend=auto", "-shape="+tinyShape, "-time=1ms", "-json=-")
	requireOK(t, o)
	var records []bench.Record
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &records), "nothing but JSON on standard output")
	require.Equal(t, "auto", records[0].Backend)
}

func spec(t *testing.T, text string) bench.Spec {
	t.Helper()
	s, err := bench.ParseSpec(text)
	require.NoError(t, err)
	return s
}

// TestWrongBackend times a backend with a planted mistake: no time is printed for
// it, and the status is 1.
func TestWrongBackend(t *testing.T) {
	var stdout, stderr bytes.Buffer
	p := &program{out: &stdout, err: &stderr}
	opened := &bench.Backends{List: []attention.Backend{cpu.NewMutated(mutate.ScaleLeftOut), cpu.NewReference()}, Threads: 1}
	path := filepath.Join(t.TempDir(), "out.json")
	out, err := openOutput(path)
	require.NoError(t, err)
	err = p.timeOn(t.Context(), opened, bench.Config{Time: time.Millisecond}, []bench.Spec{spec(t, tinyShape)}, out)
	require.ErrorIs(t, err, errFailed)
	for line := range strings.SplitSeq(stdout.String(), "\n") {
		if strings.Contains(line, "│ cpu") {
			require.NotRegexp(t, `\d`, strings.ReplaceAll(line, tinyShapeTitle(t), ""), "no number may stand in this line")
			require.Contains(t, line, "wrong")
		}
	}
	require.Contains(t, stdout.String(), "on cpu: wrong: verify: ")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var records []map[string]any
	require.NoError(t, json.Unmarshal(text, &records))
	require.Equal(t, false, records[0]["verified"])
	require.NotEmpty(t, records[0]["reason"])
	for _, key := range []string{"ms_median", "ms_min", "ms_max", "gflops", "gbps", "roof_share"} {
		require.Nil(t, records[0][key], key)
		require.NotNil(t, records[1][key], "the other backend is right: %s", key)
	}
}

func tinyShapeTitle(t *testing.T) string { return spec(t, tinyShape).Title() }

// stopping interrupts the run from within.
type stopping struct {
	attention.Backend
	stop context.CancelFunc
}

func (s stopping) Plan(ctx context.Context, p attention.Problem) (attention.Plan, error) {
	if p.QueryLen == 5 {
		s.stop()
	}
	return s.Backend.Plan(ctx, p)
}

func TestInterruptKeepsWhatIsThere(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr bytes.Buffer
	p := &program{out: &stdout, err: &stderr}
	opened := &bench.Backends{List: []attention.Backend{stopping{cpu.NewReference(), cancel}}, Threads: 1}
	err := p.timeOn(ctx, opened, bench.Config{Time: time.Millisecond}, []bench.Spec{spec(t, tinyShape), spec(t, "h=1,l=5,d=4")}, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Contains(t, stdout.String(), "GFLOP/s")
	require.Contains(t, stdout.String(), "interrupted")
}

func TestExplain(t *testing.T) {
	const shape = "b=1,hq=32,hkv=8,lq=1,lk=4096,d=128,dv=128,dtype=f32,kv=f16,causal=bottom-right,window=-1:-1"
	o := attnbench(t, "explain", "-shape", shape)
	requireOK(t, o)
	require.Contains(t, o.stdout, "chosen   ")
	require.Contains(t, o.stdout, "cpu")
	o = attnbench(t, "explain", "-shape", shape, "-json")
	requireOK(t, o)
	var x map[string]any
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &x))
	require.Equal(t, shape, x["shape"])
	require.InEpsilon(t, 4*32*4096*128, x["flops"], 1e-9)
	require.Equal(t, "read", x["bound"])
	require.NotEmpty(t, x["chosen"])
	require.NotEmpty(t, x["candidates"])
}

func TestVerify(t *testing.T) {
	if testing.Short() {
		t.Skip("short: the suite runs in package verify")
	}
	o := attnbench(t, "verify", "-backend", "cpu", "-short")
	requireOK(t, o)
	require.Regexp(t, `(?m)^cpu: \d+ passed, 0 failed, \d+ unsupported`, o.stdout)
}

func TestVerifyReportsFailures(t *testing.T) {
	var stdout, stderr bytes.Buffer
	p := &program{out: &stdout, err: &stderr}
	cases := verify.ShortCases()[:12]
	summary, err := p.verifyOn(t.Context(), cpu.NewMutated(mutate.ScaleLeftOut), cases)
	require.NoError(t, err)
	require.Positive(t, summary.Failed)
	require.Equal(t, summary.Failed+1, strings.Count(stdout.String(), "\n"), "a line for each failure, and the sum")
	require.Contains(t, stdout.String(), "FAILED on cpu: ")
	require.Contains(t, stdout.String(), "why this case: ")
}

// TestSignal interrupts the real command while it measures.
func TestSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows sends no interrupts to a process")
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "bench", "-backend", "cpu", "-shape", tinyShape, "-shape", "h=1,l=40,d=4",
		"-time", "60s")
	command.Env = append(os.Environ(), asCommand+"=1")
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	require.NoError(t, command.Start())
	time.Sleep(time.Second) // the first shape alone is repeated for 6 s
	require.NoError(t, command.Process.Signal(os.Interrupt))
	require.Error(t, command.Wait())
	require.Equal(t, exitInterrupted, command.ProcessState.ExitCode(), stderr.String())
}
