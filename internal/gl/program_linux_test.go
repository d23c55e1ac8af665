//go:build linux && cgo && !nogpu

package gl

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention/internal/egl"
)

func TestCompileErrors(t *testing.T) {
	c := open(t, egl.Options{})
	for _, test := range []struct{ name, stage, src, log string }{
		{"syntax", "compile", "#version 430 core\nlayout(local_size_x = 1) in;\nvoid main() { nonsense; }\n", "nonsense"},
		{"empty", "compile", "", ""},
		{"no main", "link", "#version 430 core\nlayout(local_size_x = 1) in;\nvoid other() {}\n", ""},
	} {
		_, err := c.CompileCompute(test.src) // no t.Run: it would change threads
		var failed *CompileError
		require.ErrorAs(t, err, &failed, test.name)
		if test.name != "empty" { // some drivers find an empty shader when it is linked
			require.Equal(t, test.stage, failed.Stage)
		}
		require.Equal(t, test.src, failed.Source)
		require.Contains(t, failed.Log, test.log)
		require.NotEmpty(t, failed.Log, test.name)
		require.ErrorContains(t, err, "gl: "+failed.Stage+": ")
		require.NotErrorIs(t, err, ErrDeviceLost)
		require.NoError(t, c.Check("compile"))
	}
}

func TestBinaryRoundTrip(t *testing.T) {
	c := open(t, egl.Options{})
	p, err := c.CompileCompute(double)
	require.NoError(t, err)
	format, data, err := c.Binary(p)
	if c.integer(numProgramBinaryFormats) == 0 {
		require.ErrorIs(t, err, ErrBinary)
		return
	}
	require.NoError(t, err)
	c.DeleteProgram(p)

	again, err := c.LoadBinary(format, data)
	require.NoError(t, err)
	requireDoubled(t, c, again)
	c.DeleteProgram(again)

	_, err = c.LoadBinary(format+1, data)
	require.ErrorIs(t, err, ErrBinary, "another format")
	_, err = c.LoadBinary(format, nil)
	require.ErrorIs(t, err, ErrBinary)
	if c.Info().Software { // a GPU's driver is not asked to survive this
		bad := slices.Clone(data)
		bad[len(bad)/2] ^= 0xFF
		_, err = c.LoadBinary(format, bad)
		require.ErrorIs(t, err, ErrBinary, "a flipped byte")
		_, err = c.LoadBinary(format, data[:len(data)/2])
		require.ErrorIs(t, err, ErrBinary, "cut short")
	}
	require.NoError(t, c.Check("after"))
	_, _, err = c.Binary(Program(9999))
	require.Error(t, err)
}

func TestReflection(t *testing.T) {
	c := open(t, egl.Options{})
	p, err := c.CompileCompute(double)
	require.NoError(t, err)
	defer c.DeleteProgram(p)

	binding, size, offsets, err := c.UniformBlock(p, "Params")
	require.NoError(t, err)
	require.EqualValues(t, 2, binding)
	require.Equal(t, 80, size, "std140: 8 bytes, a vec4 at 16, three uints of stride 16")
	require.Equal(t, map[string]int{"count": 0, "factor": 4, "unused": 16, "list": 32}, offsets)

	blocks, err := c.StorageBlocks(p)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"Data": 1}, blocks)

	_, _, _, err = c.UniformBlock(p, "Parms")
	require.ErrorContains(t, err, `no uniform block "Parms"`)
	_, _, _, err = c.UniformBlock(Program(9999), "Params")
	require.Error(t, err)
	_, err = c.StorageBlocks(Program(9999))
	require.Error(t, err)

	// With an instance name, OpenGL puts the block's name before each member.
	named, err := c.CompileCompute(`#version 430 core
layout(local_size_x = 1) in;
layout(std140, binding = 0) uniform Params { uint a; float b; } params;
layout(std430, binding = 3) buffer Out { float o[]; };
void main() { o[params.a] = params.b; }`)
	require.NoError(t, err)
	defer c.DeleteProgram(named)
	_, _, offsets, err = c.UniformBlock(named, "Params")
	require.NoError(t, err)
	require.Equal(t, map[string]int{"a": 0, "b": 4}, offsets)
}

func TestDispatchLimits(t *testing.T) {
	c := open(t, egl.Options{})
	p, err := c.CompileCompute(double)
	require.NoError(t, err)
	defer c.DeleteProgram(p)
	requireDoubled(t, c, p)
	require.NoError(t, c.Dispatch(0, 1, 1), "nothing to do is no mistake")
	if limit := c.Info().Limits.MaxGroupCount[1]; int64(limit) < 1<<32-1 {
		require.ErrorContains(t, c.Dispatch(1, uint32(limit)+1, 1), "on axis 1")
	}
	c.Use(0)
	require.NoError(t, c.Dispatch(1, 1, 1))
	require.ErrorContains(t, c.Check("Dispatch"), "GL_INVALID_OPERATION", "no program")
}

func TestFence(t *testing.T) {
	c := open(t, egl.Options{Robust: true})
	p, err := c.CompileCompute(double)
	require.NoError(t, err)
	defer c.DeleteProgram(p)
	requireDoubled(t, c, p)
	s, err := c.Fence()
	require.NoError(t, err)
	c.Flush()
	done, err := c.WaitSync(s, 10*time.Second)
	require.NoError(t, err)
	require.True(t, done)
	done, err = c.WaitSync(s, 0)
	require.NoError(t, err)
	require.True(t, done, "a fence stays passed")
	c.DeleteSync(s)
	c.DeleteSync(0)
	_, err = c.WaitSync(0, 0)
	require.ErrorContains(t, err, "GL_INVALID_VALUE")
	require.NoError(t, c.Finish())
}

func TestTimer(t *testing.T) {
	c := open(t, egl.Options{})
	timer := c.NewTimer()
	if timer == nil {
		require.False(t, c.Info().Timer)
		return
	}
	_, ok := timer.Elapsed()
	require.False(t, ok, "nothing was measured yet")
	p, err := c.CompileCompute(double)
	require.NoError(t, err)
	defer c.DeleteProgram(p)
	for range 2 {
		timer.Begin()
		timer.Begin()
		requireDoubled(t, c, p)
		timer.End()
		timer.End()
		require.NoError(t, c.Finish())
		var d time.Duration
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if d, ok = timer.Elapsed(); ok {
				break
			}
		}
		require.True(t, ok)
		require.Positive(t, d)
		require.Less(t, d, time.Minute)
	}
	timer.Begin()
	timer.Close()
	timer.Close()
	_, ok = timer.Elapsed()
	require.False(t, ok)
}
