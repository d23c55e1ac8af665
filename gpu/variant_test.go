package gpu

import (
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/gl"
)

func TestVariantNamesAreUnique(t *testing.T) {
	names := map[string]Variant{}
	texts := map[string]string{}
	for _, v := range Variants() {
		other, taken := names[v.String()]
		require.False(t, taken, "%+v and %+v are both %v", v, other, v)
		names[v.String()] = v
		text, err := v.Source()
		require.NoError(t, err)
		if twin, same := texts[text]; same {
			require.Contains(t, v.String(), "merge", "%v and %s have the same text", v, twin)
		}
		texts[text] = v.String()
	}
	require.Greater(t, len(names), 300)
}

// TestVariantsHoldWhatIsDispatched asks the backend's own choice for problems of
// the representative set.
func TestVariantsHoldWhatIsDispatched(t *testing.T) {
	all := map[Variant]bool{}
	for _, v := range Variants() {
		all[v] = true
	}
	for _, software := range []bool{false, true} {
		b := &Backend{info: Info{Software: software}, tuned: openTuned("", Info{}), limits: gl.Limits{MaxSSBOBytes: 128 << 20}}
		for _, lq := range []int{1, 2, 3, 5, 8, 9, 16, 17, 100, 4096} {
			for _, d := range []int{1, 64, 128, 203, 576} {
				for n, bias := range []attention.DType{attention.NoType, attention.BFloat16, attention.NoType} {
					keys := 333
					if n == 2 {
						keys = 2 * longKeys
					}
					p := attention.Problem{Shape: attention.Shape{Batch: 3, Heads: 8, KVHeads: 8, QueryLen: lq, KeyLen: keys, Dim: d, ValueDim: d}}
					p.Q, p.K, p.V, p.O, p.Bias = attention.BFloat16, attention.Float32, attention.Float32, attention.Float16, bias
					if bias != attention.NoType && d != 64 {
						continue // the set has options at width 64 only
					}
					v := b.variant(p)
					require.True(t, all[v], "software %v, %v: %v", software, p, v)
					if v.Partial {
						require.True(t, all[mergeOf(v)], "merge of %v", v)
					}
				}
			}
		}
	}
}

func TestTilesFitTheirKernels(t *testing.T) {
	for _, v := range Variants() {
		tile := v.Tile
		require.LessOrEqual(t, v.SharedBytes(), 32<<10, "%v: OpenGL 4.3 promises no more shared memory", v)
		require.LessOrEqual(t, tile.threads(), 1024, "%v: OpenGL 4.3 promises no more invocations", v)
		switch v.Kernel {
		case KernelTiled:
			require.Zero(t, tile.ThreadsX*tile.Keys%tile.ValueChunk, "%v: whole chunks of values", v)
			require.Zero(t, tile.ThreadsX*tile.Keys%4, "%v: weights are read by vec4s", v)
			require.Zero(t, tile.ValueChunk%4, "%v", v)
			require.GreaterOrEqual(t, tile.ThreadsX*tile.Columns*tile.ColumnBlocks, v.Value4, "%v: all columns have a thread", v)
		case KernelRows:
			require.Zero(t, tile.Split%tile.Keys, "%v: a split is whole tiles of keys", v)
		case KernelDecode:
			require.Zero(t, tile.Split%tile.Keys, "%v: a split is whole tiles of keys", v)
			keyPart, valuePart := v.parts()
			require.Zero(t, v.Dim4%keyPart, "%v: whole loads of keys", v)
			require.Zero(t, v.Value4%valuePart, "%v: whole loads of values", v)
			require.Equal(t, tile.Keys, tile.keyLoads()*tile.ThreadsX/tile.Lanes, "%v: all keys have a thread", v)
			require.GreaterOrEqual(t, tile.keyLoads(), 2, "%v: loads in flight", v)
			require.Zero(t, tile.Keys%(v.valueLoads()*tile.ThreadsX/tile.ColumnLanes), "%v: whole steps of values", v)
			require.Zero(t, tile.Keys%tile.rowKeys(), "%v: all scores have a thread", v)
			require.LessOrEqual(t, tile.Keys/tile.rowKeys()*tile.Rows, tile.ThreadsX, "%v: all scores have a thread", v)
			require.GreaterOrEqual(t, tile.ColumnLanes*tile.Columns*valuePart, v.Value4, "%v: all columns have a thread", v)
		}
	}
}

// validator returns the path of the Khronos reference compiler, without which the
// test is skipped, or fails in CI.
func validator(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("glslangValidator")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the reference compiler is missing: %v", err)
		}
		t.Skipf("NO SHADER CHECKED BY glslangValidator: %v", err)
	}
	return path
}

