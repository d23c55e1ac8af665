package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/internal/npy"
	"github.com/glattn/attention/verify"
)

// wave returns numbers in which nothing is symmetric.
func wave(seed, n int) []float32 {
	list := make([]float32, n)
	for i := range list {
		list[i] = float32(1.5 * math.Sin(float64(i)*1.7+float64(seed)))
	}
	return list
}

func tensorOf(dtype attention.DType, seed int, shape ...int) attention.Tensor {
	n := 1
	for _, size := range shape {
		n *= size
	}
	t := attention.Zeros(dtype, shape...)
	for i, v := range wave(seed, n) {
		switch dtype {
		case attention.Float32:
			t.Float32s()[i] = v
		case attention.Float16:
			t.Uint16s()[i] = attention.Float32ToFloat16(v)
		case attention.BFloat16:
			t.Uint16s()[i] = attention.Float32ToBFloat16(v)
		case attention.Bool:
			t.Bools()[i] = v > -1
		}
	}
	return t
}

// arrays writes tensors into a folder, each under a name.
type arrays struct {
	t   *testing.T
	dir string
}

func (a arrays) path(name string) string { return filepath.Join(a.dir, name+".npy") }

func (a arrays) put(name string, t attention.Tensor, shape ...int) string {
	a.t.Helper()
	require.NoError(a.t, npy.Write(a.path(name), t, shape...))
	return a.path(name)
}

// want computes what the command should, and returns the checked call.
func want(t *testing.T, opts attention.Options, in attention.Inputs, dtype attention.DType) *attention.Call {
	t.Helper()
	s, v := in.Q.Shape(), in.V.Shape()
	out := attention.Outputs{O: attention.Zeros(dtype, s[0], s[1], s[2], v[3]), LSE: attention.Zeros(attention.Float32, s[0], s[1], s[2], 1)}
	call, err := attention.NewCall(opts, in, out)
	require.NoError(t, err)
	plan, err := cpu.NewReference().Plan(t.Context(), call.Problem)
	require.NoError(t, err)
	require.NoError(t, plan.Run(t.Context(), call))
	return call
}

