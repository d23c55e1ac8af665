package bench

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/gpu"
)

// tunable is a backend whose tiles take as many milliseconds as they have keys.
type tunable struct {
	attention.Backend
	tiles   []gpu.Tile
	refused map[gpu.Tile]error
	wrong   map[gpu.Tile]bool
	adopted []gpu.Tile
	open    int
}

func (b *tunable) Tilings(attention.Problem) []gpu.Tile { return b.tiles }

func (b *tunable) PlanTile(ctx context.Context, p attention.Problem, tile gpu.Tile) (attention.Plan, error) {
	if err := b.refused[tile]; err != nil {
		return nil, err
	}
	plan, err := b.Plan(ctx, p)
	b.open++
	return &tunedPlan{plan, b, tile}, err
}

func (b *tunable) Adopt(_ attention.Problem, tile gpu.Tile) error {
	b.adopted = append(b.adopted, tile)
	return nil
}

type tunedPlan struct {
	attention.Plan
	of   *tunable
	tile gpu.Tile
}

func (p *tunedPlan) Run(ctx context.Context, call *attention.Call) error {
	if err := p.Plan.Run(ctx, call); err != nil {
		return err
	}
	time.Sleep(time.Duration(p.tile.Keys) * time.Millisecond)
	if p.of.wrong[p.tile] {
		call.Out.O.Set(0, 0, 0, 0, 1e6)
	}
	return nil
}

func (p *tunedPlan) Close() error {
	p.of.open--
	return p.Plan.Close()
}

func newTunable(keys ...int) *tunable {
	b := &tunable{Backend: cpu.New(cpu.Options{Threads: 1}), refused: map[gpu.Tile]error{}, wrong: map[gpu.Tile]bool{}}
	for _, n := range keys {
		b.tiles = append(b.tiles, gpu.Tile{Keys: n})
	}
	return b
}

func tune(t *testing.T, b *tunable, o TuneOptions) ([]Tuning, error) {
	t.Helper()
	s, err := ParseSpec("b=1,h=1,l=8,d=8")
	require.NoError(t, err)
	o.Time = 2 * time.Second
	return Tune(t.Context(), b, []Spec{s}, o)
}

func TestTuneFindsTheFastestRightTile(t *testing.T) {
	b := newTunable(12, 60, 1, 6, 2, 3)
	b.wrong[b.tiles[2]] = true
	b.refused[b.tiles[4]] = attention.ErrUnsupported
	found, err := tune(t, b, TuneOptions{})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, gpu.Tile{Keys: 3}, found[0].Best)
	require.Equal(t, gpu.Tile{Keys: 12}, found[0].Before)
	require.Less(t, found[0].BestMS, found[0].BeforeMS)
	require.True(t, found[0].Adopted)
	require.Equal(t, 6, found[0].Tried)
	require.Equal(t, 1, found[0].Refused)
	require.Len(t, found[0].Wrong, 1)
	require.Equal(t, []gpu.Tile{{Keys: 3}}, b.adopted)
	require.Zero(t, b.open, "plans are closed")
}

func TestTuneKeepsWhatIsGood(t *testing.T) {
	b := newTunable(4, 8, 12)
	found, err := tune(t, b, TuneOptions{})
	require.NoError(t, err)
	require.Equal(t, found[0].Before, found[0].Best)
	require.False(t, found[0].Adopted)
	require.Empty(t, b.adopted)

	b = newTunable(12, 2)
	found, err = tune(t, b, TuneOptions{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, gpu.Tile{Keys: 2}, found[0].Best)
	require.Empty(t, b.adopted)
}

func TestTuneErrors(t *testing.T) {
	b := newTunable(2, 4)
	b.refused[b.tiles[1]] = attention.ErrDeviceLost
	_, err := tune(t, b, TuneOptions{})
	require.ErrorIs(t, err, attention.ErrDeviceLost)
	require.Zero(t, b.open)

	b = newTunable(2)
	b.wrong[b.tiles[0]] = true
	_, err = tune(t, b, TuneOptions{})
	require.ErrorContains(t, err, "the tile in use")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := ParseSpec("b=1,h=1,l=8,d=8")
	require.NoError(t, err)
	_, err = Tune(ctx, newTunable(1), []Spec{s}, TuneOptions{})
	require.True(t, errors.Is(err, context.Canceled))
}
