package gpu

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// TestAdoptedTilesAreKept opens a device again and again in one cache directory.
func TestAdoptedTilesAreKept(t *testing.T) {
	dir := t.TempDir()
	c := newTestCall(t, callSpec{})
	open := func() *Backend {
		b, err := Open(context.Background(), Options{Device: -1, CacheDir: dir})
		noDevice(t, err)
		t.Cleanup(func() { require.NoError(t, b.Close()) })
		return b
	}
	first := open()
	shipped := first.variant(c.Problem).Tile
	list := first.Tilings(c.Problem)
	require.Equal(t, shipped, list[0])
	require.Greater(t, len(list), 3)
	other := list[len(list)-1]
	require.NoError(t, first.Adopt(c.Problem, other))
	require.Equal(t, other, first.variant(c.Problem).Tile)
	wider := c.Problem
	wider.Dim = 200
	require.Equal(t, chosen(first.kernel(wider), wider, nil).Tile, first.variant(wider).Tile, "another class")

	second := open()
	require.Equal(t, other, second.variant(c.Problem).Tile)
	require.NoError(t, runOn(context.Background(), second, c))
	requireRight(t, c)
	require.Equal(t, other, second.Tilings(c.Problem)[0])
	long := c.Problem
	long.KeyLen, long.Batch = 10*longKeys, 7
	require.NotEqual(t, tuneClass(second.variant(c.Problem), c.Problem), tuneClass(second.variant(long), long))
	batch := c.Problem
	batch.Batch, batch.Heads, batch.KVHeads = 9, 2*batch.Heads, 2*batch.KVHeads
	require.Equal(t, other, second.variant(batch).Tile, "batch and heads change no bits")

	biased := c.Problem
	biased.Bias = attention.Float32
	require.NotEqual(t, other, second.variant(biased).Tile, "options that shape the code have tiles of their own")
	few := c.Problem
	few.QueryLen = 1
	require.NotEqual(t, tuneClass(second.variant(few), few), tuneClass(second.variant(c.Problem), c.Problem))
	for name, tile := range map[string]Tile{"empty": {}, "negative": {ThreadsX: 8, ThreadsY: 1, Rows: -1, Keys: 2, Split: 256}, "huge": {ThreadsX: 1 << 20, ThreadsY: 1, Rows: 1, Keys: 2, Split: 256}} {
		require.ErrorIs(t, second.Adopt(c.Problem, tile), attention.ErrInvalid, name)
	}
	refused := second.variant(c.Problem)
	second.health.refuse(refused, attention.ErrUnsupported)
	require.Equal(t, shipped, second.variant(c.Problem).Tile, "what the driver refuses is not used")
	require.NoError(t, second.Supports(c.Problem))
	second.health.mu.Lock()
	delete(second.health.refused, refused)
	second.health.mu.Unlock()

	files, err := filepath.Glob(filepath.Join(dir, "tuning-*.json"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	kept, err := os.ReadFile(files[0])
	require.NoError(t, err)
	for name, content := range map[string]string{
		"corrupt": "{", "of other kernels": strings.Replace(string(kept), kernelDigest(), "0123", 1), "empty": "",
		"of another device": strings.Replace(string(kept), `"device": "`, `"device": "x`, 1),
		"impossible":        regexp.MustCompile(`"ThreadsX": \d+`).ReplaceAllString(string(kept), `"ThreadsX": 0`),
	} {
		require.NoError(t, os.WriteFile(files[0], []byte(content), 0o600))
		require.Equal(t, shipped, open().variant(c.Problem).Tile, name)
	}
	require.NoError(t, os.Remove(files[0]))
	require.NoError(t, os.Mkdir(files[0], 0o700))
	require.ErrorContains(t, second.Adopt(c.Problem, shipped), "could not be kept")
	require.Equal(t, shipped, second.variant(c.Problem).Tile, "it is used all the same")
}

// TestTilingsAreRight runs some of the tiles that a tuner would try.
func TestTilingsAreRight(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 9))
	for _, k := range []struct {
		kernel Kernel
		spec   callSpec
	}{
		{KernelTiled, callSpec{heads: 2, kvHeads: 1, lq: 70, lk: 150, d: 24, dv: 20, options: attention.Options{Causal: attention.BottomRight}}},
		{KernelDecode, callSpec{heads: 4, kvHeads: 2, lq: 2, lk: 700, d: 40, mask: true}},
		{KernelRows, callSpec{heads: 2, kvHeads: 2, lq: 40, lk: 90, d: 9}},
	} {
		t.Run(k.kernel.String(), func(t *testing.T) {
			b := sharedBackend(t, "tilings "+k.kernel.String(), Options{Kernel: k.kernel})
			c := newTestCall(t, k.spec)
			list := b.Tilings(c.Problem)
			require.Greater(t, len(list), 10)
			n := 3
			if testing.Short() {
				n = 1
			}
			for range n {
				tile := list[random.IntN(len(list))]
				plan, err := b.PlanTile(context.Background(), c.Problem, tile)
				require.NoError(t, err, "%v", tile)
				require.Contains(t, plan.String(), tile.String())
				blank(c)
				require.NoError(t, plan.Run(context.Background(), c), "%v", tile)
				requireRight(t, c)
				require.NoError(t, plan.Close())
			}
		})
	}
}
