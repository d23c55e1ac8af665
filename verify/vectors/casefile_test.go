package vectors_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/internal/npy"
	"github.com/glattn/attention/verify/vectors"
)

// values is a tensor to be: four axes [B, H, L, D], or fewer.
type values struct {
	shape []int
	list  []float64
}

// noise returns numbers within ±1.5 that float32 and bfloat16 hold exactly.
func noise(seed int, shape ...int) values {
	v := values{shape: shape}
	n := 1
	for _, size := range shape {
		n *= size
	}
	for i := range n {
		v.list = append(v.list, math.Round(96*math.Sin(float64(i)*1.7+float64(seed)*0.9))/64)
	}
	return v
}

func list(shape []int, v ...float64) values { return values{shape, v} }

func (v values) at(b, h, i, d int) float64 {
	return v.list[((b*v.shape[1]+h)*v.shape[2]+i)*v.shape[3]+d]
}

// merged turns [B, H, L, D] into [B, L, H·D].
func (v values) merged() values {
	m := values{shape: []int{v.shape[0], v.shape[2], v.shape[1] * v.shape[3]}}
	for b := range v.shape[0] {
		for i := range v.shape[2] {
			for h := range v.shape[1] {
				for d := range v.shape[3] {
					m.list = append(m.list, v.at(b, h, i, d))
				}
			}
		}
	}
	return m
}

// joined puts other behind v along the sequence of [B, H, L, D].
func (v values) joined(other values) values {
	n := v.shape[2]
	j := values{shape: []int{v.shape[0], v.shape[1], n + other.shape[2], v.shape[3]}}
	for b := range j.shape[0] {
		for h := range j.shape[1] {
			for i := range j.shape[2] {
				for d := range j.shape[3] {
					if i < n {
						j.list = append(j.list, v.at(b, h, i, d))
					} else {
						j.list = append(j.list, other.at(b, h, i-n, d))
					}
				}
			}
		}
	}
	return j
}

// beside puts arrays [B, L, W] side by side along the last axis.
func beside(parts ...values) values {
	out := values{shape: []int{parts[0].shape[0], parts[0].shape[1], 0}}
	for _, p := range parts {
		out.shape[2] += p.shape[2]
	}
	for row := range out.shape[0] * out.shape[1] {
		for _, p := range parts {
			out.list = append(out.list, p.list[row*p.shape[2]:(row+1)*p.shape[2]]...)
		}
	}
	return out
}

// naive is attention as the formula says, in float64. score maps q·k/√D to what
// enters the softmax, −Inf for a key that is not allowed.
func naive(q, k, v values, score func(b, h, i, j int, s float64) float64) values {
	out := values{shape: []int{q.shape[0], q.shape[1], q.shape[2], v.shape[3]}}
	group := q.shape[1] / k.shape[1]
	for b := range q.shape[0] {
		for h := range q.shape[1] {
			for i := range q.shape[2] {
				out.list = append(out.list, naiveRow(q, k, v, b, h, h/group, i, score)...)
			}
		}
	}
	return out
}

func naiveRow(q, k, v values, b, h, g, i int, score func(b, h, i, j int, s float64) float64) []float64 {
	scores, highest := make([]float64, k.shape[2]), math.Inf(-1)
	for j := range scores {
		s := 0.0
		for d := range q.shape[3] {
			s += q.at(b, h, i, d) * k.at(b, g, j, d)
		}
		scores[j] = score(b, h, i, j, s/math.Sqrt(float64(q.shape[3])))
		highest = max(highest, scores[j])
	}
	row, total := make([]float64, v.shape[3]), 0.0
	for j, s := range scores {
		if math.IsInf(s, -1) {
			continue
		}
		weight := math.Exp(s - highest)
		total += weight
		for d := range row {
			row[d] += weight * v.at(b, g, j, d)
		}
	}
	for d := range row {
		if total > 0 {
			row[d] /= total
		}
	}
	return row
}

