package gpu

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"github.com/glattn/attention"
)

// tuned holds the tiles that were found best on this device, by class of problem. They
// are kept in a file beside the program binaries; one that cannot be read holds nothing.
type tuned struct {
	path string // empty where nothing is kept
	mu   sync.Mutex
	file tuningFile
}

// tuningFile is the JSON that is kept. Tiles of another version of the kernels may not
// compile or be slow, so that they are not used.
type tuningFile struct {
	Device  string          `json:"device"`
	Driver  string          `json:"driver"`
	Kernels string          `json:"kernels"` // digest of the sources
	Tiles   map[string]Tile `json:"tiles"`
}

// openTuned reads what was kept for the device in dir.
func openTuned(dir string, info Info) *tuned {
	t := &tuned{file: tuningFile{Device: info.Renderer, Driver: info.Vendor + " " + info.Version, Kernels: kernelDigest()}}
	if dir == "" {
		return t
	}
	sum := sha256.Sum256([]byte(info.Vendor + "\x00" + info.Renderer + "\x00" + info.Version))
	t.path = filepath.Join(dir, "tuning-"+hex.EncodeToString(sum[:8])+".json")
	var kept tuningFile
	if data, err := os.ReadFile(t.path); err == nil && json.Unmarshal(data, &kept) == nil && kept.Kernels == t.file.Kernels {
		t.file.Tiles = kept.Tiles
	}
	return t
}

// tile returns the tile for a class of problems, if one was found.
func (t *tuned) tile(class string) (Tile, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tile, ok := t.file.Tiles[class]
	return tile, ok
}

// adopt keeps a tile for a class of problems; nil forgets it.
func (t *tuned) adopt(class string, tile *Tile) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	tiles := maps.Clone(t.file.Tiles)
	if tiles == nil {
		tiles = map[string]Tile{}
	}
	if tile == nil {
		delete(tiles, class)
	} else {
		tiles[class] = *tile
	}
	t.file.Tiles = tiles
	if t.path == "" {
		return nil
	}
	data, err := json.MarshalIndent(t.file, "", "\t")
	if err != nil {
		return fmt.Errorf("gpu: tuning: %w", err)
	}
	if err := replaceFile(t.path, data); err != nil {
		return fmt.Errorf("gpu: tuning is used but could not be kept: %w", err)
	}
	return nil
}

// tuneClass names the problems that share a tile: what shapes the code, and how long
// they are. Batch and heads are no part of it, see Backend.variant.
func tuneClass(v Variant, p attention.Problem) string {
	keys := "short"
	switch {
	case p.KeyLen > longKeys:
		keys = "long"
	case p.KeyLen > 2048:
		keys = "middle"
	}
	class := fmt.Sprintf("%v d%dv%d k%v v%v %s", v.Kernel, v.Dim4, v.Value4, v.K, v.V, keys)
	if v.Kernel == KernelDecode {
		class += fmt.Sprintf(" rows%d", decodeTile(p.QueryLen*p.Group(), v).Rows)
	}
	return class
}

// Tilings returns the tiles that could serve p on this device, the one in use first.
func (b *Backend) Tilings(p attention.Problem) []Tile {
	v := b.variant(p)
	list := []Tile{v.Tile}
	for _, tile := range tilings(v, p) {
		v.Tile = tile
		if tile != list[0] && v.runs(b.info.MaxSharedBytes, b.info.MaxInvocations) {
			list = append(list, tile)
		}
	}
	return list
}

// PlanTile is Plan with a tile of Tilings.
func (b *Backend) PlanTile(ctx context.Context, p attention.Problem, tile Tile) (attention.Plan, error) {
	return b.plan(ctx, p, &tile)
}

// Adopt makes tile the one for problems like p: those of the same kernel, widths and
// types, of about the same length. It is kept for later runs on the same device and driver.
// Plans made before keep theirs.
func (b *Backend) Adopt(p attention.Problem, tile Tile) error {
	return b.tuned.adopt(tuneClass(b.variant(p), p), &tile)
}
