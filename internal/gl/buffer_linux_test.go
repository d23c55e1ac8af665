//go:build linux && cgo && !nogpu

package gl

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention/internal/egl"
)

func TestBufferReadWriteCopyClear(t *testing.T) {
	c := open(t, egl.Options{})
	src := []byte("0123456789abcdef")
	for usage := UsageDevice; usage <= UsagePersistentReadback; usage++ {
		if usage.persistent() && !c.Info().Persistent {
			continue
		}
		a, err := c.CreateBuffer(16, "a", usage)
		require.NoError(t, err)
		b, err := c.CreateBuffer(32, "b", UsageDevice)
		require.NoError(t, err)
		require.EqualValues(t, 32, c.BufferSize(b))
		require.NoError(t, c.Write(a, 0, src))
		require.NoError(t, c.ClearBuffer(b, 0, 32, 0x2E2E2E2E))
		require.NoError(t, c.Copy(b, 9, a, 4, 8))
		require.NoError(t, c.ClearBuffer(b, 28, 4, 0x21212121))
		got := make([]byte, 32)
		require.NoError(t, c.Read(b, 0, got))
		require.Equal(t, ".........456789ab...........!!!!", string(got), "usage %d", usage)
		require.NoError(t, c.Read(b, 9, got[:8]))
		require.Equal(t, "456789ab", string(got[:8]))
		require.NoError(t, c.Write(b, 32, nil), "nothing, at the end")
		require.NoError(t, c.Read(b, 32, nil))
		c.DeleteBuffer(a)
		c.DeleteBuffer(a)
		c.DeleteBuffer(b)
		require.Zero(t, c.BufferSize(b))
	}
}

func TestBufferRangesAreChecked(t *testing.T) {
	c := open(t, egl.Options{})
	b, err := c.CreateBuffer(64, "sixty-four", UsageDevice)
	require.NoError(t, err)
	defer c.DeleteBuffer(b)
	l := c.Info().Limits
	for name, err := range map[string]error{
		"write beyond":    c.Write(b, 60, make([]byte, 5)),
		"write before":    c.Write(b, -1, make([]byte, 1)),
		"write overflow":  c.Write(b, 1<<62, make([]byte, 1)),
		"read beyond":     c.Read(b, 0, make([]byte, 65)),
		"no buffer":       c.Read(b+1000, 0, make([]byte, 1)),
		"copy beyond":     c.Copy(b, 0, b, 32, 33),
		"copy overlap":    c.Copy(b, 0, b, 16, 32),
		"clear odd":       c.ClearBuffer(b, 2, 4, 0),
		"clear beyond":    c.ClearBuffer(b, 64, 4, 0),
		"storage binding": c.BindStorage(uint32(l.MaxSSBOBindings), b, 0, 64),
		"storage beyond":  c.BindStorage(0, b, 0, 65),
		"storage too big": c.BindStorage(0, b, 0, l.MaxSSBOBytes+1),
		"storage empty":   c.BindStorage(0, b, 0, 0),
		"uniform binding": c.BindUniform(uint32(l.MaxUBOBindings), b, 0, 64),
		"uniform unaligned": func() error {
			if l.UBOAlign == 1 {
				return invalid("BindUniform", "every offset is aligned here")
			}
			return c.BindUniform(0, b, 1, 16)
		}(),
	} {
		var failed *Error
		require.ErrorAs(t, err, &failed, name)
		require.Equal(t, "GL_INVALID_VALUE", failed.Name(), name)
		require.NotEmpty(t, failed.Detail, name)
	}
	require.ErrorContains(t, c.Write(b, 60, make([]byte, 5)), `5 bytes at 60 of buffer "sixty-four", which has 64`)
	require.NoError(t, c.Check("refused arguments must not reach the driver"))
}

// What is not checked here the driver names.
func TestDriverNamesOutOfRangeBinding(t *testing.T) {
	c := open(t, egl.Options{})
	b, err := c.CreateBuffer(64, "b", UsageDevice)
	require.NoError(t, err)
	defer c.DeleteBuffer(b)
	c.fn.bindBufferRange(shaderStorageBuffer, 1<<20, uint32(b), 0, 64)
	require.EqualError(t, c.Check("bind"), "gl: bind: GL_INVALID_VALUE")
	require.NoError(t, c.Check("bind"), "an error is reported once")
}

func TestMapping(t *testing.T) {
	c := open(t, egl.Options{})
	for _, usage := range []struct{ up, down Usage }{
		{UsageDevice, UsageDevice},
		{UsageUpload, UsageReadback},
		{UsagePersistentUpload, UsagePersistentReadback},
	} {
		if usage.up.persistent() && !c.Info().Persistent {
			continue
		}
		up, err := c.CreateBuffer(64, "up", usage.up)
		require.NoError(t, err)
		down, err := c.CreateBuffer(64, "down", usage.down)
		require.NoError(t, err)

		w, err := c.MapWrite(up, 16, 32)
		require.NoError(t, err)
		require.Len(t, w, 32)
		copy(w, bytes.Repeat([]byte("ab"), 16))
		_, err = c.MapWrite(up, 0, 4)
		require.ErrorContains(t, err, "GL_INVALID_OPERATION")
		if usage.up.persistent() {
			require.NoError(t, c.Copy(down, 0, up, 16, 32), "a persistent buffer works while it is mapped")
			require.NoError(t, c.Unmap(up))
		} else {
			require.ErrorContains(t, c.Copy(down, 0, up, 16, 32), "is mapped")
			require.NoError(t, c.Unmap(up))
			require.NoError(t, c.Copy(down, 0, up, 16, 32))
		}
		require.NoError(t, c.Unmap(up), "not mapped")
		require.NoError(t, c.Finish())

		r, err := c.MapRead(down, 0, 32)
		require.NoError(t, err)
		require.Equal(t, bytes.Repeat([]byte("ab"), 16), r)
		require.NoError(t, c.Unmap(down))
		_, err = c.MapRead(down, 40, 32)
		require.ErrorContains(t, err, "GL_INVALID_VALUE")
		if usage.up.persistent() {
			_, err = c.MapRead(up, 0, 4)
			require.ErrorContains(t, err, "other direction")
		}
		c.DeleteBuffer(up)
		c.DeleteBuffer(down)
	}
}

func TestCreateBufferFails(t *testing.T) {
	c := open(t, egl.Options{})
	for _, size := range []int64{0, -1} {
		_, err := c.CreateBuffer(size, "none", UsageDevice)
		require.ErrorContains(t, err, "GL_INVALID_VALUE")
	}
	_, err := c.CreateBuffer(4, "strange", Usage(99))
	require.ErrorContains(t, err, "usage 99")
	// No machine has 2⁶⁰ bytes.
	_, err = c.CreateBuffer(1<<60, "huge", UsageDevice)
	require.ErrorIs(t, err, ErrOutOfMemory)
	require.ErrorContains(t, err, `"huge" of 1152921504606846976 bytes`)
	require.NoError(t, c.Check("after"))
}
