package fuzz

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/verify"
)

// TestSeedsAreValid builds many cases, and asks that together they turn every
// feature on and off.
func TestSeedsAreValid(t *testing.T) {
	var on, off attention.Features
	for seed := range uint64(400) {
		c := FromSeed(seed)
		require.Equal(t, c, FromSeed(seed), "the same seed, the same case")
		require.LessOrEqual(t, c.FLOPs(), int64(maxFLOPs))
		d, err := verify.Build(c)
		require.NoError(t, err, c)
		f := d.Call.Problem.Features()
		on |= f
		off |= attention.AllFeatures &^ f
	}
	require.Equal(t, attention.AllFeatures, on)
	require.Equal(t, attention.AllFeatures, off)
}
