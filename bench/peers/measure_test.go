package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fakeRunner takes a given time and has given outputs.
type fakeRunner struct {
	name   string
	takes  time.Duration
	out    []float32
	fails  error // from the third run on
	runs   int
	closed bool
	rests  bool
	log    *[]string
}

func (f *fakeRunner) run(context.Context) (time.Duration, float64, error) {
	if f.rests {
		return 0, 0, errors.New("ran while it was to rest")
	}
	f.runs++
	if f.log != nil {
		*f.log = append(*f.log, f.name)
	}
	if f.fails != nil && f.runs > 2 {
		return 0, 0, f.fails
	}
	return f.takes, magnitudes(f.out), nil
}

func (f *fakeRunner) output(context.Context) ([]float32, error) { return f.out, nil }
func (f *fakeRunner) rest() error                               { f.rests = true; return nil }
func (f *fakeRunner) wake() error                               { f.rests = false; return nil }
func (f *fakeRunner) about() string                             { return f.name }
func (f *fakeRunner) close() error                              { f.closed = true; return nil }

// as makes a candidate of it.
func (f *fakeRunner) as() candidate {
	return candidate{how: f.name, layout: byHead, tolerance: singleTolerance, start: func(context.Context) (runner, error) { return f, nil }}
}

func TestChooseTakesTheFastestThatIsRight(t *testing.T) {
	j := testJob(t, "h=1,l=2,d=2")
	wrong := append([]float32{j.want[0] + 1}, j.want[1:]...)
	slow, fast, bad := &fakeRunner{name: "slow", takes: 9, out: j.want}, &fakeRunner{name: "fast", takes: 5, out: j.want}, &fakeRunner{name: "bad", takes: 1, out: wrong}
	refused := candidate{how: "refused", start: func(context.Context) (runner, error) { return nil, errors.New("no such kernel") }}
	best, tried, err := choose(t.Context(), j, []candidate{slow.as(), bad.as(), refused, fast.as()})
	require.NoError(t, err)
	require.Equal(t, "fast", best.how)
	require.True(t, slow.closed && bad.closed && !fast.closed, "only the best stays")
	require.True(t, fast.rests, "while others are tried")
	require.Len(t, tried, 4)
	require.Nil(t, tried[1].Best)
	require.Contains(t, tried[1].Reason, "wrong")
	require.Contains(t, tried[2].Reason, "no such kernel")

	_, _, err = choose(t.Context(), j, []candidate{bad.as(), refused})
	require.ErrorContains(t, err, "no such kernel")
	require.ErrorContains(t, err, "wrong")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = choose(ctx, j, []candidate{slow.as()})
	require.ErrorIs(t, err, context.Canceled)
}

func TestAlternateTakesTurns(t *testing.T) {
	j := testJob(t, "h=1,l=2,d=2")
	var log []string
	entryOf := func(name string, takes time.Duration) (*entry, *fakeRunner) {
		f := &fakeRunner{name: name, takes: takes, out: j.want, log: &log}
		return &entry{name: name, chosen: &chosen{candidate: f.as(), runner: f, sum: magnitudes(j.want)}}, f
	}
	a, _ := entryOf("a", 2*longRun)
	b, _ := entryOf("b", 2*longRun)
	broken, f := entryOf("broken", 2*longRun)
	f.fails = errors.New("out of memory")
	absent := &entry{name: "absent", failure: errors.New("not installed")}
	require.NoError(t, alternate(t.Context(), j, limits{reps: 4, time: time.Second}, 0, []*entry{a, absent, broken, b}))
	require.Len(t, a.times, 4)
	require.Len(t, b.times, 4)
	require.EqualError(t, broken.failure, "out of memory")
	require.True(t, f.rests)
	// The first turn has a run that is not timed; later ones know that runs are long.
	require.Equal(t, []string{"a", "a", "broken", "broken", "b", "b", "a", "broken", "b", "a", "b", "a", "b"}, log)

	log = nil
	short, _ := entryOf("short", warmTime/2)
	require.NoError(t, alternate(t.Context(), j, limits{reps: 1, time: time.Millisecond}, 0, []*entry{short}))
	require.Len(t, short.times, int(turnTime/(warmTime/2)), "a turn is long enough for several short runs")
	require.Len(t, log, 2+len(short.times), "after two that are not timed")
}

func TestAlternateRefusesOutputsThatChange(t *testing.T) {
	j := testJob(t, "h=1,l=2,d=2")
	f := &fakeRunner{name: "drifts", takes: longRun, out: append([]float32{j.want[0] + 1}, j.want[1:]...)}
	e := &entry{chosen: &chosen{candidate: f.as(), runner: f, sum: magnitudes(j.want)}}
	require.NoError(t, alternate(t.Context(), j, limits{reps: 2, time: time.Millisecond}, 0, []*entry{e}))
	require.ErrorContains(t, e.failure, "wrong")

	// The sum is right, but the elements are not: the look at all of them finds it.
	swapped := append([]float32{j.want[1], j.want[0]}, j.want[2:]...)
	f = &fakeRunner{name: "swaps", takes: longRun, out: swapped}
	e = &entry{chosen: &chosen{candidate: f.as(), runner: f, sum: magnitudes(j.want)}}
	require.NoError(t, alternate(t.Context(), j, limits{reps: 2, time: time.Millisecond}, 0, []*entry{e}))
	require.ErrorContains(t, e.failure, "wrong")
}

func TestLimits(t *testing.T) {
	l := limits{reps: 10, time: time.Second}
	for _, c := range []struct {
		reps    int
		elapsed time.Duration
		want    bool
	}{
		{2, time.Hour, false},
		{3, time.Second, true},
		{9, 999 * time.Millisecond, false},
		{10, 99 * time.Millisecond, false},
		{10, 100 * time.Millisecond, true},
		{5000, 50 * time.Millisecond, false},
	} {
		require.Equal(t, c.want, l.reached(c.reps, c.elapsed), "%+v", c)
	}
}
