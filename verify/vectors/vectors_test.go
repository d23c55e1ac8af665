package vectors_test

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/internal/env"
	"github.com/glattn/attention/verify/vectors"
)

// folders returns the folders named by ATTN_VECTORS. Without any the test is
// skipped, but never in CI, which sets CI=true.
func folders(t *testing.T) []string {
	t.Helper()
	list := env.Vectors()
	if len(list) == 0 {
		require.NotEqual(t, "true", os.Getenv("CI"), "ATTN_VECTORS must name folders of operator test vectors in CI")
		t.Skip("ATTN_VECTORS names no folder: NO OPERATOR TEST VECTOR IS RUN")
	}
	return list
}

func backends() []attention.Backend {
	return []attention.Backend{cpu.NewReference(), cpu.New(cpu.Options{})}
}

func TestVectors(t *testing.T) {
	dirs := folders(t)
	for _, backend := range backends() {
		t.Run(backend.Name(), func(t *testing.T) {
			var total vectors.Tally
			byOperator := map[string]*vectors.Tally{}
			missing := map[string]int{}
			for _, dir := range dirs {
				cases, err := vectors.Load(dir)
				require.NoError(t, err, "a folder named in ATTN_VECTORS must load")
				for _, c := range cases {
					res := c.Run(t.Context(), backend)
					total.Add(res)
					if byOperator[res.Operator] == nil {
						byOperator[res.Operator] = &vectors.Tally{}
					}
					byOperator[res.Operator].Add(res)
					switch res.Status {
					case vectors.Failed:
						t.Error(res)
					case vectors.Skipped:
						missing[res.Operator+": "+res.Missing]++
						t.Log(res)
					}
				}
			}
			report(t, byOperator, missing)
			t.Logf("%s: %v", backend.Name(), total)
			require.Positive(t, total.Passed)
		})
	}
}

func report(t *testing.T, byOperator map[string]*vectors.Tally, missing map[string]int) {
	t.Helper()
	for _, name := range sorted(byOperator) {
		t.Logf("%-40s %v", name, byOperator[name])
	}
	for _, name := range sorted(missing) {
		t.Logf("not built: %s (%d)", name, missing[name])
	}
}

func sorted[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
