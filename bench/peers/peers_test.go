package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
)

// shapes are small problems around what the peers' code treats apart.
var shapes = []struct{ text, why string }{
	{"b=2,h=3,l=20,d=16", "several batch entries and heads"},
	{"h=2,l=33,d=8,causal=top-left", "a causal rule, no round length"},
	{"hq=4,hkv=2,lq=1,lk=70,d=8", "decoding with grouped heads"},
	{"b=2,h=2,lq=1,lk=70,d=8,kv=f16", "a float16 cache"},
	{"hq=4,hkv=2,lq=5,lk=9,d=8,dv=4,causal=bottom-right", "the rows of a group repeat their positions; Dv ≠ D"},
	{"hq=2,hkv=1,lq=9,lk=4,d=8,causal=bottom-right", "rows that see no key"},
	{"h=1,l=130,d=8,scale=1,causal=top-left", "a scale; several blocks and tiles"},
}

// reference computes a job by the float64 oracle.
func reference(t *testing.T, j *job) []float32 {
	t.Helper()
	p := j.problem
	out := attention.Outputs{O: attention.Zeros(p.O, p.Batch, p.Heads, p.QueryLen, p.ValueDim)}
	call, err := attention.NewCall(p.Options, j.in, out)
	require.NoError(t, err)
	plan, err := cpu.NewReference().Plan(t.Context(), call.Problem)
	require.NoError(t, err)
	require.NoError(t, plan.Run(t.Context(), call))
	return out.O.Float32s()
}

func TestOursAgainstReference(t *testing.T) {
	for _, s := range shapes {
		j := testJob(t, s.text)
		_, err := worst(j.want, reference(t, j), j.problem.ValueDim, singleTolerance)
		require.NoError(t, err, "%s: %s", s.text, s.why)
	}
}

func TestGonumAgainstReference(t *testing.T) {
	for _, s := range shapes {
		j := testJob(t, s.text)
		list, err := gonum{}.candidates(t.Context(), j)
		if j.half() {
			require.ErrorIs(t, err, attention.ErrUnsupported)
			continue
		}
		require.NoError(t, err)
		r, err := list[0].start(t.Context())
		require.NoError(t, err)
		took, sum, err := r.run(t.Context())
		require.NoError(t, err)
		require.Positive(t, took)
		out, err := r.output(t.Context())
		require.NoError(t, err)
		require.NoError(t, sameSum(sum, magnitudes(out)))
		_, err = worst(out, reference(t, j), j.problem.ValueDim, singleTolerance)
		require.NoError(t, err, "%s: %s", s.text, s.why)
		require.NoError(t, r.close())
	}
}

// TestFormsAgainstReference runs attention.c in every form over plain loops, so that no
// library is needed.
func TestFormsAgainstReference(t *testing.T) {
	program := filepath.Join(t.TempDir(), "plain")
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("THE C CODE OF THE PEERS WAS NOT TESTED: there is no C compiler cc")
	}
	if err := compileChild(t.Context(), program, "native", filepath.Join("testdata", "plain.c")); err != nil {
		t.Skipf("THE C CODE OF THE PEERS WAS NOT TESTED: cc cannot compile it here: %v", err)
	}
	var forms []form
	for _, library := range []bool{false, true} {
		for _, vector := range []bool{false, true} {
			forms = append(forms, form{library: library, vector: vector},
				form{blocked: true, library: library, vector: vector, rows: 16, keys: 24},
				form{blocked: true, library: library, vector: vector, rows: 64, keys: 1024})
		}
	}
	list := shapes
	if testing.Short() {
		list = list[3:6]
	}
	for _, s := range list {
		j := testJob(t, s.text)
		want := reference(t, j)
		for _, f := range forms {
			name := fmt.Sprintf("%s (%s) by %v", s.text, s.why, f)
			r, err := (&native{library: "openblas"}).start(t.Context(), program, setting{}, f, j)
			require.NoError(t, err, name)
			require.Equal(t, "plain loops", r.about())
			_, sum, err := r.run(t.Context())
			require.NoError(t, err, name)
			out, err := r.output(t.Context())
			require.NoError(t, err, name)
			_, err = worst(out, want, j.problem.ValueDim, singleTolerance)
			require.NoError(t, err, name)
			require.NoError(t, sameSum(sum, magnitudes(want)), name)
			require.NoError(t, r.close())
		}
	}
}

// TestInstalledPeers runs every candidate of the peers that this machine has.
func TestInstalledPeers(t *testing.T) {
	list := shapes
	if testing.Short() {
		list = list[:1]
	}
	natives := newNatives(t.TempDir())
	for _, name := range peerNames {
		t.Run(name, func(t *testing.T) {
			var p peer = gonum{}
			switch {
			case name == "onnxruntime":
				p = &onnxRuntime{dir: filepath.Join("..", "..", ".cache", "peers")}
			case name != "gonum":
				p = natives.peer(name)
			}
			require.Equal(t, name, p.name())
			for _, s := range list {
				j := testJob(t, s.text)
				candidates, err := p.candidates(t.Context(), j)
				if err != nil && strings.Contains(err.Error(), "unsupported") {
					continue
				}
				if err != nil {
					t.Skipf("%s WAS NOT TESTED, run scripts/peers.sh: %v", strings.ToUpper(name), err)
				}
				_, tried, err := choose(t.Context(), j, candidates)
				require.NoError(t, err, s.text)
				require.Len(t, tried, len(candidates))
				for _, a := range tried {
					require.Empty(t, a.Reason, "%s by %s", s.text, a.How)
				}
			}
		})
	}
}

