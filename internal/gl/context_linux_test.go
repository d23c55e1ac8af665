//go:build linux && cgo && !nogpu

package gl

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention/internal/egl"
)

// double multiplies each element by a factor from a uniform block.
const double = `#version 430 core
layout(local_size_x = 32) in;
layout(std140, binding = 2) uniform Params { uint count; uint factor; vec4 unused; uint list[3]; };
layout(std430, binding = 1) buffer Data { uint data[]; };
void main() {
	uint i = gl_GlobalInvocationID.x;
	if (i < count) data[i] *= factor;
}
`

func words(values ...uint32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return b
}

// runDouble runs the shader on 0…n-1 and returns what came out.
func runDouble(c *Context, p Program, n, factor uint32) ([]uint32, error) {
	in := make([]uint32, n)
	for i := range in {
		in[i] = uint32(i)
	}
	data, err1 := c.CreateBuffer(int64(4*n), "data", UsageDevice)
	params, err2 := c.CreateBuffer(256, "params", UsageUpload)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	defer c.DeleteBuffer(data)
	defer c.DeleteBuffer(params)
	c.Use(p)
	out := make([]byte, 4*n)
	err := errors.Join(
		c.Write(data, 0, words(in...)), c.Write(params, 0, words(n, factor)),
		c.BindStorage(1, data, 0, int64(4*n)), c.BindUniform(2, params, 0, 256),
		c.Dispatch((n+31)/32, 1, 1), c.Check("Dispatch"),
	)
	c.Barrier()
	err = errors.Join(err, c.Read(data, 0, out))
	for i := range in {
		in[i] = binary.NativeEndian.Uint32(out[4*i:])
	}
	return in, err
}

func requireDoubled(t *testing.T, c *Context, p Program) {
	t.Helper()
	out, err := runDouble(c, p, 100, 2)
	require.NoError(t, err)
	for i, v := range out {
		require.EqualValues(t, 2*i, v)
	}
}

func TestInfo(t *testing.T) {
	c := open(t, egl.Options{})
	i := c.Info()
	t.Logf("%+v", i.Limits)
	t.Logf("%s | %s | %s | GLSL %s", i.Vendor, i.Renderer, i.Version, i.GLSL)
	require.NotEmpty(t, i.Renderer)
	require.True(t, i.Major > 4 || i.Major == 4 && i.Minor >= 3)
	require.NotEmpty(t, i.Extensions)
	require.False(t, i.Has("GL_ATTN_no_such_extension"))
	if strings.Contains(i.Renderer, "llvmpipe") {
		require.True(t, i.Software)
	}
	// The minima of OpenGL 4.3, tables 23.63 to 23.67.
	l := i.Limits
	require.GreaterOrEqual(t, l.MaxSharedBytes, 32768)
	require.GreaterOrEqual(t, l.MaxInvocations, 1024)
	require.GreaterOrEqual(t, l.MaxSSBOBindings, 8)
	require.GreaterOrEqual(t, l.MaxSSBOBytes, int64(1<<24))
	require.GreaterOrEqual(t, l.MaxUBOBytes, 16384)
	for axis, least := range [3]int{1024, 1024, 64} {
		require.GreaterOrEqual(t, l.MaxGroupCount[axis], 65535)
		require.GreaterOrEqual(t, l.MaxGroupSize[axis], least)
	}
	require.LessOrEqual(t, l.SSBOAlign, 256)
	require.LessOrEqual(t, l.UBOAlign, 256)
}

func TestContextsOneAfterAnother(t *testing.T) {
	for range 3 {
		t.Run("", func(t *testing.T) {
			c := open(t, egl.Options{Robust: true, Debug: true})
			p, err := c.CompileCompute(double)
			require.NoError(t, err)
			requireDoubled(t, c, p)
			c.DeleteProgram(p)
			require.NoError(t, c.ResetStatus())
		})
	}
}

