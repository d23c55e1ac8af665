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

func TestWritesEveryShader(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	var names bytes.Buffer
	require.NoError(t, run([]string{"-o", dir, "-list"}, &names))
	probes, err := gpu.Probes()
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(dir, "*.comp"))
	require.NoError(t, err)
	want := len(gpu.Variants()) + len(probes)
	require.Len(t, files, want, "no two have the same file")
	require.Len(t, strings.Split(strings.TrimSpace(names.String()), "\n"), want)
	v := gpu.Variants()[0]
	text, err := v.Source()
	require.NoError(t, err)
	written, err := os.ReadFile(filepath.Join(dir, fileName(v.String())))
	require.NoError(t, err)
	require.Equal(t, text, string(written))
}

func TestArguments(t *testing.T) {
	for _, args := range [][]string{nil, {"-o", "x", "more"}, {"-unknown"}} {
		require.Error(t, run(args, &bytes.Buffer{}), "%q", args)
	}
	require.Equal(t, "probe_mask.comp_bool.comp", fileName("probe/mask.comp bool"))
}
