//go:build linux && cgo && !nogpu

package gl

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention/internal/egl"
)

const copyTexels = `#version 430 core
layout(local_size_x = 1) in;
layout(binding = 3) uniform usamplerBuffer from;
layout(std430, binding = 0) writeonly buffer To { uvec2 to[]; };
void main() { to[gl_WorkGroupID.x] = texelFetch(from, 3 - int(gl_WorkGroupID.x)).xy; }
`

func TestTexels(t *testing.T) {
	c := open(t, egl.Options{})
	from, err := c.CreateBuffer(64, "from", UsageDevice)
	require.NoError(t, err)
	to, err := c.CreateBuffer(64, "to", UsageDevice)
	require.NoError(t, err)
	data := make([]byte, 32)
	for i := range 8 {
		binary.LittleEndian.PutUint32(data[4*i:], uint32(i))
	}
	require.NoError(t, c.Write(from, 0, data))
	texels, err := c.CreateTexels(from, 0, 32, TexelsUint2)
	require.NoError(t, err)
	defer c.DeleteTexels(texels)
	p, err := c.CompileCompute(copyTexels)
	require.NoError(t, err)
	c.Use(p)
	c.BindTexels(3, texels)
	require.NoError(t, c.BindStorage(0, to, 0, 64))
	require.NoError(t, c.Dispatch(4, 1, 1))
	c.Barrier()
	got := make([]byte, 32)
	require.NoError(t, c.Read(to, 0, got))
	require.Equal(t, append(append(append(append([]byte{}, data[24:]...), data[16:24]...), data[8:16]...), data[:8]...), got)

	_, err = c.CreateTexels(from, 0, 24, TexelsFloat4)
	require.ErrorContains(t, err, "24 bytes")
	_, err = c.CreateTexels(from, 0, 128, TexelsFloat4)
	require.Error(t, err)
	require.NoError(t, c.Check("test"))
}
