package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention/gpu"
)

// listing is a loop of two blocks inside another, and a loop of no interest.
const listing = `BB0:
	s_mov_b32 s0, 0                                             ; be800003
BB1:
	v_mov_b32_e32 v0, 0                                         ; 7e000280
BB2:
	v_fmac_f32_e32 v1, v2, v3                                   ; 56020702
	v_dual_fmac_f32 v4, v5, v6 :: v_dual_mul_f32 v7, v8, v9     ; c8000d05
	s_cbranch_scc1 BB4                                          ; bf850002
BB3:
	v_mad_f32 v1, v2, v3, v1                                    ; d2820001
	v_mad_u32_u24 v1, v2, v3, v1                                ; d5430001
	s_branch BB2                                                ; bf820000
BB4:
	s_cbranch_scc0 BB1                                          ; bf840000
BB5:
	v_add_f32_e32 v1, v2, v3                                    ; 06020702
	s_cbranch_scc0 BB5                                          ; bf840000
	s_endpgm                                                    ; bf810000`

func TestLoops(t *testing.T) {
	c := parseCode(strings.Split(listing, "\n"))
	require.Equal(t, []loop{
		{first: 1, last: 4, fmas: 3, others: 6},
		{first: 2, last: 3, fmas: 3, others: 4, inner: true},
		{first: 5, last: 5, fmas: 0, others: 3, inner: true},
	}, c.loops())
	require.InDeltaSlice(t, []float64{3.0 / 7}, c.shares(), 1e-9)
	require.InDelta(t, 8*4*3, c.weighted(), 1e-9)
}

func TestFMANames(t *testing.T) {
	for name, is := range map[string]bool{
		"v_fma_f32": true, "v_fmac_f32_e32": true, "v_mac_f32_e64": true, "v_mad_f32": true, "v_pk_fma_f16": true, "v_fmaak_f32": true, "v_fma_legacy_f32": true,
		"v_mul_f32": false, "v_mad_u32_u24": false, "v_mad_u64_u32": false, "v_add_f32": false, "s_fmac_f32": false,
	} {
		require.Equal(t, is, fma.MatchString(name), name)
	}
}

func output(spills string) string {
	return "device X\ndriver radv Mesa 1.2.3\nshader 0.spv\nstat VGPRs=64\nstat SGPRs=10\nstat Driver pipeline hash=18446744073709551615\n" +
		"stat Spilled VGPRs=" + spills + "\nstat Spilled SGPRs=0\nstat Scratch size=0\nstat LDS size=1024\nstat Subgroups per SIMD=8\nstat Inverse Throughput=192\n" +
		"assembly\n" + listing + "\nend\n"
}

func TestReports(t *testing.T) {
	driver, shaders, err := readReports(strings.NewReader(output("0")))
	require.NoError(t, err)
	require.Equal(t, "radv Mesa 1.2.3", driver)
	require.Len(t, shaders, 1)
	r, err := newRow("navi21", gpu.Variants()[0], shaders["0.spv"])
	require.NoError(t, err)
	require.Equal(t, []string{"64", "0", "0", "1024", "8", "43", "192", "2.00"}, r.cells())

	_, _, err = readReports(strings.NewReader("shader 0.spv\nassembly\nBB0:\n"))
	require.ErrorContains(t, err, "no end")
	_, err = newRow("navi21", gpu.Variants()[0], report{})
	require.ErrorContains(t, err, "vgprs")
	delete(shaders["0.spv"].stats, "scratch size")
	_, err = newRow("navi21", gpu.Variants()[0], shaders["0.spv"])
	require.ErrorContains(t, err, "scratch size")
}

func TestFaults(t *testing.T) {
	tiled := gpu.Variant{Kernel: gpu.KernelTiled, Dim4: 16, Value4: 16}
	for name, c := range map[string]struct {
		row  row
		want int
	}{
		"good":              {row{variant: tiled, shares: []float64{0.8, 0.9}}, 0},
		"spills":            {row{variant: tiled, spills: 1, shares: []float64{0.8}}, 1},
		"scratch":           {row{variant: tiled, scratch: 4, shares: []float64{0.8}}, 1},
		"few FMAs":          {row{variant: tiled, shares: []float64{0.8, 0.7}}, 1},
		"no loop":           {row{variant: tiled}, 1},
		"decode, few FMAs":  {row{variant: gpu.Variant{Kernel: gpu.KernelDecode, Dim4: 16, Value4: 16}, shares: []float64{0.1}}, 0},
		"narrow, no loop":   {row{variant: gpu.Variant{Kernel: gpu.KernelTiled, Dim4: 1, Value4: 16}}, 0},
		"spills, few FMAs":  {row{variant: tiled, spills: 1, shares: []float64{0.1}}, 2},
		"spilled in decode": {row{variant: gpu.Variant{Kernel: gpu.KernelDecode}, spills: 2}, 1},
	} {
		require.Len(t, c.row.faults(), c.want, name)
	}
}

func TestCompare(t *testing.T) {
	dir := t.TempDir()
	tiled := gpu.Variant{Kernel: gpu.KernelTiled, Dim4: 16, Value4: 16}
	all := []row{{family: "polaris10", variant: tiled, vgprs: 1}, {family: "navi21", variant: tiled, vgprs: 2}}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "amdstat.csv"), []byte(csv("Mesa 1", all)), 0o600))
	changed := []row{{family: "navi21", variant: tiled, vgprs: 3}}
	for _, c := range []struct {
		versions  string
		rows      []row
		err, says string
	}{
		{"Mesa 1", all[1:], "", "as listed"},
		{"Mesa 1", changed, "out of date", ""},
		{"Mesa 1", nil, "other variants", ""},
		{"Mesa 2", changed, "", "not compared"},
	} {
		var out bytes.Buffer
		err := compare(dir, c.versions, c.rows, &out)
		if c.err != "" {
			require.ErrorContains(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		require.Contains(t, out.String(), c.says)
	}
	require.Error(t, compare(t.TempDir(), "Mesa 1", all, &bytes.Buffer{}))
}

func TestMarkdownShowsCommonVariants(t *testing.T) {
	rows := []row{
		{family: "navi21", variant: gpu.Variant{Kernel: gpu.KernelTiled, Dim4: 16, Value4: 16}},
		{family: "navi21", variant: gpu.Variant{Kernel: gpu.KernelTiled, Dim4: 16, Value4: 16, Softcap: true}},
		{family: "gfx1100", variant: gpu.Variant{Kernel: gpu.KernelTiled, Dim4: 17, Value4: 17}},
	}
	text := markdown("Mesa 1", rows)
	require.Contains(t, text, "## navi21\n")
	require.Contains(t, text, "## gfx1100\n")
	require.Equal(t, 1, strings.Count(text, "| attention_"))
	require.Len(t, strings.Split(strings.TrimSpace(csv("Mesa 1", rows)), "\n"), 2+3)
}

func TestArguments(t *testing.T) {
	for _, args := range [][]string{nil, {"-radv", "x"}, {"-o", "x"}, {"-radv", "x", "-o", "y", "-check", "z"}, {"-radv", "x", "-o", "y", "more"}, {"-unknown"}} {
		require.Error(t, run(args, &bytes.Buffer{}), "%q", args)
	}
}