func TestRunRoundTrip(t *testing.T) {
	const b, h, kv, sq, sk, d, dv = 2, 4, 2, 5, 7, 6, 3
	swap := func(t attention.Tensor) attention.Tensor {
		return t.Transpose(attention.AxisHead, attention.AxisSequence)
	}
	for _, layout := range []string{"bhsd", "bshd"} {
		for rank := 2; rank <= 4; rank++ {
			for _, dtype := range []attention.DType{attention.Float32, attention.Float16, attention.BFloat16} {
				t.Run(fmt.Sprintf("%s rank %d %v", layout, rank, dtype), func(t *testing.T) {
					sizes := func(heads, seq, width int) []int {
						all := []int{b, heads, seq, width}
						if layout == "bshd" && rank > 2 {
							all = []int{b, seq, heads, width}
						}
						return all[4-rank:]
					}
					files := arrays{t, t.TempDir()}
					qs := sizes(h, sq, d)
					q, k, v := tensorOf(dtype, 1, qs...), tensorOf(dtype, 2, sizes(kv, sk, d)...), tensorOf(dtype, 3, sizes(kv, sk, dv)...)
					files.put("q", q, qs...)
					files.put("k", k, sizes(kv, sk, d)...)
					files.put("v", v, sizes(kv, sk, dv)...)
					mask, bias := tensorOf(attention.Bool, 4, sq, sk), tensorOf(attention.Float32, 5, 1, sk)
					files.put("m", mask, sq, sk)
					files.put("b", bias, sk)

					command := inProcess
					if rank == 3 && dtype == attention.Float32 {
						command = attnbench
					}
					o := command(t, "run", "-q", files.path("q"), "-k", files.path("k"), "-v", files.path("v"), "-mask", files.path("m"), "-bias", files.path("b"),
						"-causal", "bottom-right", "-window", "4:-1", "-softcap", "2.5", "-scale", "-0.4", "-layout", layout, "-backend", "cpu",
						"-o", files.path("o"), "-lse", files.path("l"))
					requireOK(t, o)
					require.Empty(t, o.stderr)
					requireFiles(t, files.dir, "q.npy", "k.npy", "v.npy", "m.npy", "b.npy", "o.npy", "l.npy")

					in := attention.Inputs{Q: q, K: k, V: v, Mask: mask, Bias: bias}
					if layout == "bshd" && rank > 2 {
						in.Q, in.K, in.V = swap(q), swap(k), swap(v)
					}
					call := want(t, attention.Options{Scale: -0.4, Softcap: 2.5, Causal: attention.BottomRight,
						Window: attention.Window{Left: 4, Right: -1, Align: attention.BottomRight}}, in, dtype)
					got, err := npy.Read(files.path("o"))
					require.NoError(t, err)
					require.Equal(t, sizes(h, sq, dv), got.Shape)
					lse, err := npy.Read(files.path("l"))
					require.NoError(t, err)
					require.Equal(t, []int{b, h, sq}[4-rank:], lse.Shape)

					// The files' numbers go where the reference put its own, and are checked as they are.
					made, _, err := got.Tensor(dtype)
					require.NoError(t, err)
					if layout == "bshd" && rank > 2 {
						made = swap(made)
					}
					call.Out.O = made
					copy(call.Out.LSE.Float32s(), must(lse.Float32s()))
					report, err := verify.Check(call)
					require.NoError(t, err, report.String())
				})
			}
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestRunRefuses(t *testing.T) {
	files := arrays{t, t.TempDir()}
	f32 := attention.Float32
	files.put("q", tensorOf(f32, 1, 2, 4, 8), 2, 4, 8)
	files.put("k", tensorOf(f32, 2, 2, 5, 8), 2, 5, 8)
	files.put("v", tensorOf(f32, 3, 2, 5, 8), 2, 5, 8)
	files.put("narrow", tensorOf(f32, 3, 2, 5, 7), 2, 5, 7)
	files.put("flat", tensorOf(f32, 3, 8), 8)
	files.put("two", tensorOf(f32, 3, 5, 8), 5, 8)
	files.put("five", tensorOf(f32, 3, 8), 1, 1, 1, 1, 8)
	files.put("mask", tensorOf(attention.Bool, 3, 4, 5), 4, 5)
	files.put("empty", attention.Zeros(f32, 0, 5, 8), 0, 5, 8)
	double, err := npy.New("f8", make([]float64, 40), 1, 5, 8)
	require.NoError(t, err)
	require.NoError(t, double.Write(files.path("double")))
	wide, err := npy.New("f4", []float32{}, 2, 0, 1<<40)
	require.NoError(t, err)
	require.NoError(t, wide.Write(files.path("wide")))
	whole, err := os.ReadFile(files.path("v"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(files.path("cut"), whole[:len(whole)-5], 0o644))
	require.NoError(t, os.WriteFile(files.path("text"), []byte("not numpy"), 0o644))
	before, err := os.ReadDir(files.dir)
	require.NoError(t, err)

	for _, c := range []struct {
		change string // flags instead of, or beside, the right ones
		words  []string
	}{
		{"-k=@missing", []string{"-k", "missing.npy"}},
		{"-v=@cut", []string{"-v", "cut.npy", "size"}},
		{"-q=@text", []string{"-q", "text.npy", "malformed"}},
		{"-q=@double", []string{"-q", "double.npy", "f8", "f4, f2 or u2"}},
		{"-mask=@bias", []string{"-mask", "bias.npy"}},
		{"-mask=@q", []string{"-mask", "q.npy", "f4", "b1"}},
		{"-bias=@mask", []string{"-bias", "mask.npy", "b1"}},
		{"-mask=@mask -k=@narrow", []string{"K: dim is 7, want 8"}},
		{"-q=@flat", []string{"rank is 1"}},
		{"-q=@five", []string{"-q", "five.npy", "5 axes"}},
		{"-k=@two", []string{"-k", "rank is 2, want 3"}},
		{"-k=@empty -v=@empty", []string{"kv heads is 0"}},
		{"-v=@wide -k=@wide", []string{"attnbench: run: "}},
		{"-causal=true", []string{"-causal", `"true"`, "top-left"}},
		{"-causal=per-batch", []string{"-causal", "per-batch"}},
		{"-window=3", []string{`run: -window is "3"`, "LEFT:RIGHT"}},
		{"-window=-2:1", []string{`"-2:1"`}},
		{"-window=1:1 -align=middle", []string{"-align", `"middle"`}},
		{"-softcap=-1", []string{"-softcap", `"-1"`}},
		{"-softcap=nan", []string{"-softcap", `"nan"`}},
		{"-scale=big", []string{"-scale", `"big"`}},
		{"-scale=1e999", []string{"-scale", `"1e999"`}},
		{"-layout=sbhd", []string{"-layout", `"sbhd"`}},
		{"-backend=cuda", []string{`"cuda"`}},
		{"-backend=cpu,gpu", []string{"-backend", "one of"}},
		{"-o=/nowhere/o.npy", []string{"-o", "/nowhere"}},
		{"-o=" + files.dir, []string{"-o", "regular file"}},
		{"-lse=@o", []string{"both"}},
		{"-q=", []string{"-q is missing"}},
		{"-frobnicate", []string{"frobnicate"}},
		{"stray", []string{`"stray"`}},
	} {
		t.Run(c.change, func(t *testing.T) {
			args := []string{"run", "-q", files.path("q"), "-k", files.path("k"), "-v", files.path("v"), "-o", files.path("o"), "-backend", "cpu"}
			for change := range strings.FieldsSeq(c.change) {
				flag, name, named := strings.Cut(change, "=@")
				if named {
					change = flag + "=" + files.path(name)
				}
				args = append(args, change)
			}
			requireUsageError(t, attnbench(t, args...), c.words...)
			after, err := os.ReadDir(files.dir)
			require.NoError(t, err)
			require.Len(t, after, len(before), "nothing is left behind")
		})
	}
}

// TestRunToOnePlace spells one file in two ways.
func TestRunToOnePlace(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := filepath.Abs("o.npy")
	require.NoError(t, err)
	_, err = newResults("o.npy", here)
	require.ErrorContains(t, err, "both")
	_, err = newResults("o.npy", "l.npy")
	require.NoError(t, err)
}

// TestRunWritesAllOrNothing has the second file fail.
func TestRunWritesAllOrNothing(t *testing.T) {
	files := arrays{t, t.TempDir()}
	old := []byte("old")
	require.NoError(t, os.WriteFile(files.path("o"), old, 0o644))
	r := &results{o: files.path("o"), lse: filepath.Join(files.dir, "gone", "l.npy"), oMade: tensorOf(attention.Float32, 1, 2, 3), oShape: []int{2, 3}}
	r.out.LSE = tensorOf(attention.Float32, 1, 2)
	r.lShape = []int{2}
	require.Error(t, r.write())
	text, err := os.ReadFile(files.path("o"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(old, text))
	requireFiles(t, files.dir, "o.npy")
}