// writeShaders writes every shader to a folder and returns their paths.
func writeShaders(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	texts, err := Probes()
	require.NoError(t, err)
	for _, v := range Variants() {
		texts[v.String()], err = v.Source()
		require.NoError(t, err)
	}
	var paths []string
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		path := filepath.Join(dir, strings.NewReplacer("/", "_", " ", "_").Replace(name)+".comp")
		require.NoError(t, os.WriteFile(path, []byte(texts[name]), 0o600))
		paths = append(paths, path)
	}
	return paths
}

// TestReferenceCompiler compiles every shader by the rules of OpenGL, all in one
// process, and by those of Vulkan, where the compiler would link what it is given
// together and so takes one process each.
func TestReferenceCompiler(t *testing.T) {
	path := validator(t)
	paths := writeShaders(t)
	out, err := exec.Command(path, append([]string{"-S", "comp"}, paths...)...).CombinedOutput()
	require.NoError(t, err, "OpenGL: %s", out)
	if testing.Short() {
		paths = slices.DeleteFunc(paths, func(p string) bool { return !strings.Contains(p, "d16v16") && strings.Contains(p, "_d") })
	}
	queue := make(chan string)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for shader := range queue {
				out, err := exec.Command(path, "-S", "comp", "-V", "--target-env", "vulkan1.0", "-o", os.DevNull, shader).CombinedOutput()
				if err != nil {
					t.Errorf("Vulkan: %v: %s", err, out)
				}
			}
		})
	}
	for _, shader := range paths {
		queue <- shader
	}
	close(queue)
	workers.Wait()
}

var sharedDeclaration = regexp.MustCompile(`(?m)^\s*shared\s+(\w+)\s+\w+\s*(?:\[(.*)\])?\s*;`)

// TestSharedBytes compares with what the preprocessed shaders declare.
func TestSharedBytes(t *testing.T) {
	path := validator(t)
	file := filepath.Join(t.TempDir(), "v.comp")
	checked := map[Kernel]int{}
	for n, v := range Variants() {
		if n%7 != 0 && v.SharedBytes() < 31<<10 {
			continue
		}
		text, err := v.Source()
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		out, err := exec.Command(path, "-E", "-S", "comp", file).Output()
		require.NoError(t, err, "%v: %s", v, out)
		total := 0
		for _, m := range sharedDeclaration.FindAllStringSubmatch(string(out), -1) {
			size := map[string]int{"float": 4, "int": 4, "uint": 4, "vec4": 16}[m[1]]
			require.NotZero(t, size, "shared %s", m[1])
			total += size * evaluate(t, m[2])
		}
		require.Equal(t, total, v.SharedBytes(), "%v", v)
		checked[v.Kernel]++
	}
	for _, k := range []Kernel{KernelTiled, KernelRows, KernelDecode} {
		require.NotZero(t, checked[k], "%v", k)
	}
}

// evaluate computes a constant expression, whose syntax GLSL and Go share.
func evaluate(t *testing.T, expression string) int {
	t.Helper()
	if expression == "" {
		return 1
	}
	v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, expression)
	require.NoError(t, err, expression)
	n, ok := constant.Int64Val(v.Value)
	require.True(t, ok, expression)
	return int(n)
}

// TestDriverLinksLargestTiles gives the driver the variants that need the most
// shared memory.
func TestDriverLinksLargestTiles(t *testing.T) {
	b := anyBackend(t)
	require.GreaterOrEqual(t, b.Device().MaxSharedBytes, 32<<10)
	largest := map[Kernel]Variant{}
	for _, v := range Variants() {
		if v.SharedBytes() > largest[v.Kernel].SharedBytes() {
			largest[v.Kernel] = v
		}
	}
	for _, k := range []Kernel{KernelTiled, KernelDecode} {
		onThread(t, b, func(t require.TestingT) {
			_, err := b.programs.get(largest[k])
			require.NoError(t, err)
		})
	}
}

func TestKernelNames(t *testing.T) {
	require.Equal(t, "tiled", KernelTiled.String())
	require.Equal(t, "kernel(77)", Kernel(77).String())
	v := chosen(KernelDecode, attention.Problem{Shape: attention.Shape{Heads: 1, KVHeads: 1, QueryLen: 1, Dim: 65, ValueDim: 3},
		Operands: attention.Operands{K: attention.Float16, V: attention.BFloat16, Masked: true}}, nil)
	require.Equal(t, "attention_decode.d17v1.kf16.vbf16.mask.partial.t128x1r1k64c1l8s256", fmt.Sprint(v))
}
