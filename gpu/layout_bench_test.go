package gpu

import (
	"fmt"
	"testing"

	"github.com/glattn/attention"
)

// BenchmarkLayout gives the rates at which the host packs and unpacks the rows of one
// tensor, in bytes of the device's layout a second.
func BenchmarkLayout(b *testing.B) {
	for _, dtype := range []attention.DType{attention.Float32, attention.Float16, attention.BFloat16} {
		for _, dim := range []int{64, 63} {
			t := attention.Zeros(dtype, 1, 512, 8, dim).Transpose(attention.AxisHead, attention.AxisSequence)
			all := region{0, 1, 0, 8}
			size := 8 * 512 * rowBytes(dim, true)
			var host []byte
			b.Run(fmt.Sprintf("pack/%v/d=%d", dtype, dim), func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					packRows(t, all, true, &host)
				}
			})
			b.Run(fmt.Sprintf("unpack/%v/d=%d", dtype, dim), func(b *testing.B) {
				rows := make([]byte, size)
				b.SetBytes(int64(size))
				for b.Loop() {
					unpackRows(t, all, rows)
				}
			})
		}
	}
}
