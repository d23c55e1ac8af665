package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// vector writes a case of one query and one key, whose output is its value.
func vector(t *testing.T, dir, name, operator string, y float32) {
	t.Helper()
	files := arrays{t, filepath.Join(dir, name)}
	require.NoError(t, os.MkdirAll(files.dir, 0o755))
	type operand struct {
		Name  string `json:"name"`
		DType string `json:"dtype"`
		Shape []int  `json:"shape"`
		File  string `json:"file"`
	}
	put := func(name string, value float32) operand {
		files.put(name, attention.NewFloat32([]float32{value}, 1, 1, 1, 1))
		return operand{name, "float32", []int{1, 1, 1, 1}, name + ".npy"}
	}
	text, err := json.Marshal(map[string]any{"case": name, "operator": operator, "attributes": map[string]any{},
		"inputs": []operand{put("Q", 1), put("K", 2), put("V", 3)}, "outputs": []operand{put("Y", y)}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(files.dir, "case.json"), text, 0o644))
}

func TestConform(t *testing.T) {
	dir := t.TempDir()
	vector(t, filepath.Join(dir, "good"), "right", "Attention", 3)
	vector(t, filepath.Join(dir, "good"), "unknown", "Softmax", 3)
	vector(t, filepath.Join(dir, "bad"), "wrong", "Attention", 3.5)
	good, bad := filepath.Join(dir, "good"), filepath.Join(dir, "bad")

	o := attnbench(t, "conform", "-backend", "cpu", good)
	requireOK(t, o)
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	require.Len(t, lines, 3, "a line for each case, and the closing line")
	require.Contains(t, lines[0], "passed right")
	require.Contains(t, lines[1], "skipped unknown")
	require.Equal(t, "1 passed, 0 failed, 1 skipped", lines[2])

	path := filepath.Join(dir, "out.json")
	o = attnbench(t, "conform", "-backend", "cpu,reference", "-json", path, good, bad)
	require.Equal(t, exitFailed, o.status)
	require.True(t, strings.HasSuffix(o.stdout, "\n2 passed, 2 failed, 2 skipped\n"), o.stdout)
	require.Empty(t, o.stderr)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var results []vectorResult
	require.NoError(t, json.Unmarshal(text, &results))
	require.Len(t, results, 6)
	require.Equal(t, "failed", results[2].Status)
	require.NotEmpty(t, results[2].Detail)
	require.Equal(t, "reference", results[3].Backend)

	o = attnbench(t, "conform", good)
	requireOK(t, o)
	require.True(t, strings.HasSuffix(o.stdout, "\n1 passed, 0 failed, 1 skipped\n"), "auto, unless told: %s", o.stdout)
}
