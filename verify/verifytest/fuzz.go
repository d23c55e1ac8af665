package verifytest

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/glattn/attention"
	"github.com/glattn/attention/verify"
	"github.com/glattn/attention/verify/fuzz"
)

// RunFuzz runs the cases of seeds 0 to n−1, or only the seed of the flag
// -verify.seed. Unsupported cases are counted in the log.
func RunFuzz(t *testing.T, open func(t *testing.T) attention.Backend, n int) {
	t.Helper()
	backend := open(t)
	first, last := uint64(0), uint64(n)
	if *seed != "" {
		one, err := strconv.ParseUint(*seed, 10, 64)
		if err != nil {
			t.Fatalf("flag -verify.seed: %v", err)
		}
		first, last = one, one+1
	}
	var summary verify.Summary
	for k := first; k != last; k++ {
		c := fuzz.FromSeed(k)
		report, err := verify.Measure(t.Context(), backend, c)
		summary.Add(c, report, err)
		if err != nil && !errors.Is(err, attention.ErrUnsupported) {
			t.Errorf("%v\nrepeat: %s", err, SeedCommand(t, k))
		}
	}
	t.Logf("%s: seeds %d to %d: %v", backend.Name(), first, last-1, summary)
}

// SeedCommand returns the shell command that runs one seed of the [RunFuzz] test t.
func SeedCommand(t testing.TB, k uint64) string {
	return fmt.Sprintf("%s -verify.seed=%d", Command(t), k)
}

// quantizedSeed is a case with K and V in q8_0, and lengths, offsets, a bias and
// poison around them.
const quantizedSeed = 237

// Fuzz lets go test -fuzz look for a seed that fails. A failing seed also fails
// in the package's RunFuzz test, by the flag -verify.seed.
func Fuzz(f *testing.F, open func(t *testing.T) attention.Backend) {
	f.Helper()
	for k := range uint64(8) {
		f.Add(k)
	}
	f.Add(uint64(quantizedSeed))
	f.Fuzz(func(t *testing.T, k uint64) {
		err := verify.RunCase(t.Context(), open(t), fuzz.FromSeed(k))
		if errors.Is(err, attention.ErrUnsupported) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatalf("%v\nrepeat with a test that calls verifytest.RunFuzz: -verify.seed=%d", err, k)
		}
	})
}
