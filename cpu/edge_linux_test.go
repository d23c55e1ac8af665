package cpu

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/glattn/attention"
)

// fenced returns a tensor of which one end of the storage, the last or the
// first, lies against a page that cannot be read, with the numbers of from.
func fenced(t *testing.T, from attention.Tensor, last bool) attention.Tensor {
	t.Helper()
	shape, page := from.Shape(), unix.Getpagesize()
	n := shape[0] * shape[1] * shape[2] * shape[3]
	bytes := from.DType().Bytes(n)
	if from.DType() == attention.Q8_0 {
		bytes = len(from.Uint8s()) // rows are whole blocks
	}
	middle := (bytes + page - 1) / page * page
	memory, err := unix.Mmap(-1, 0, middle+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(memory)) })
	require.NoError(t, unix.Mprotect(memory[:page], unix.PROT_NONE))
	require.NoError(t, unix.Mprotect(memory[page+middle:], unix.PROT_NONE))
	at := page
	if last {
		at += middle - bytes
	}
	if from.DType() == attention.Q8_0 {
		copy(memory[at:], from.Uint8s())
		return attention.NewQ8_0(memory[at:at+bytes], shape[:]...)
	}
	first := unsafe.Pointer(&memory[at])
	var to attention.Tensor
	switch from.DType() {
	case attention.Float32:
		to = attention.NewFloat32(unsafe.Slice((*float32)(first), n), shape[:]...)
	case attention.Float16:
		to = attention.NewFloat16(unsafe.Slice((*uint16)(first), n), shape[:]...)
	default:
		to = attention.NewBFloat16(unsafe.Slice((*uint16)(first), n), shape[:]...)
	}
	each(from, func(b, h, i, d int) { to.Set(b, h, i, d, from.At(b, h, i, d)) })
	return to
}

// TestNothingOutsideIsRead runs calls whose tensors end, or begin, at protected pages.
func TestNothingOutsideIsRead(t *testing.T) {
	for _, lq := range []int{1, 3, 13, 37} {
		for _, width := range []int{1, 7, 8, 20, 64, 72} {
			for _, dtype := range []attention.DType{f32, f16, bf16, attention.Q8_0} {
				for _, last := range []bool{false, true} {
					q := dtype
					if dtype == attention.Q8_0 {
						q = f32
					}
					call := makeCall(t, spec{shape: shape(1, 4, 2, lq, 133, width, width+lq%2), q: q, k: dtype, v: dtype, lse: true,
						options: attention.Options{Causal: attention.BottomRight}})
					in := call.In
					in.Q, in.K, in.V = fenced(t, in.Q, last), fenced(t, in.K, last), fenced(t, in.V, last)
					out := attention.Outputs{O: fenced(t, call.Out.O, last), LSE: fenced(t, call.Out.LSE, last)}
					edge, err := attention.NewCall(call.Problem.Options, in, out)
					require.NoError(t, err)
					run(t, New(Options{Threads: 2}), edge)
					run(t, New(Options{Threads: 2}), call)
					require.Equal(t, bits(call.Out.O), bits(edge.Out.O))
				}
			}
		}
	}
}
