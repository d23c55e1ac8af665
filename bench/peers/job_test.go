package main

import (
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/bench"
)

// testJob makes a job of a shape, with our output as want.
func testJob(t *testing.T, shape string) *job {
	t.Helper()
	spec, err := bench.ParseSpec(shape)
	require.NoError(t, err)
	j, err := newJob(spec, 2, t.TempDir())
	require.NoError(t, err)
	c, err := startOurs(t.Context(), j)
	require.NoError(t, err)
	require.NoError(t, c.close())
	return j
}

func TestFilesAndOutputsKeepTheOrderOfAxes(t *testing.T) {
	j := testJob(t, "b=2,hq=3,hkv=3,lq=4,lk=5,d=2")
	out := make([]float32, 0, 2*3*4*2)
	for b := range 2 {
		for i := range 4 {
			for h := range 3 {
				for d := range 2 {
					out = append(out, float32(j.in.Q.At(b, h, i, d)))
				}
			}
		}
	}
	bySequencePath, err := j.file("q", j.in.Q, bySequence, attention.Float32)
	require.NoError(t, err)
	data, err := os.ReadFile(bySequencePath)
	require.NoError(t, err)
	require.Equal(t, asBytes(out), data)
	back, err := j.ordered(out, bySequence)
	require.NoError(t, err)
	require.Equal(t, j.in.Q.Float32s(), back)

	byHeadPath, err := j.file("q", j.in.Q, byHead, attention.Float32)
	require.NoError(t, err)
	require.NotEqual(t, bySequencePath, byHeadPath)
	data, err = os.ReadFile(byHeadPath)
	require.NoError(t, err)
	require.Equal(t, asBytes(j.in.Q.Float32s()), data)

	half, err := j.file("q", j.in.Q, byHead, attention.Float16)
	require.NoError(t, err)
	data, err = os.ReadFile(half)
	require.NoError(t, err)
	require.Len(t, data, 2*len(back))

	_, err = j.ordered(out[1:], byHead)
	require.Error(t, err)
	require.NoError(t, j.close())
	require.NoFileExists(t, half)
}

func asBytes(list []float32) (data []byte) {
	for _, v := range list {
		bits := math.Float32bits(v)
		data = append(data, byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24))
	}
	return data
}

func TestPlainRefuses(t *testing.T) {
	for _, shape := range []string{"softcap=30", "window=3:0", "causal=per-batch", "bias=f32", "mask=true", "lse=true", "dtype=f16", "kv=bf16", "o=f16"} {
		spec, err := bench.ParseSpec("h=1,l=4,d=8," + shape)
		require.NoError(t, err)
		require.ErrorIs(t, plain(spec.Problem), attention.ErrUnsupported, shape)
		_, err = newJob(spec, 1, t.TempDir())
		require.ErrorIs(t, err, attention.ErrUnsupported, shape)
	}
	for _, shape := range []string{"scale=1", "kv=f16", "causal=top-left", "causal=bottom-right"} {
		spec, err := bench.ParseSpec("h=1,l=4,d=8," + shape)
		require.NoError(t, err)
		require.NoError(t, plain(spec.Problem), shape)
	}
}

func TestInputsAreRandom(t *testing.T) {
	j := testJob(t, "h=2,l=64,d=8")
	for _, data := range [][]float32{j.in.Q.Float32s(), j.in.K.Float32s(), j.in.V.Float32s()} {
		require.InDelta(t, 0.8, magnitudes(data)/float64(len(data)), 0.1, "the mean magnitude of N(0,1)")
	}
	require.NotEqual(t, j.in.Q.Float32s(), j.in.K.Float32s())
}

func TestSomeRows(t *testing.T) {
	for _, shape := range []attention.Shape{{Batch: 1, Heads: 1, QueryLen: 1}, {Batch: 2, Heads: 3, QueryLen: 5}, {Batch: 4, Heads: 16, QueryLen: 512}} {
		rows := someRows(attention.Problem{Shape: shape})
		require.Equal(t, [3]int{}, rows[0])
		require.Equal(t, [3]int{shape.Batch - 1, shape.Heads - 1, shape.QueryLen - 1}, rows[len(rows)-1])
		seen := map[string]bool{}
		for _, row := range rows {
			key := strconv.Itoa(row[0]) + "," + strconv.Itoa(row[1]) + "," + strconv.Itoa(row[2])
			require.False(t, seen[key], key)
			seen[key] = true
		}
	}
}

func TestWorst(t *testing.T) {
	nan := float32(math.NaN())
	want := []float32{1, -4, 0, 0}
	for _, c := range []struct {
		name string
		got  []float32
		err  bool
		high float64
	}{
		{"equal", []float32{1, -4, 0, 0}, false, 0},
		{"within a share of the row's largest", []float32{1.25, -4, 0, 0}, false, 0.0625},
		{"beyond it", []float32{1.5, -4, 0, 0}, true, 0},
		{"a row of zeros allows nothing", []float32{1, -4, 0, 1e-9}, true, 0},
		{"NaN", []float32{nan, -4, 0, 0}, true, 0},
		{"too short", []float32{1, -4}, true, 0},
	} {
		high, err := worst(c.got, want, 2, 0.1)
		require.Equal(t, c.err, err != nil, c.name)
		if !c.err {
			require.InDelta(t, c.high, high, 1e-12, c.name)
		}
	}
	require.NoError(t, sameSum(100, 100.05))
	require.Error(t, sameSum(100, 101))
	require.Error(t, sameSum(math.NaN(), 100))
}