// TestAbsentPeersSayWhy looks for libraries where there are none.
func TestAbsentPeersSayWhy(t *testing.T) {
	j := testJob(t, "h=1,l=4,d=8")
	t.Setenv("PATH", t.TempDir())
	dir := t.TempDir()
	_, err := (&onnxRuntime{dir: dir}).candidates(t.Context(), j)
	require.ErrorContains(t, err, "node is not on the path")
	_, err = newNatives(dir).peer("onednn-blocked").candidates(t.Context(), j)
	require.ErrorContains(t, err, "libdnnl-dev")
}

func TestSession(t *testing.T) {
	o, err := parse([]string{"-peers=gonum,onnxruntime", "-time=1ms", "-reps=1"}, &strings.Builder{})
	require.NoError(t, err)
	o.dir = t.TempDir()
	j := testJob(t, "h=2,l=16,d=8")
	s := &session{options: o, peers: openPeers(o.peers, o.dir), note: t.Logf}
	records, err := s.workload(t.Context(), j.spec)
	require.NoError(t, err)
	require.Len(t, records, 3)
	require.Equal(t, ourName, records[0].Peer)
	require.Equal(t, "onnxruntime", records[1].Peer)
	require.Nil(t, records[1].Median, "its package is not in this folder")
	require.NotEmpty(t, records[1].Reason)
	require.Equal(t, "gonum", records[2].Peer)
	require.Positive(t, *records[2].Ratio)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.workload(ctx, j.spec)
	require.ErrorIs(t, err, context.Canceled)
}

func TestEnvironment(t *testing.T) {
	inherited := []string{"PATH=/bin", "OPENBLAS_L2_SIZE=1", "OPENBLAS_CORETYPE=Nehalem", "OMP_NUM_THREADS=64", "GOMP_SPINCOUNT=1"}
	got := (&native{library: "openblas"}).environment(inherited, setting{"OPENBLAS_CORETYPE", "Zen"}, form{}, 2)
	require.Equal(t, []string{"PATH=/bin", "OMP_NUM_THREADS=2", "OPENBLAS_CORETYPE=Zen", "OPENBLAS_NUM_THREADS=1"}, got)
	got = (&native{library: "openblas"}).environment(inherited, setting{"OPENBLAS_CORETYPE", "Zen"}, form{library: true}, 2)
	require.Contains(t, got, "OPENBLAS_NUM_THREADS=2")
	got = (&native{library: "onednn"}).environment(inherited, setting{}, form{library: true}, 2)
	require.Equal(t, []string{"PATH=/bin", "OMP_NUM_THREADS=2"}, got)
	require.Len(t, inherited, 5, "left as it was")
}

func TestFirstError(t *testing.T) {
	require.Equal(t, ": cblas.h: No such file", firstError("In file\nx.c:2:10: fatal error: cblas.h: No such file\n"))
	require.Equal(t, ": ld: cannot find -lx", firstError("ld: cannot find -lx\ncollect2: error"))
	require.Empty(t, firstError("nothing"))
}

func TestGraphsOfWorkloads(t *testing.T) {
	for shape, want := range map[string][]string{
		"h=2,l=8,d=8":                              {"MultiHeadAttention", "MultiHeadAttention", "Attention"},
		"h=2,l=8,d=8,causal=top-left":              {"MultiHeadAttention", "MultiHeadAttention", "Attention", "GroupQueryAttention", "GroupQueryAttention"},
		"hq=4,hkv=2,lq=1,lk=8,d=8":                 {"Attention", "GroupQueryAttention", "GroupQueryAttention"},
		"hq=4,hkv=2,lq=1,lk=8,d=8,kv=f16":          {"Attention", "GroupQueryAttention", "GroupQueryAttention"},
		"hq=2,hkv=2,lq=3,lk=8,d=8,causal=top-left": {"MultiHeadAttention", "MultiHeadAttention", "Attention"},
		"h=2,lq=3,lk=8,d=8,causal=bottom-right":    nil,
	} {
		j := testJob(t, shape)
		var ops []string
		for _, g := range ortGraphs(j) {
			ops = append(ops, g.node.op)
			require.Equal(t, "output", g.outputs[0].Name, "the child takes the first as the result")
			require.False(t, slices.ContainsFunc(g.inputs, func(in ortInput) bool { return in.name == "" }))
			for _, in := range g.inputs {
				require.Contains(t, g.node.inputs, in.name)
			}
			if j.half() {
				require.Equal(t, onnxFloat16, g.model().inputs[0].kind)
			}
		}
		require.Equal(t, want, ops, shape)
	}
}
