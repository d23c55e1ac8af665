package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// asCommand makes the test binary behave as the command.
const asCommand = "ATTNBENCH_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// outcome is what a command line came to.
type outcome struct {
	status         int
	stdout, stderr string
}

// attnbench runs the command in a process of its own.
func attnbench(t *testing.T, args ...string) outcome {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], args...)
	command.Env = append(os.Environ(), asCommand+"=1", "ATTN_BACKEND=", "ATTN_DEBUG=")
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{command.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// inProcess runs the command within the test, which is quicker.
func inProcess(t *testing.T, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := execute(t.Context(), append([]string{"attnbench"}, args...), &stdout, &stderr)
	return outcome{status, stdout.String(), stderr.String()}
}

// requireUsageError wants status 2, no output, and one line that says why.
func requireUsageError(t *testing.T, o outcome, words ...string) {
	t.Helper()
	require.Equal(t, exitUsage, o.status, "%+v", o)
	require.Empty(t, o.stdout)
	require.Equal(t, 1, strings.Count(o.stderr, "\n"), o.stderr)
	require.True(t, strings.HasPrefix(o.stderr, "attnbench: "), o.stderr)
	require.NotContains(t, o.stderr, "panic")
	for _, word := range words {
		require.Contains(t, o.stderr, word)
	}
}

func requireOK(t *testing.T, o outcome) {
	t.Helper()
	require.Equal(t, exitOK, o.status, "%+v", o)
}

func TestUsageErrors(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "case.json"), []byte("{"), 0o644))
	for _, c := range []struct {
		args  string
		words []string
	}{
		{"frobnicate", []string{`"frobnicate"`, "info, bench, sweep"}},
		{"-frobnicate", []string{"frobnicate"}},
		{"info -frobnicate", []string{"frobnicate"}},
		{"info extra", []string{`"extra"`}},
		{"bench -frobnicate 1", []string{"frobnicate"}},
		{"bench -backend", []string{"backend"}},
		{"bench -backend cuda", []string{`"cuda"`, "gpu, cpu, reference, auto, all"}},
		{"bench -backend= -workload P1", []string{`""`}},
		{"bench -workload P9", []string{`"P9"`, "P1, P2"}},
		{"bench -shape b=1", []string{"hq", "missing"}},
		{"bench -shape b=x,h=1,l=1,d=1", []string{"b=x", "1 to 65536"}},
		{"bench -shape h=1,l=1,d=1,wat=2", []string{"wat=2", "unknown key"}},
		{"bench -shape b=4096,h=64,l=65536,d=256 -backend cpu", []string{"out of memory", "GB"}},
		{"bench -threads 0 -shape h=1,l=1,d=1", []string{"-threads is 0"}},
		{"bench -threads many", []string{"many"}},
		{"bench -time 0s", []string{"-time is 0s"}},
		{"bench -time fast", []string{"fast"}},
		{"bench -json /nowhere/at/all.json", []string{"/nowhere/at"}},
		{"bench stray", []string{`"stray"`}},
		{"sweep -d 8,none", []string{"-d", `"none"`}},
		{"sweep -l 0", []string{"-l", `"0"`}},
		{"sweep -d 577", []string{"577", "1 to 576"}},
		{"sweep -mode all", []string{`"all"`, "prefill, decode or both"}},
		{"sweep -backend all", []string{"-backend", "one of"}},
		{"sweep -backend cpu,reference", []string{"-backend", "one of"}},
		{"sweep -threads 0", []string{"-threads is 0"}},
		{"sweep -time 0s", []string{"-time is 0s"}},
		{"sweep -plot a.gif", []string{`"a.gif"`, ".png or .svg"}},
		{"sweep -plot=", []string{`""`, ".png or .svg"}},
		{"sweep -plot /nowhere/a.png", []string{"-plot", "/nowhere"}},
		{"sweep -json /nowhere/a.json", []string{"-json", "/nowhere"}},
		{"sweep -backend cpu -d 576 -l 536870912 -mode decode", []string{"out of memory", "GB"}},
		{"sweep stray", []string{`"stray"`}},
		{"conform", []string{"DIR"}},
		{"conform /nowhere", []string{"/nowhere"}},
		{"conform " + dir, []string{"case.json"}},
		{"run", []string{"-q is missing"}},
		{"verify -backend cuda", []string{`"cuda"`}},
		{"verify -shorter", []string{"shorter"}},
		{"explain", []string{"-shape is missing"}},
		{"explain -shape h=0,l=1,d=1", []string{"h=0"}},
	} {
		t.Run(c.args, func(t *testing.T) { requireUsageError(t, attnbench(t, strings.Fields(c.args)...), c.words...) })
	}
}

// TestUnavailable asks by name for a device that is not there.
func TestUnavailable(t *testing.T) {
	t.Setenv("ATTN_GPU", "99")
	for _, args := range []string{"bench -backend gpu -shape h=1,l=2,d=2", "verify -backend gpu"} {
		requireUsageError(t, attnbench(t, strings.Fields(args)...), "gpu", "unavailable")
	}
	o := attnbench(t, "info")
	requireOK(t, o)
	require.Contains(t, o.stdout, "none: ")
	t.Setenv("ATTN_GPU", "first")
	requireUsageError(t, attnbench(t, "info"), "ATTN_GPU", `"first"`)
}

func TestHelp(t *testing.T) {
	for args, words := range map[string][]string{
		"-help":         {"info", "bench", "sweep", "conform", "run", "verify", "explain"},
		"--help":        {"explain"},
		"bench -help":   {"-shape SPEC", "P1", "llama3-8b-decode", "hkv", "causal"},
		"sweep -help":   {"8,16,21", "4096,8192", "-plot FILE", "cliff"},
		"run -help":     {"bhsd", "-lse L.npy"},
		"info -help":    {"-json"},
		"conform -help": {"DIR..."},
		"verify -help":  {"-short"},
		"explain -help": {"SPEC"},
	} {
		t.Run(args, func(t *testing.T) {
			o := inProcess(t, strings.Fields(args)...)
			requireOK(t, o)
			require.Empty(t, o.stderr)
			for _, word := range words {
				require.Contains(t, o.stdout, word)
			}
		})
	}
}

func TestCancelledBeforeTheStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	status := execute(ctx, []string{"attnbench", "bench", "-backend", "cpu", "-shape", "h=1,l=4,d=4"}, &stdout, &stderr)
	require.Equal(t, exitInterrupted, status)
	require.Equal(t, "attnbench: interrupted\n", stderr.String())
}

func TestOutput(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.json")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o644))

	o, err := openOutput(path)
	require.NoError(t, err)
	o.drop()
	requireFiles(t, dir, "out.json")
	text, _ := os.ReadFile(path)
	require.Equal(t, "old", string(text), "nothing was committed")

	o, err = openOutput(path)
	require.NoError(t, err)
	require.Error(t, o.commit(io.Discard, make(chan int)), "JSON has no word for a channel")
	requireFiles(t, dir, "out.json")
	text, _ = os.ReadFile(path)
	require.Equal(t, "old", string(text))

	o, err = openOutput(path)
	require.NoError(t, err)
	require.NoError(t, o.commit(io.Discard, []int{1}))
	o.drop()
	text, _ = os.ReadFile(path)
	require.JSONEq(t, "[1]", string(text))
	requireFiles(t, dir, "out.json")

	_, err = openOutput(dir)
	require.ErrorContains(t, err, "folder")
	var none *output
	require.NoError(t, none.commit(io.Discard, 1))
	none.drop()
}

// requireFiles wants exactly these files in a folder.
func requireFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	require.ElementsMatch(t, want, got)
}
