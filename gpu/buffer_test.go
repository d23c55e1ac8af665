package gpu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/gl"
)

func TestSizeClasses(t *testing.T) {
	for n, want := range map[int64]int{0: 12, 1: 12, 4096: 12, 4097: 13, 8192: 13, 1<<31 - 1: 31, 1 << 31: 31, 1<<31 + 1: 32} {
		require.Equal(t, want, sizeClass(n), "%d bytes", n)
	}
}

func TestBuffersAreLentAgain(t *testing.T) {
	b := anyBackend(t)
	onThread(t, b, func(t require.TestingT) {
		p := newBuffers(b.c, gl.UsageDevice, 512<<20)
		p.cap = 3 * minBuffer
		first, err := p.get(5000, "first")
		require.NoError(t, err)
		require.Equal(t, int64(8192), b.c.BufferSize(first))
		p.put(first)
		require.Equal(t, int64(8192), p.held)
		again, err := p.get(8192, "again")
		require.NoError(t, err)
		require.Equal(t, first, again, "the same size class")
		require.Zero(t, p.held)
		other, err := p.get(8192, "other")
		require.NoError(t, err)
		require.NotEqual(t, again, other, "one buffer is lent once")
		p.put(again)
		p.put(other) // beyond the cap
		require.Equal(t, int64(8192), p.held)
		require.Zero(t, b.c.BufferSize(other), "deleted")
		p.put(gl.Buffer(99999)) // nobody's
		require.Equal(t, int64(8192), p.held)
		p.drop()
		require.Zero(t, p.held)
		require.Zero(t, b.c.BufferSize(again), "deleted")
	})
}

func TestBuffersGiveBackWhatIsKeptWhenMemoryEnds(t *testing.T) {
	b := ownBackend(t, Options{})
	onThread(t, b, func(t require.TestingT) {
		p := newBuffers(b.c, gl.UsageDevice, 512<<20)
		kept, err := p.get(1, "kept")
		require.NoError(t, err)
		p.put(kept)
		b.c.Inject("CreateBuffer", gl.ErrOutOfMemory)
		_, err = p.get(1<<20, "large")
		require.ErrorIs(t, err, attention.ErrOutOfMemory)
		require.ErrorContains(t, err, "large")
		require.Zero(t, p.held)
		require.Zero(t, b.c.BufferSize(kept), "freed to make room")
		b.c.Inject("CreateBuffer", nil)
	})
}
