package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
)

// TestBesideLower has a roof that other programs lowered while calls were timed.
func TestBesideLower(t *testing.T) {
	key, other := readKey(1, 8<<20), readKey(2, 8<<20)
	b := &beside{rates: map[cpuKey][]float64{key: {30, 10, 20}, other: nil}}
	quiet := ceilings{fma: Roof{RoofFMA, 100, "loop"}, read: Roof{RoofRead, 50, "stream"}}
	for name, c := range map[string]struct {
		key           cpuKey
		reached, want float64
	}{
		"the median counts":                  {key, 15, 20},
		"what a program reached is possible": {key, 25, 25},
		"no samples":                         {other, 25, 50},
		"nothing of the kind":                {readKey(4, 8<<20), 25, 50},
	} {
		t.Run(name, func(t *testing.T) {
			got := quiet
			b.lower(&got, c.key, c.reached)
			require.Equal(t, quiet.fma, got.fma)
			require.Equal(t, c.want, got.read.Value)
		})
	}
}

// TestBesideTakesHalfTheTime has samples that take long and calls that do not.
func TestBesideTakesHalfTheTime(t *testing.T) {
	b := &beside{rates: map[cpuKey][]float64{readKey(1, 1<<20): nil}}
	roofs := new(Roofs)
	count := func() int { return len(b.rates[readKey(1, 1<<20)]) }
	require.NoError(t, b.sample(t.Context(), roofs))
	require.Equal(t, 1, count())
	b.spent = time.Hour
	require.NoError(t, b.sample(t.Context(), roofs))
	require.Equal(t, 1, count(), "too many already")
	b.begun = b.begun.Add(-3 * time.Hour)
	require.NoError(t, b.sample(t.Context(), roofs))
	require.Equal(t, 2, count())
	require.Greater(t, b.rates[readKey(1, 1<<20)][1], 0.01)
}

// TestReadRoofInTurn plants the roof of multiply-adds, which decides on which roof binds.
func TestReadRoofInTurn(t *testing.T) {
	run := func(fma float64) Record {
		s, err := ParseSpec("b=1,h=1,lq=1,lk=4096,d=64")
		require.NoError(t, err)
		planted := measured{Roof: Roof{RoofFMA, fma, "planted"}, tries: mostTries}
		records, err := Run(t.Context(), Config{
			Backends: []attention.Backend{cpu.New(cpu.Options{Threads: 1})}, Threads: 1, Time: 20 * time.Millisecond,
			Roofs: &Roofs{cpu: map[cpuKey]measured{{kind: RoofFMA, threads: 1}: planted}},
		}, []Spec{s})
		require.NoError(t, err)
		return records[0]
	}
	read, multiply := run(1e9), run(1e-3)
	require.Equal(t, RoofRead, read.RoofKind)
	require.Contains(t, read.RoofHow, "in turn with the calls")
	require.LessOrEqual(t, *read.RoofShare, 1.0)
	require.Equal(t, RoofFMA, multiply.RoofKind)
	require.Equal(t, "planted", multiply.RoofHow)
}
