package roof

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLoopsAgree runs every loop of this processor against plain Go on numbers
// that float32 holds exactly.
func TestLoopsAgree(t *testing.T) {
	for _, l := range variants() {
		t.Run(l.name, func(t *testing.T) {
			got, want := make([]float32, l.lanes+1), make([]float32, l.lanes+1)
			for n := range got {
				got[n] = float32(n)
				want[n] = got[n]
			}
			l.fma(2, 1, 3, got[:l.lanes])
			fmaGo(2, 1, 3, want[:l.lanes])
			require.Equal(t, want, got, "each lane advances by 16·3, the number behind them stays")

			for _, blocks := range []int{1, 2, 3, 7, 64} {
				data := make([]float32, blocks*sumBlock+1)
				total := 0.0
				for n := range blocks * sumBlock {
					data[n] = float32(n%251 - 100)
					total += float64(data[n])
				}
				data[blocks*sumBlock] = 1e6 // not to be read as part of the sum
				out := make([]float32, l.width+1)
				l.sum(data[:blocks*sumBlock], out[:l.width])
				sum := 0.0
				for _, x := range out {
					sum += float64(x)
				}
				require.Equal(t, total, sum, "%d blocks", blocks)
				require.Zero(t, out[l.width])
			}
		})
	}
}

func TestMeasure(t *testing.T) {
	data := make([]float32, 1<<18)
	for n := range data {
		data[n] = 1
	}
	for _, l := range variants() {
		t.Run(l.name, func(t *testing.T) {
			fma, err := l.measureFMA(t.Context(), 1)
			require.NoError(t, err)
			require.Equal(t, l.name, fma.Loop)
			require.Greater(t, fma.PerSecond, 1e8)
			require.Less(t, fma.PerSecond, 1e12, "of one core")
			read, err := l.measureRead(t.Context(), 2, data, fastest)
			require.NoError(t, err)
			require.Equal(t, 2, read.Threads)
			require.Greater(t, read.PerSecond, 1e8)
			require.Less(t, read.PerSecond, 1e13)
			now, err := l.measureRead(t.Context(), 2, data, once)
			require.NoError(t, err)
			require.Greater(t, now.PerSecond, read.PerSecond/100, "the same in one run")
			require.Less(t, now.PerSecond, read.PerSecond*10)
		})
	}
	require.True(t, Rate{Loop: portable.name}.Portable())
	require.False(t, Rate{Loop: "AVX2"}.Portable())
}

// TestSettled feeds rates in the order in which runs would give them.
func TestSettled(t *testing.T) {
	var quiet, lone top
	for n := range leastRuns {
		require.False(t, quiet.settled(), "%d runs", n)
		quiet.add([]float64{98.5, 60, 100, 99}[n%4])
	}
	require.True(t, quiet.settled())
	require.Equal(t, 100.0, quiet.best)

	for range leastRuns {
		lone.add(70)
	}
	require.True(t, lone.settled(), "all agree")
	lone.add(100)
	require.False(t, lone.settled(), "a lone best may be exceeded")
	require.Equal(t, 70.0, lone.second)
	lone.add(98)
	require.True(t, lone.settled())
	require.Equal(t, 98.0, lone.second)

	var noisy top
	for n := range mostRuns {
		require.False(t, noisy.settled(), "%d runs", n)
		noisy.add(float64(int(1) << n))
	}
	require.True(t, noisy.settled(), "it ends")
}

func TestReadChecksTheSum(t *testing.T) {
	data := make([]float32, sumBlock)
	_, err := portable.measureRead(t.Context(), 1, data, fastest)
	require.ErrorContains(t, err, "sums 128 ones to 0")
	_, err = portable.measureRead(t.Context(), 1, data[:1], once)
	require.ErrorContains(t, err, "want 128 or more")
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := FMA(ctx, 1)
	require.ErrorIs(t, err, context.Canceled)
	_, err = Read(ctx, 1, make([]float32, sumBlock))
	require.ErrorIs(t, err, context.Canceled)
	_, err = ReadOnce(ctx, 1, make([]float32, sumBlock))
	require.ErrorIs(t, err, context.Canceled)
}

// TestGenerated makes the assembly anew and compares. The generator is a module
// of its own, whose one dependency must come from a module cache or a proxy: a
// machine with neither skips, unless CI is set.
func TestGenerated(t *testing.T) {
	if testing.Short() && os.Getenv("CI") == "" {
		t.Skip("short: building the generator takes a while")
	}
	dir := t.TempDir()
	if out, err := exec.Command("go", "-C", "_asm", "mod", "download").CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the generator's module cannot be had: %v\n%s", err, out)
		}
		t.Skipf("NOT CHECKED that roof_amd64.s is what _asm generates: its module cannot be had: %v\n%s", err, out)
	}
	assembly, stubs := filepath.Join(dir, "roof_amd64.s"), filepath.Join(dir, "stubs_amd64.go")
	// The command line is part of the generated header, so it must be the documented one.
	command := exec.Command("go", "-C", "_asm", "run", ".", "-out", assembly, "-stubs", stubs, "-pkg", "roof")
	out, err := command.CombinedOutput()
	require.NoError(t, err, string(out))
	for _, name := range []string{assembly, stubs} {
		want, err := os.ReadFile(name)
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Base(name))
		require.NoError(t, err)
		require.Equal(t, withoutHeader(want), withoutHeader(got), "%s is out of date: see _asm/main.go", filepath.Base(name))
	}
}

// withoutHeader drops the first line, which holds the command line with its paths.
func withoutHeader(text []byte) string {
	for n, c := range text {
		if c == '\n' {
			return string(text[n:])
		}
	}
	return ""
}
