package bench

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"slices"
	"unsafe"

	"github.com/glattn/attention"
	"github.com/glattn/attention/verify"
)

// check verifies the outputs of a call. If recomputing all rows takes more than
// work multiply-adds, a sample of rows is recomputed in float64, and the other
// rows are only looked at for numbers that finite inputs cannot give.
func check(call *attention.Call, work float64) (verify.Report, error) {
	rows := sampleRows(call.Problem, work)
	if rows == nil {
		return verify.Check(call)
	}
	if err := checkFinite(call.Out); err != nil {
		return verify.Report{Quotient: math.Inf(1)}, err
	}
	return verify.CheckRows(call, rows)
}

// leastRows is how many rows are verified however long they are.
const leastRows = 16

// sampleRows returns the rows to verify, nil for all: the first and last of the
// first and last head, where tiles end, and random ones between.
func sampleRows(p attention.Problem, work float64) [][3]int {
	total := p.Batch * p.Heads * p.QueryLen
	n := leastRows
	if each := float64(p.KeyLen) * float64(p.Dim+p.ValueDim); each > 0 {
		n = max(n, int(min(work/each, float64(total))))
	}
	if n >= total {
		return nil
	}
	chosen := map[int]bool{0: true, p.QueryLen - 1: true, total - p.QueryLen: true, total - 1: true}
	random := rand.New(rand.NewPCG(uint64(total), uint64(p.KeyLen)))
	for len(chosen) < n {
		chosen[random.IntN(total)] = true
	}
	rows := make([][3]int, 0, n)
	for row := range chosen {
		rows = append(rows, [3]int{row / p.QueryLen / p.Heads, row / p.QueryLen % p.Heads, row % p.QueryLen})
	}
	slices.SortFunc(rows, func(a, b [3]int) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]), cmp.Compare(a[2], b[2]))
	})
	return rows
}

// checkFinite fails at the first element that is NaN or +Inf, as unwritten ones
// are; −Inf may stand in the log-sum-exp only. The outputs are contiguous.
func checkFinite(out attention.Outputs) error {
	for n, v := range out.O.Float32s() {
		if v-v != 0 { // NaN or infinite
			return fmt.Errorf("%w: element %d of O is %g or was not written", verify.ErrMismatch, n, v)
		}
	}
	exponent := uint16(0x7c00)
	if out.O.DType() == attention.BFloat16 {
		exponent = 0x7f80
	}
	for n, bits := range out.O.Uint16s() {
		if bits&exponent == exponent {
			return fmt.Errorf("%w: element %d of O is not finite or was not written", verify.ErrMismatch, n)
		}
	}
	for n, v := range out.LSE.Float32s() {
		if v != v || v > math.MaxFloat32 {
			return fmt.Errorf("%w: element %d of LSE is %g or was not written", verify.ErrMismatch, n, v)
		}
	}
	return nil
}

// blank fills outputs with NaN, so that what a call does not write shows.
func blank(out attention.Outputs) {
	nan := float32(math.NaN())
	for _, data := range [][]float32{out.O.Float32s(), out.LSE.Float32s()} {
		for n := range data {
			data[n] = nan
		}
	}
	data := out.O.Uint16s()
	for n := range data {
		data[n] = 0x7fff // NaN as float16 and as bfloat16
	}
}

var hashSeed = maphash.MakeSeed()

// digest sums up the bits of the outputs.
func digest(out attention.Outputs) uint64 {
	var h maphash.Hash
	h.SetSeed(hashSeed)
	// The bytes are only read, and only while the slices are alive.
	write := func(data []float32) {
		_, _ = h.Write(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), 4*len(data)))
	}
	write(out.O.Float32s())
	write(out.LSE.Float32s())
	bits := out.O.Uint16s()
	_, _ = h.Write(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(bits))), 2*len(bits)))
	return h.Sum64()
}