// Two contexts, alive at once on two threads, share go-gl's table and must not
// see each other's objects.
func TestContextsAtOnce(t *testing.T) {
	open(t, egl.Options{}) // skips, or is a third one
	const n = 2
	type result struct {
		factor uint32
		out    []uint32
		err    error
	}
	results := make(chan result, n)
	started := make(chan struct{}, n)
	proceed := make(chan struct{})
	for k := range n {
		go func() {
			r := result{factor: uint32(k + 2)}
			c, closer, err := load(egl.Options{Debug: true})
			started <- struct{}{}
			<-proceed // both are open now
			if r.err = err; err == nil {
				var p Program
				if p, r.err = c.CompileCompute(double); r.err == nil {
					for range 20 {
						r.out, err = runDouble(c, p, 1000, r.factor)
						r.err = errors.Join(r.err, err)
					}
				}
				r.err = errors.Join(r.err, closer())
			}
			results <- r
		}()
	}
	for range n {
		<-started
	}
	close(proceed)
	for range n {
		r := <-results
		require.NoError(t, r.err)
		for i, v := range r.out {
			require.EqualValues(t, uint32(i)*r.factor, v)
		}
	}
}

// A second provider with other functions is refused while the first is in use,
// and welcome afterwards.
func TestOneProviderAtATime(t *testing.T) {
	c := open(t, egl.Options{})
	devices, err := egl.Devices()
	require.NoError(t, err)
	provider, err := egl.Open(devices[0], egl.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, provider.Close()) }()

	var other byte
	_, err = Load(func(name string) unsafe.Pointer {
		if name == "glDispatchCompute" {
			return unsafe.Pointer(&other)
		}
		return provider.ProcAddress(name)
	})
	require.ErrorIs(t, err, errProvider)
	p, err := c.CompileCompute(double)
	require.NoError(t, err, "the first still works")
	c.DeleteProgram(p)
}

// A library that lacks functions is refused by the name of one, and the table
// that it filled in part is not taken for a whole one afterwards.
func TestFunctionsMissing(t *testing.T) {
	open(t, egl.Options{}) // to skip without a device
	_, err := Load(func(name string) unsafe.Pointer { return nil })
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorContains(t, err, "glGetString")
}

func TestHalfTableIsNotKept(t *testing.T) {
	c, closer, err := load(egl.Options{})
	if errors.Is(err, egl.ErrUnavailable) && os.Getenv("ATTN_REQUIRE") != "gpu" {
		t.Skipf("NO GPU TESTED: %v", err)
	}
	require.NoError(t, err)
	require.NoError(t, c.Check("before"))
	require.NoError(t, closer())

	var other byte
	for range 2 {
		_, err = Load(func(name string) unsafe.Pointer {
			if name == "glMapBufferRange" {
				return nil
			}
			return unsafe.Pointer(&other)
		})
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorContains(t, err, "glMapBufferRange")
	}
	p, err := open(t, egl.Options{}).CompileCompute(double)
	require.NoError(t, err)
	require.NotZero(t, p)
}

func TestLoadWithoutCurrentContext(t *testing.T) {
	open(t, egl.Options{})
	devices, err := egl.Devices()
	require.NoError(t, err)
	provider, err := egl.Open(devices[0], egl.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, provider.Close()) }()
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		_, err := Load(provider.ProcAddress)
		result <- err
	}()
	require.ErrorIs(t, <-result, ErrUnavailable)
}

func TestDebugMessages(t *testing.T) {
	c := open(t, egl.Options{Debug: true})
	var got []DebugMessage
	require.NoError(t, c.EnableDebug(func(m DebugMessage) { t.Error("a replaced handler was called") }))
	require.NoError(t, c.EnableDebug(func(m DebugMessage) { got = append(got, m) }))
	c.fn.bindBuffer(0xBEEF, 1)
	require.Error(t, c.Check("bindBuffer"))
	require.NotEmpty(t, got, "messages must arrive during the call")
	require.Equal(t, "api", got[0].Source)
	require.Equal(t, "error", got[0].Type)
	require.Equal(t, "high", got[0].Severity)
	require.NotEmpty(t, got[0].Text)
	t.Log(got[0])

	c.DisableDebug()
	before := len(got)
	c.fn.bindBuffer(0xBEEF, 1)
	require.Error(t, c.Check("bindBuffer"))
	require.Len(t, got, before)
}

func TestLabel(t *testing.T) {
	c := open(t, egl.Options{Debug: true})
	b, err := c.CreateBuffer(4, strings.Repeat("long ", 1000), UsageDevice)
	require.NoError(t, err)
	defer c.DeleteBuffer(b)
	c.LabelBuffer(b, "short")
	p, err := c.CompileCompute(double)
	require.NoError(t, err)
	defer c.DeleteProgram(p)
	c.LabelProgram(p, "double")
	require.NoError(t, c.Check("label"))
}
