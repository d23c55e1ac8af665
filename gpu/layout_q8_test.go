package gpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// q8Arrangements lay a [2, 3, 5, n] tensor of blocks out in memory in different ways.
var q8Arrangements = map[string]func(n int) attention.Tensor{
	"contiguous": func(n int) attention.Tensor { return attention.Zeros(attention.Q8_0, 2, 3, 5, n) },
	"sequence before head": func(n int) attention.Tensor {
		return attention.Zeros(attention.Q8_0, 2, 5, 3, n).Transpose(attention.AxisHead, attention.AxisSequence)
	},
	"gaps": func(n int) attention.Tensor {
		whole := attention.Zeros(attention.Q8_0, 4, 5, 9, n+64)
		for axis, low := range []int{1, 2, 3, 32} {
			whole = whole.Slice(axis, low, low+[]int{2, 3, 5, n}[axis])
		}
		return whole
	},
}

// fillBlocks gives every row numbers of its own, 127 and -128 among them.
func fillBlocks(t attention.Tensor) {
	s := t.Shape()
	for b := range s[0] {
		for h := range s[1] {
			for i := range s[2] {
				at := t.Index(b, h, i, 0) / attention.Q8_0Block * attention.Q8_0BlockBytes
				row := t.Uint8s()[at : at+attention.Q8_0.Bytes(s[3])]
				for n := range row {
					row[n] = byte(127 + n%2*(1+7*b+5*h+3*i+n))
				}
				for n := 0; n < len(row); n += attention.Q8_0BlockBytes {
					binary.LittleEndian.PutUint16(row[n:], attention.Float32ToFloat16(float32(1+b+h+i+n)/8))
				}
			}
		}
	}
}

// q8Element reads number d of a row as tensors.glsl does.
func q8Element(packed []byte, rows, row, n, d int) float64 {
	number := int8(packed[row*4*vec4s(n)+d])
	scale := packed[int(scalesAt(int64(rows), n))+2*(row*blocks(n)+d/attention.Q8_0Block):]
	return float64(attention.Float16ToFloat32(binary.LittleEndian.Uint16(scale))) * float64(number)
}

func TestPackStoredQ8(t *testing.T) {
	for name, arrange := range q8Arrangements {
		for _, n := range []int{1, 4, 7, 32, 36, 64, 80, 97} {
			for _, r := range []region{{0, 2, 0, 3}, {1, 2, 2, 3}, {0, 2, 1, 2}} {
				t.Run(fmt.Sprintf("%s/%d/%v", name, n, r), func(t *testing.T) {
					x := arrange(n)
					fillBlocks(x)
					scratch := slices.Repeat([]byte{0xff}, 1<<14) // what an earlier call left
					packed := packStored(x, r, &scratch)
					rows := r.slabs() * 5
					require.Len(t, packed, int(storedBytes(attention.Q8_0, int64(rows), n)))
					require.Zero(t, len(packed)%16, "whole loads")
					row := 0
					for b := r.b0; b < r.b1; b++ {
						for h := r.h0; h < r.h1; h++ {
							for i := range 5 {
								for d := range 4 * vec4s(n) {
									want, got := 0.0, 0.0
									if d < n {
										want = x.At(b, h, i, d)
									}
									if n%4 == 0 {
										got = q8Element(packed, rows, row, n, d)
									} else { // widened
										got = element(packed[row*rowBytes(n, true):], attention.Float32, true, d)
									}
									require.InDelta(t, want, got, 0, "[%d %d %d %d]", b, h, i, d)
								}
								row++
							}
						}
					}
				})
			}
		}
	}
}

func TestStoredTypes(t *testing.T) {
	for _, tc := range []struct {
		dtype attention.DType
		n     int
		want  attention.DType
		bytes int64 // of 3 rows
	}{
		{attention.Float32, 5, attention.Float32, 3 * 32},
		{attention.Float16, 5, attention.Float16, 3 * 16},
		{attention.BFloat16, 64, attention.BFloat16, 3 * 128},
		{attention.Q8_0, 64, attention.Q8_0, 3*64 + 16},  // 3·2 scales of 2 bytes, in whole vec4s
		{attention.Q8_0, 80, attention.Q8_0, 3*80 + 32},  // 3·3 scales
		{attention.Q8_0, 70, attention.Float32, 3 * 288}, // within a vec4
	} {
		require.Equal(t, tc.want, stored(tc.dtype, tc.n), "%v of %d", tc.dtype, tc.n)
		require.Equal(t, tc.bytes, storedBytes(tc.dtype, 3, tc.n), "%v of %d", tc.dtype, tc.n)
	}
}

func TestFiniteValues(t *testing.T) {
	for _, n := range []int{1, 64, 80} {
		for _, dtype := range []attention.DType{attention.Float32, attention.Float16, attention.BFloat16, attention.Q8_0} {
			for _, bad := range []float64{0, math.Inf(1), math.NaN()} {
				v := attention.Zeros(dtype, 1, 2, 5, n)
				if dtype == attention.Q8_0 {
					fillBlocks(v)
					if bad != 0 {
						at := v.Index(0, 1, 4, n-1) / attention.Q8_0Block * attention.Q8_0BlockBytes
						binary.LittleEndian.PutUint16(v.Uint8s()[at:], attention.Float32ToFloat16(float32(bad)))
					}
				} else {
					v.Set(0, 1, 4, n-1, bad)
				}
				require.Equal(t, bad == 0, finiteStored(packStored(v, region{0, 1, 0, 2}, new([]byte)), dtype, 2*5, n), "%v of %d: %v", dtype, n, bad)
			}
		}
	}
}

// TestInfiniteScale: a number is scale·int8, so that 0 of a block of infinite scale is
// NaN, and beyond D there is nothing.
func TestInfiniteScale(t *testing.T) {
	for _, k := range kernelsUnderTest {
		for _, d := range []int{64, 30} {
			b := sharedBackend(t, k.name, k.opt)
			c := newTestCall(t, callSpec{batch: 1, heads: 1, kvHeads: 1, lq: 1, lk: 3, d: d})
			v := attention.Zeros(attention.Q8_0, 1, 1, 3, d)
			for i := range 3 {
				v.SetRow(0, 0, i, c.In.V.Float32s()[i*d:(i+1)*d])
			}
			binary.LittleEndian.PutUint16(v.Uint8s(), 0x7c00) // the first block of the first row
			v.Uint8s()[2], v.Uint8s()[3], v.Uint8s()[4] = 0, 5, 0xff
			in := c.In
			in.V = v
			call, err := attention.NewCall(c.Problem.Options, in, c.Out)
			require.NoError(t, err)
			require.NoError(t, runOn(t.Context(), b, call))
			require.True(t, math.IsNaN(c.Out.O.At(0, 0, 0, 0)), "%s: 0·Inf", k.name)
			require.True(t, math.IsInf(c.Out.O.At(0, 0, 0, 1), 1), "%s: 5·Inf", k.name)
			require.True(t, math.IsInf(c.Out.O.At(0, 0, 0, 2), -1), "%s: -1·Inf", k.name)
			if d > 32 {
				require.False(t, math.IsInf(c.Out.O.At(0, 0, 0, 33), 0), "%s: the next block", k.name)
			}
		}
	}
}
