package mutate

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryKindHasAName(t *testing.T) {
	require.Len(t, names, int(end))
	seen := map[string]bool{None.String(): true}
	for _, k := range All() {
		require.NotEmpty(t, k.String())
		require.False(t, seen[k.String()], "%v named twice", k)
		seen[k.String()] = true
	}
	require.Equal(t, "mutation(200)", Kind(200).String())
}
