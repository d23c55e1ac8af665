package vectors_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention/internal/npy"
	"github.com/glattn/attention/verify/vectors"
)

func TestLoadFindsEveryDepth(t *testing.T) {
	root := t.TempDir()
	text := []byte(`{"operator": "X", "outputs": [{"name": "Y", "dtype": "float32", "shape": [1], "file": "Y.npy"}]}`)
	y, err := npy.New("f4", []float32{1}, 1)
	require.NoError(t, err)
	for _, dir := range []string{"b/two", "a/one", "a/three", "four"} {
		dir = filepath.Join(root, dir)
		require.NoError(t, os.MkdirAll(dir, 0o750))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "case.json"), text, 0o600))
		require.NoError(t, y.Write(filepath.Join(dir, "Y.npy")))
	}
	for dir, want := range map[string][]string{
		"": {"one", "three", "two", "four"}, "a": {"one", "three"}, "a/one": {"one"},
	} {
		cases, err := vectors.Load(filepath.Join(root, dir))
		require.NoError(t, err)
		var names []string
		for _, c := range cases {
			names = append(names, c.Name)
			require.Equal(t, "ai.onnx.X", c.FullName())
		}
		require.Equal(t, want, names)
	}
}

func TestLoadRefuses(t *testing.T) {
	const output = `"outputs": [{"name": "Y", "file": "Y.npy"}]`
	for name, text := range map[string]string{
		"half a document":     `{"operator": "X"`,
		"no operator":         `{` + output + `}`,
		"no output":           `{"operator": "X"}`,
		"unknown grade":       `{"operator": "X", "grade": "fine", ` + output + `}`,
		"file outside":        `{"operator": "X", "outputs": [{"name": "Y", "file": "../case.json"}]}`,
		"absolute file":       `{"operator": "X", "outputs": [{"name": "Y", "file": "/etc/hosts"}]}`,
		"missing file":        `{"operator": "X", ` + output + `}`,
		"no file":             `{"operator": "X", "outputs": [{"name": "Y"}]}`,
		"two of a name":       `{"operator": "X", "outputs": [{"name": "Y", "file": "case.json"}, {"name": "Y", "file": "case.json"}]}`,
		"attributes no table": `{"operator": "X", "attributes": [], ` + output + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "case.json"), []byte(text), 0o600))
			_, err := vectors.Load(dir)
			require.ErrorIs(t, err, vectors.ErrLoad)
			require.ErrorContains(t, err, filepath.Join(dir, "case.json"))
		})
	}
	_, err := vectors.Load(t.TempDir())
	require.ErrorIs(t, err, vectors.ErrLoad, "a folder without cases")
	_, err = vectors.Load(filepath.Join(t.TempDir(), "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorIs(t, err, vectors.ErrLoad)
}

// TestBrokenTensorsFail damages the files of a case that passes.
func TestBrokenTensorsFail(t *testing.T) {
	q, k, v := qkv()
	y := naive(q, k, v, plain)
	for name, damage := range map[string]func(c *caseFile, path string) error{
		"truncated": func(_ *caseFile, path string) error { return os.Truncate(path, 200) },
		"empty":     func(_ *caseFile, path string) error { return os.Truncate(path, 0) },
		"other shape": func(c *caseFile, path string) error {
			return encode(t, "float32", values{[]int{2, 2, 40}, k.list}).Write(path)
		},
		"other type": func(c *caseFile, path string) error { return encode(t, "float64", k).Write(path) },
	} {
		t.Run(name, func(t *testing.T) {
			c := onnx(t, nil, q, k, v, y)
			c.passes()
			require.NoError(t, damage(c, filepath.Join(c.dir, "inputs_K.npy")))
			res := c.run()
			require.Equal(t, vectors.Failed, res.Status, res.String())
			require.Contains(t, res.Detail, "inputs_K.npy")
		})
	}
	res := onnx(t, nil, q, k, v, y).in("Z", "float32", q).out("Y", "float32", y)
	res.desc["inputs"].([]any)[0].(map[string]any)["dtype"] = "int4"
	got := res.run()
	require.Equal(t, vectors.Skipped, got.Status, got.String())
	require.Contains(t, got.Missing, "dtype int4")
}

// TestNonsenseNeverPasses replaces and removes each input of working cases in
// turn. Whatever comes out, it must be neither a panic nor a pass.
func TestNonsenseNeverPasses(t *testing.T) {
	q, k, v := qkv()
	y := noise(99, 1)
	whole := func(shape ...int) values {
		n := noise(5, shape...)
		for i := range n.list {
			n.list[i] = 1
		}
		return n
	}
	type input struct {
		name, dtype string
		v           values
	}
	flat := []input{{"query", "float32", q.merged()}, {"key", "float32", k.merged()}, {"value", "float32", v.merged()}}
	tests := []struct {
		operator   string
		attributes map[string]any
		inputs     []input
	}{
		{"+Attention", map[string]any{"q_num_heads": 4, "kv_num_heads": 2, "is_causal": 1}, []input{
			{"Q", "float32", q.merged()}, {"K", "float32", k.merged()}, {"V", "float32", v.merged()},
			{"attn_mask", "float32", noise(4, 3, 8)}, {"past_key", "float32", noise(5, 2, 2, 3, 8)}, {"past_value", "float32", noise(6, 2, 2, 3, 6)}}},
		{"+Attention", map[string]any{"left_window_size": 2}, []input{
			{"Q", "float32", q}, {"K", "float32", k}, {"V", "float32", v}, {"nonpad_kv_seqlen", "int32", whole(2)}}},
		{"MultiHeadAttention", map[string]any{"num_heads": 2}, append([]input{
			{"bias", "float32", noise(4, 32+16+12)}, {"key_padding_mask", "int32", whole(2)}, {"attention_bias", "float32", noise(7, 1, 1, 3, 5)},
			{"past_key", "float32", noise(5, 2, 2, 9, 8)}, {"past_value", "float32", noise(6, 2, 2, 9, 6)},
			{"past_sequence_length", "int32", whole(1)}, {"cache_indirection", "int32", whole(2, 1, 9)}}, flat...)},
		{"GroupQueryAttention", map[string]any{"num_heads": 4, "kv_num_heads": 2}, append([]input{
			{"past_key", "float32", noise(5, 2, 2, 9, 8)}, {"past_value", "float32", noise(6, 2, 2, 9, 6)},
			{"seqlens_k", "int32", whole(2)}, {"total_sequence_length", "int32", whole(1)}}, flat...)},
		{"Attention", map[string]any{"num_heads": 2}, []input{
			{"input", "float32", noise(1, 2, 3, 5)}, {"weights", "float32", noise(2, 5, 12)}, {"bias", "float32", noise(3, 12)},
			{"mask_index", "int32", whole(2)}, {"past", "float32", noise(4, 2, 2, 2, 3, 2)}}},
	}
	junk := []input{
		{"", "float32", noise(1)}, {"", "float32", noise(1, 3)}, {"", "float32", noise(1, 2, 3)}, {"", "float32", noise(1, 1, 2, 3, 1)},
		{"", "float32", noise(1, 2, 1, 1, 3, 1)}, {"", "float32", noise(1, 0)}, {"", "float32", noise(1, 0, 7, 0)},
		{"", "int32", list([]int{1}, -5)}, {"", "int32", list([]int{1}, 1<<30)}, {"", "int32", list([]int{2}, -5, 1<<30)}, {"", "int32", whole(2, 3)},
		{"", "bool", whole(2, 2, 2)}, {"", "float16", noise(1, 2, 2, 3, 8)},
		{"", "float32", values{shape: []int{0, math.MaxInt / 2, 1, 3}}},
	}
	for n, test := range tests {
		output := map[bool]string{true: "Y", false: "output"}[test.operator[0] == '+']
		for _, victim := range test.inputs {
			t.Run(fmt.Sprintf("%s%d/%s", test.operator, n, victim.name), func(t *testing.T) {
				c := newCase(t, test.operator, test.attributes).out(output, "float32", y).out("present_key", "float32", y)
				for _, in := range test.inputs {
					c.in(in.name, in.dtype, in.v)
				}
				for _, with := range junk {
					res := c.in(victim.name, with.dtype, with.v).run()
					require.NotEqual(t, vectors.Passed, res.Status, "%s%v: %v", with.dtype, with.v.shape, res)
				}
				res := c.without(victim.name).run()
				require.NotEqual(t, vectors.Passed, res.Status, res.String())
			})
		}
	}
}