// caseFile builds a case's folder.
type caseFile struct {
	t    testing.TB
	dir  string
	desc map[string]any
}

func newCase(t testing.TB, operator string, attributes map[string]any) *caseFile {
	t.Helper()
	domain := "com.microsoft"
	if operator[0] == '+' {
		domain, operator = "", operator[1:]
	}
	return &caseFile{t: t, dir: t.TempDir(), desc: map[string]any{
		"case": "synthetic", "operator": operator, "domain": domain, "opset": 1, "attributes": attributes,
		"inputs": []any{}, "outputs": []any{}, "grade": "tight",
	}}
}

func (c *caseFile) in(name, dtype string, v values) *caseFile { return c.add("inputs", name, dtype, v) }
func (c *caseFile) out(name, dtype string, v values) *caseFile {
	return c.add("outputs", name, dtype, v)
}

func (c *caseFile) add(list, name, dtype string, v values) *caseFile {
	c.t.Helper()
	file := list + "_" + name + ".npy"
	var content bytes.Buffer // not Array.Write, whose flush to the disk is slow by the hundred
	require.NoError(c.t, encode(c.t, dtype, v).Encode(&content))
	require.NoError(c.t, os.WriteFile(filepath.Join(c.dir, file), content.Bytes(), 0o600))
	entries, _ := c.desc[list].([]any)
	kept := []any{}
	for _, e := range entries { // a later tensor of the same name replaces the earlier one
		if e.(map[string]any)["name"] != name {
			kept = append(kept, e)
		}
	}
	c.desc[list] = append(kept, map[string]any{"name": name, "dtype": dtype, "shape": append([]int{}, v.shape...), "file": file})
	return c
}

func (c *caseFile) without(name string) *caseFile {
	kept := []any{}
	for _, e := range c.desc["inputs"].([]any) {
		if e.(map[string]any)["name"] != name {
			kept = append(kept, e)
		}
	}
	c.desc["inputs"] = kept
	return c
}

func encode(t testing.TB, dtype string, v values) *npy.Array {
	t.Helper()
	var a *npy.Array
	var err error
	switch dtype {
	case "float32":
		a, err = npy.FromTensor(fill(attention.Float32, v), v.shape...)
	case "float16":
		a, err = npy.FromTensor(fill(attention.Float16, v), v.shape...)
	case "bfloat16":
		a, err = npy.FromTensor(fill(attention.BFloat16, v), v.shape...)
	case "bool":
		a, err = npy.FromTensor(fill(attention.Bool, v), v.shape...)
	case "float64":
		a, err = npy.New("f8", v.list, v.shape...)
	case "int32":
		whole := make([]int32, len(v.list))
		for i, x := range v.list {
			whole[i] = int32(x)
		}
		a, err = npy.New("i4", whole, v.shape...)
	default:
		require.FailNow(t, "unknown dtype", dtype)
	}
	require.NoError(t, err)
	return a
}

func fill(dtype attention.DType, v values) attention.Tensor {
	x := attention.Zeros(dtype, len(v.list))
	for i, value := range v.list {
		x.Set(0, 0, 0, i, value)
	}
	return x
}

func (c *caseFile) save() {
	c.t.Helper()
	text, err := json.Marshal(c.desc)
	require.NoError(c.t, err)
	require.NoError(c.t, os.WriteFile(filepath.Join(c.dir, "case.json"), text, 0o600))
}

func (c *caseFile) run() vectors.Result {
	c.t.Helper()
	return c.runOn(cpu.NewReference())
}

func (c *caseFile) runOn(backend attention.Backend) vectors.Result {
	c.t.Helper()
	c.save()
	cases, err := vectors.Load(c.dir)
	require.NoError(c.t, err)
	require.Len(c.t, cases, 1)
	return cases[0].Run(c.t.Context(), backend)
}

func (c *caseFile) passes() {
	c.t.Helper()
	res := c.run()
	require.Equal(c.t, vectors.Passed, res.Status, fmt.Sprint(res))
	require.Positive(c.t, res.Compared)
}
