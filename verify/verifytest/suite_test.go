package verifytest

import (
	"flag"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/internal/mutate"
	"github.com/glattn/attention/verify"
	"github.com/glattn/attention/verify/fuzz"
)

var broken = flag.Bool("broken", false, "let TestBrokenBackend fail; TestFailuresRepeat sets it")

func openReference(t *testing.T) attention.Backend {
	backend := cpu.NewReference()
	t.Cleanup(func() { require.NoError(t, backend.Close()) })
	return backend
}

func TestReference(t *testing.T) {
	Run(t, openReference, Short(), RequireAll(), Filter(func(c verify.Case) bool { return c.Options.Causal != attention.Off }))
}

func TestReferenceLifecycle(t *testing.T) { RunLifecycle(t, openReference) }

func TestReferenceRepeat(t *testing.T) { RunRepeat(t, openReference, 20) }

func TestReferenceFuzz(t *testing.T) { RunFuzz(t, openReference, 20) }

// TestBrokenBackend fails on purpose when TestFailuresRepeat starts it.
func TestBrokenBackend(t *testing.T) {
	if !*broken {
		t.Skip("fails on purpose; TestFailuresRepeat runs it with -broken")
	}
	open := func(*testing.T) attention.Backend { return cpu.NewMutated(mutate.ScaleLeftOut) }
	t.Run("seeds", func(t *testing.T) { RunFuzz(t, open, 12) })
	t.Run("cases", func(t *testing.T) {
		Run(t, open, Filter(func(c verify.Case) bool { return strings.HasPrefix(c.Name, "width-6") }))
	})
}

// TestFailuresRepeat runs a broken backend in a process of its own and then the
// first command that each kind of failure prints: it must fail again, alone.
func TestFailuresRepeat(t *testing.T) {
	output := runSelf(t, "-test.run=^TestBrokenBackend$")
	for name, marker := range map[string]string{
		"seed": `repeat: go test (\S+) -count=1 -run '([^']+)' (-verify\.seed=\d+)`,
		"case": `repeat: go test (\S+) -count=1 -run '([^']+cases[^']+)'()`,
	} {
		t.Run(name, func(t *testing.T) {
			found := regexp.MustCompile(marker).FindStringSubmatch(output)
			require.NotNil(t, found, "no command in:\n%s", output)
			require.Equal(t, "github.com/glattn/attention/verify/verifytest", found[1])
			args := []string{"-test.run=" + found[2]}
			if found[3] != "" {
				args = append(args, found[3])
			}
			again := runSelf(t, args...)
			require.Equal(t, 1, strings.Count(again, "repeat: "), "exactly one failure in:\n%s", again)
			require.Contains(t, again, found[0])
		})
	}
}

// runSelf runs this test binary with -broken and returns what it prints. It must fail.
func runSelf(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], append(args, "-broken")...)
	output, err := command.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "the broken backend passed:\n%s", output)
	return string(output)
}

func TestQuantizedSeed(t *testing.T) {
	c := fuzz.FromSeed(quantizedSeed)
	require.Equal(t, attention.Q8_0, c.Types.K)
	require.Equal(t, attention.Q8_0, c.Types.V)
	require.Equal(t, verify.MaskedNaN, c.Fill.Poison)
	require.Positive(t, c.FLOPs())
}

func TestMayRefuse(t *testing.T) {
	quantized, plain := named(t, "q8-values"), named(t, "width-16")
	for _, c := range []struct {
		options          []Option
		quantized, plain bool
	}{
		{nil, true, true},
		{[]Option{RequireAll()}, false, false},
		{[]Option{RequireAllBut(attention.FeatureQ8_0)}, true, false},
		{[]Option{RequireAllBut(attention.FeatureCausal)}, false, false},
	} {
		var s settings
		for _, o := range c.options {
			o(&s)
		}
		require.Equal(t, c.quantized, s.mayRefuse(quantized))
		require.Equal(t, c.plain, s.mayRefuse(plain))
	}
}
