package kernel

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// fence returns two slices of n numbers: one ends where a page begins that
// cannot be read, one begins where such a page ends.
func fence[T any](t *testing.T, n int) [2][]T {
	t.Helper()
	page := unix.Getpagesize()
	size := int(unsafe.Sizeof(*new(T)))
	middle := (n*size + page - 1) / page * page
	memory, err := unix.Mmap(-1, 0, middle+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(memory)) })
	require.NoError(t, unix.Mprotect(memory[:page], unix.PROT_NONE))
	require.NoError(t, unix.Mprotect(memory[page+middle:], unix.PROT_NONE))
	inside := memory[page : page+middle]
	view := func(bytes []byte) []T { return unsafe.Slice((*T)(unsafe.Pointer(&bytes[0])), n) }
	return [2][]T{view(inside[middle-n*size:]), view(inside)}
}

// TestNothingOutsideIsRead puts all that kernels read or write against protected
// pages: a kernel that reads a number too many crashes the test.
func TestNothingOutsideIsRead(t *testing.T) {
	for _, s := range sets() {
		for _, n := range []int{1, 2, 3, 5, 8, 13} {
			for _, dim := range []int{1, 3, 4, 7, 8, 17, 24} {
				q, k := fence[float32](t, dim*s.Lanes), fence[float32](t, n*dim)
				scores, state := fence[float32](t, n*s.Lanes), fence[float32](t, s.Lanes)
				values, out := fence[float32](t, n*dim*s.Width), fence[float32](t, s.Lanes*dim*s.Width)
				turned := fence[float32](t, n*dim)
				low := fence[int32](t, s.Lanes)
				for side := range 2 {
					s.Scores(scores[side], q[side], k[side], dim, dim, n)
					s.Store(k[side], dim, values[side], dim*s.Width, state[side][:min(n, s.Lanes)], dim)
					s.Fence(scores[side], 0, n, low[side], low[side])
					s.Weigh(scores[side], n, n/2, state[side], make([]float32, s.Lanes), make([]float32, s.Lanes))
					s.Values(out[side], dim*s.Width, state[side], scores[side], values[side], dim*s.Width, n, dim*s.Width, nil)
					s.Transpose(turned[side], n, k[side], dim, n, dim, 1)
				}
			}
			for rows := 1; rows <= 5; rows++ {
				width := s.Width * (1 + rows%3*4)
				long, short := fence[float32](t, n*width), fence[uint16](t, n*width)
				q, scores := fence[float32](t, rows*width), fence[float32](t, rows*n)
				factor, line := fence[float32](t, rows), fence[float32](t, s.Width)
				for side := range 2 {
					for _, m := range []Rows{{Float32s: long[side]}, {Uint16s: short[side]}, {Uint16s: short[side], Brain: true}} {
						m.Stride = width
						s.Dots(scores[side], n, q[side], width, rows, m, width, n)
						s.Scale(q[side], width, factor[side], width)
						s.Mix(q[side], width, scores[side], n, rows, m, width, n)
						s.Finite(m, n, width)
						s.Widen(long[side][:width], m, n-1)
					}
					blocks, wide := fence[byte](t, n*3*BlockBytes), fence[float32](t, rows*3*Block)
					m := Rows{Blocks: blocks[side], Stride: 3 * Block}
					s.Dots(scores[side], n, wide[side], 3*Block, rows, m, 3*Block, n)
					s.Mix(wide[side], 3*Block, scores[side], n, rows, m, 3*Block, n)
					s.Widen(wide[side][:2*Block+n], m, n-1)
					s.Narrow(short[side], long[side], false)
					s.Narrow(short[side], long[side], true)
					s.Softcap(line[side], 3)
					s.AddBias(line[side], line[side])
					s.Expand(scores[side], make([]bool, rows*n))
					s.WeighRow(line[side], factor[side][:1], make([]float32, 1), make([]float32, 1))
				}
			}
		}
	}
}
