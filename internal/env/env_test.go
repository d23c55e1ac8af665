package env

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

func unset(t *testing.T) {
	t.Helper()
	for _, name := range []string{backendVar, requireVar, debugVar, gpuVar, vectorsVar, cpuVar} {
		t.Setenv(name, "")
	}
}

func TestDefaults(t *testing.T) {
	unset(t)
	name, err := Backend()
	require.NoError(t, err)
	require.Equal(t, Auto, name)
	index, err := GPU()
	require.NoError(t, err)
	require.Equal(t, -1, index)
	require.False(t, RequireGPU())
	require.Zero(t, Debug())
	require.Empty(t, Vectors())
	require.NoError(t, Check())
}

func TestKnownValues(t *testing.T) {
	unset(t)
	for _, want := range knownBackends {
		t.Setenv(backendVar, want)
		got, err := Backend()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, want := range append(knownCPUs, "") {
		t.Setenv(cpuVar, want)
		got, err := CPU()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	t.Setenv(requireVar, "gpu")
	t.Setenv(gpuVar, " 3 ")
	t.Setenv(debugVar, "gl, shaders")
	t.Setenv(vectorsVar, strings.Join([]string{"a", "", "b"}, string(os.PathListSeparator)))
	index, err := GPU()
	require.NoError(t, err)
	require.Equal(t, 3, index)
	require.True(t, RequireGPU())
	require.Equal(t, Switches{GL: true, Shaders: true}, Debug())
	require.Equal(t, []string{"a", "b"}, Vectors())
	require.NoError(t, Check())

	t.Setenv(debugVar, "trace")
	require.Equal(t, Switches{Trace: true}, Debug())
}

func TestUnknownValues(t *testing.T) {
	for _, c := range []struct{ variable, value, bad, known string }{
		{backendVar, "cuda", "cuda", "auto, gpu, cpu, reference"},
		{requireVar, "gpus", "gpus", "gpu"},
		{debugVar, "gl,verbose", "verbose", "gl, trace, shaders"},
		{gpuVar, "-1", "-1", "0, 1, 2"},
		{gpuVar, "first", "first", "0, 1, 2"},
		{cpuVar, "sse2", "sse2", "avx512, avx2, neon, go"},
	} {
		t.Run(c.variable+"="+c.value, func(t *testing.T) {
			unset(t)
			t.Setenv(c.variable, c.value)
			err := Check()
			require.ErrorIs(t, err, attention.ErrInvalid)
			var unknown *UnknownError
			require.ErrorAs(t, err, &unknown)
			require.Equal(t, c.variable, unknown.Variable)
			require.Equal(t, c.bad, unknown.Value)
			require.ErrorContains(t, err, c.known)
		})
	}
	unset(t)
	t.Setenv(backendVar, "cuda")
	_, err := Backend()
	require.ErrorIs(t, err, attention.ErrInvalid)
	t.Setenv(gpuVar, "x")
	index, err := GPU()
	require.ErrorIs(t, err, attention.ErrInvalid)
	require.Equal(t, -1, index)
	t.Setenv(requireVar, "gpus")
	require.True(t, RequireGPU(), "a misspelt requirement must not turn failures into skips")
}

// TestDocumented fails when a variable or a known value is missing from the root
// documentation, where users look for them.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../doc.go")
	require.NoError(t, err)
	for _, want := range []string{
		backendVar + "=" + strings.Join(knownBackends, "|"),
		requireVar + "=" + strings.Join(knownRequires, "|"),
		debugVar + "=" + strings.Join(knownDebugs, ","),
		gpuVar + "=", vectorsVar + "=",
		cpuVar + "=" + strings.Join(knownCPUs, "|"),
	} {
		require.Contains(t, string(doc), want)
	}
}
