package gpu

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/glattn/attention/internal/gl"
)

// staged makes a backend bring all uploads through memory that stays mapped.
func staged(t *testing.T, b *Backend) {
	t.Helper()
	if !b.c.Info().Persistent {
		t.Skip("NOT TESTED: the driver cannot keep buffers mapped")
	}
	onThread(t, b, func(t require.TestingT) {
		if b.stage == nil {
			b.stage = newStaging(b.c)
		}
		require.NotNil(t, b.stage)
	})
}

// TestStaging writes pieces of all sizes, several times what the ring holds.
func TestStaging(t *testing.T) {
	b := ownBackend(t, Options{})
	staged(t, b)
	random := rand.New(rand.NewPCG(5, 6))
	const size = 3*stageParts*stageBytes + 12345
	data := make([]byte, size)
	for n := range data {
		data[n] = byte(random.Uint32())
	}
	onThread(t, b, func(t require.TestingT) {
		buffer, err := b.c.CreateBuffer(size, "target", gl.UsageDevice)
		require.NoError(t, err)
		defer b.c.DeleteBuffer(buffer)
		for at := 0; at < size; {
			n := min(size-at, 1+random.IntN(1<<random.IntN(24)))
			piece := bytes.Clone(data[at : at+n])
			require.NoError(t, b.stage.write(buffer, int64(at), piece))
			clear(piece) // which the caller may do at once
			at += n
		}
		back := make([]byte, size)
		require.NoError(t, b.c.Read(buffer, 0, back))
		require.True(t, bytes.Equal(data, back))
	})
	requireClean(t, b)
}

// TestCallsBesideEachOther has goroutines whose uploads, computations and downloads
// interleave on the device.
func TestCallsBesideEachOther(t *testing.T) {
	for _, k := range kernelsUnderTest {
		t.Run(k.name, func(t *testing.T) {
			b := ownBackend(t, k.opt)
			staged(t, b)
			var group sync.WaitGroup
			for n := range 6 {
				group.Go(func() {
					c := newTestCall(t, callSpec{lq: 7 + 5*n, lk: 40 + 30*n, d: 8, bias: n%2 == 0, seed: uint64(n)})
					var want []uint32
					for range 10 {
						blank(c)
						if !assert.NoError(t, runOn(context.Background(), b, c)) {
							return
						}
						if got := outputBits(c); want == nil {
							want = got
						} else if !assert.Equal(t, want, got) {
							return
						}
					}
					requireRight(t, c)
				})
			}
			group.Wait()
			requireClean(t, b)
		})
	}
}
