package gpu

import (
	"slices"
	"testing"

	"github.com/glattn/attention"
	"github.com/glattn/attention/verify"
	"github.com/glattn/attention/verify/verifytest"
)

// smallTile is the shape of the kernels with few threads and short loops. Software rasterisers unroll a whole work group, so the shipped
// tiles take seconds to compile for each of the many variants of the suite; the
// code is the same.
func smallTile(v Variant) Tile {
	if v.Kernel == KernelRows {
		rows := min(2, rowsTile(1024, v.Dim4, v.Value4).Rows) // the widest have one, which is slow enough to compile
		return Tile{ThreadsX: 8, ThreadsY: 1, Rows: rows, Keys: 2, Split: 256}
	}
	if v.Kernel == KernelNaive {
		return Tile{ThreadsX: 16, ThreadsY: 1, Chunk: 1, Split: 64}
	}
	if v.Kernel == KernelDecode {
		t := Tile{ThreadsX: 16, ThreadsY: 1, Rows: 2, Keys: 16, Lanes: 4, Split: 32, ColumnLanes: 1}
		for t.ColumnLanes < v.Value4 && t.ColumnLanes < t.ThreadsX {
			t.ColumnLanes *= 2
		}
		t.Columns = (v.Value4 + t.ColumnLanes - 1) / t.ColumnLanes
		return t
	}
	t := Tile{ThreadsX: 4, ThreadsY: 4, Rows: 2, Keys: 4, Chunk: min(2, v.Dim4), ValueChunk: 8, ColumnBlocks: (v.Value4 + 31) / 32}
	perBlock := (v.Value4 + t.ColumnBlocks - 1) / t.ColumnBlocks
	t.Columns = (perBlock + t.ThreadsX - 1) / t.ThreadsX
	return t
}

func opener(name string, opt Options) func(t *testing.T) attention.Backend {
	return func(t *testing.T) attention.Backend { return sharedBackend(t, name, opt) }
}

// TestConformanceRows runs all cases on the kernel of software rasterisers.
func TestConformanceRows(t *testing.T) {
	verifytest.Run(t, opener("rows small", Options{Kernel: KernelRows, Tile: smallTile}), verifytest.RequireAll(), shortUnderRace())
}

// TestShippedRows runs the tiles that software rasterisers get, each of their shapes
// and what a tile may get wrong.
func TestShippedRows(t *testing.T) {
	verifytest.Run(t, opener("rows", Options{Kernel: KernelRows}), verifytest.RequireAll(), only(
		"decode-16384", "width-21", "width-128", "width-256", "width-576", "width-128-decode", "pair-113-203-plain", "both-bias-mask",
		"option-causal-bottom-right-d64", "seen-infinite-key-causal", "everything-d64-lq1", "everything-d16-lq35", "empty-causal",
		"type-f16-lq29", "q8-prefill", "q8-prefill-d80", "q8-decode", "q8-poison-mask"))
}

// TestConformanceTiled leaves out the long keys, over which a thread of a small
// tile takes more loop iterations than llvmpipe runs: see rowsTile.
func TestConformanceTiled(t *testing.T) {
	verifytest.Run(t, opener("tiled small", Options{Kernel: KernelTiled, Tile: smallTile}), verifytest.RequireAll(), verifytest.Short(),
		verifytest.Filter(func(c verify.Case) bool { return c.Shape.KeyLen < 10000 }))
}

// TestConformanceTiledPartial runs the tiled kernel with its keys split.
func TestConformanceTiledPartial(t *testing.T) {
	split := func(v Variant) Tile {
		t := smallTile(v)
		t.Split = 8 * t.ThreadsX * t.Keys
		return t
	}
	verifytest.Run(t, opener("tiled partial", Options{Kernel: KernelTiled, Tile: split}), verifytest.RequireAll(), only(
		"decode-16384", "data-ascending-d16", "seen-infinite-key-causal", "everything-d16-lq35", "empty-causal", "width-576"))
}

func TestConformanceDecode(t *testing.T) {
	verifytest.Run(t, opener("decode small", Options{Kernel: KernelDecode, Tile: smallTile}), verifytest.RequireAll(), verifytest.Short())
}

// TestConformanceNaive runs what the yardstick needs to be right about.
func TestConformanceNaive(t *testing.T) {
	verifytest.Run(t, opener("naive", Options{Kernel: KernelNaive}), verifytest.RequireAll(), only(
		"decode-16384", "width-21", "width-128", "everything-d16-lq35", "empty-causal", "type-f16-lq29", "q8-prefill"))
}

// TestFuzzSeeds runs random cases on the kernel of software rasterisers; hardly two
// of them share a program.
func TestFuzzSeeds(t *testing.T) {
	seeds := 25
	if testing.Short() {
		seeds = 8
	}
	verifytest.RunFuzz(t, opener("rows small", Options{Kernel: KernelRows, Tile: smallTile}), seeds)
}

func only(names ...string) verifytest.Option {
	return verifytest.Filter(func(c verify.Case) bool { return slices.Contains(names, c.Name) })
}

// TestShippedTiled runs the tiles that GPUs get, each of their shapes once.
func TestShippedTiled(t *testing.T) {
	verifytest.Run(t, opener("tiled", Options{Kernel: KernelTiled}), verifytest.RequireAll(), only(
		"option-causal-bottom-right-d64", "both-bias-mask", "width-8", "width-40", "width-72", "width-80", "width-96",
		"width-128", "width-160", "width-192", "width-256", "width-576"))
}

// TestShippedDecode runs the decode tiles of all row counts.
func TestShippedDecode(t *testing.T) {
	verifytest.Run(t, opener("decode", Options{Kernel: KernelDecode}), verifytest.RequireAll(), only(
		"decode-16384", "everything-d64-lq1", "width-128-decode", "width-576-decode",
		"q8-decode", "q8-decode-d80", "q8-d576-dv512", "q8-keys", "q8-poison-decode-d80", "seen-some-nan-decode", "heads-8-2-lq1", "heads-12-1-lq1"))
}
