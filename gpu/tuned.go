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
	"time"

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
	Kernels string          `json:"kernels"` // digest of the sources, and what tiles mean
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
	t.read()
	return t
}

// read takes over the tiles in the file, if it is one for this device and these kernels.
func (t *tuned) read() {
	var kept tuningFile
	data, err := os.ReadFile(t.path)
	if err == nil && json.Unmarshal(data, &kept) == nil && kept.Kernels == t.file.Kernels && kept.Device == t.file.Device && kept.Driver == t.file.Driver {
		t.file.Tiles = kept.Tiles
	}
}

// tile returns the tile for problems like p on the kernel of v, if one was found.
func (t *tuned) tile(v Variant, p attention.Problem) (Tile, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.file.Tiles) == 0 {
		return Tile{}, false
	}
	tile, ok := t.file.Tiles[tuneClass(v, p)]
	return tile, ok
}

// adopt keeps a tile for a class of problems, beside what other processes kept meanwhile.
func (t *tuned) adopt(class string, tile Tile) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.path != "" {
		t.read()
	}
	tiles := maps.Clone(t.file.Tiles)
	if tiles == nil {
		tiles = map[string]Tile{}
	}
	tiles[class] = tile
	t.file.Tiles = tiles
	if t.path == "" {
		return nil
	}
	data, err := json.MarshalIndent(t.file, "", "\t")
	if err != nil {
		return fmt.Errorf("gpu: tuning: %w", err)
	}
	if err := replaceFile(t.path, data, time.Now()); err != nil {
		return fmt.Errorf("gpu: tuning is used but could not be kept: %w", err)
	}
	return nil
}

// The most keys of the classes of length, but for the last.
const (
	shortKeys  = 2048
	middleKeys = longKeys
)

// tuneClass names the problems that share a tile: what shapes the code, and how long
// they are. Batch and heads are no part of it, see Backend.variant.
func tuneClass(v Variant, p attention.Problem) string {
	keys := "long"
	switch {
	case p.KeyLen <= shortKeys:
		keys = "short"
	case p.KeyLen <= middleKeys:
		keys = "middle"
	}
	class := fmt.Sprintf("%v d%dv%d k%v v%v %s", v.Kernel, v.Dim4, v.Value4, v.K, v.V, keys)
	for _, f := range v.flags() {
		if f.on && f.name != "partial" && f.name != "guarded" {
			class += " " + f.name
		}
	}
	rows := p.QueryLen * p.Group()
	switch v.Kernel {
	case KernelDecode:
		class += fmt.Sprintf(" rows%d", decodeTile(rows, v).Rows)
	case KernelRows:
		class += fmt.Sprintf(" rows%d", rowsTile(rows, v.Dim4, v.Value4).Rows)
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

// Adopt makes tile the one for problems like p: those of the same kernel, widths, types and
// options that shape the code, of about the same length. It is kept for later runs on the
// same device and driver. The error is an attention.ErrInvalid for a tile that the device
// cannot run, or says that the tile is used but could not be kept.
func (b *Backend) Adopt(p attention.Problem, tile Tile) error {
	v := b.variant(p)
	v.Tile = tile
	if !v.runs(b.info.MaxSharedBytes, b.info.MaxInvocations) {
		return fmt.Errorf("gpu: tuning: %w: tile %+v of %v", attention.ErrInvalid, tile, v.Kernel)
	}
	return b.tuned.adopt(tuneClass(v, p), tile)
}
