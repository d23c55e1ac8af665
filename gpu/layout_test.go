package gpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// arrangements lay a [2, 3, 5, n] tensor out in memory in different ways.
var arrangements = map[string]func(t attention.DType, n int) attention.Tensor{
	"contiguous": func(t attention.DType, n int) attention.Tensor { return attention.Zeros(t, 2, 3, 5, n) },
	"sequence before head": func(t attention.DType, n int) attention.Tensor {
		return attention.Zeros(t, 2, 5, 3, n).Transpose(attention.AxisHead, attention.AxisSequence)
	},
	"columns": func(t attention.DType, n int) attention.Tensor {
		return attention.Zeros(t, 2, 3, n, 5).Transpose(attention.AxisDim, attention.AxisSequence)
	},
	"gaps": func(t attention.DType, n int) attention.Tensor {
		whole := attention.Zeros(t, 4, 5, 9, n+7)
		for axis, low := range []int{1, 2, 3, 4} {
			whole = whole.Slice(axis, low, low+[]int{2, 3, 5, n}[axis])
		}
		return whole
	},
	"backwards": func(t attention.DType, n int) attention.Tensor {
		return attention.Zeros(t, 2, 3, 5, n).WithStrides([4]int{2, 3, 5, n}, [4]int{15 * n, 5 * n, -n, -1}, 5*n-1)
	},
}

var floatTypes = []attention.DType{attention.Float32, attention.Float16, attention.BFloat16}

// fillWith sets every element to a number of its own that all types hold exactly.
func fillWith(t attention.Tensor) {
	s := t.Shape()
	each(s, func(b, h, i, d int) { t.Set(b, h, i, d, float64(1+((b*s[1]+h)*s[2]+i)*s[3]+d)/4) })
}

func each(s [4]int, f func(b, h, i, d int)) {
	for b := range s[0] {
		for h := range s[1] {
			for i := range s[2] {
				for d := range s[3] {
					f(b, h, i, d)
				}
			}
		}
	}
}

// element reads number d of a packed row.
func element(row []byte, t attention.DType, wide bool, d int) float64 {
	switch {
	case wide:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(row[4*d:])))
	case t == attention.Float16:
		return float64(attention.Float16ToFloat32(binary.LittleEndian.Uint16(row[2*d:])))
	}
	return float64(attention.BFloat16ToFloat32(binary.LittleEndian.Uint16(row[2*d:])))
}

func TestPackRows(t *testing.T) {
	regions := map[string]region{"all": {0, 2, 0, 3}, "one": {1, 2, 2, 3}, "a batch entry": {1, 2, 0, 3}, "some heads": {0, 1, 1, 3}, "across": {0, 2, 1, 2}}
	for name, arrange := range arrangements {
		for _, dtype := range floatTypes {
			for _, n := range []int{1, 3, 4, 7, 8} {
				for regionName, r := range regions {
					for _, widen := range []bool{false, true} {
						t.Run(fmt.Sprintf("%s/%v/%d/%s/widen=%v", name, dtype, n, regionName, widen), func(t *testing.T) {
							x := arrange(dtype, n)
							fillWith(x)
							checkPacked(t, x, r, widen)
						})
					}
				}
			}
		}
	}
}

func checkPacked(t *testing.T, x attention.Tensor, r region, widen bool) {
	dtype, n := x.DType(), x.Shape()[3]
	wide := widen || dtype == attention.Float32
	scratch := slices.Repeat([]byte{0xff}, 1<<12) // what an earlier call left
	packed := packRows(x, r, widen, &scratch)
	pitch := rowBytes(n, wide)
	require.Zero(t, pitch%8, "whole vec4s")
	require.Len(t, packed, r.slabs()*5*pitch)
	width := 4 * vec4s(n)
	at := 0
	for b := r.b0; b < r.b1; b++ {
		for h := r.h0; h < r.h1; h++ {
			for i := range 5 {
				for d := range width {
					want := 0.0
					if d < n {
						want = x.At(b, h, i, d)
					}
					require.InDelta(t, want, element(packed[at:], dtype, wide, d), 0, "[%d %d %d %d]", b, h, i, d)
				}
				at += pitch
			}
		}
	}
}

func TestPackedMemoryIsNotCopied(t *testing.T) {
	x := attention.Zeros(attention.Float32, 2, 3, 5, 8)
	fillWith(x)
	half := attention.Zeros(attention.Float16, 2, 3, 5, 8)
	base := func(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }
	var scratch []byte

	require.Equal(t, unsafe.Pointer(&x.Float32s()[0]), base(packRows(x, region{0, 2, 0, 3}, false, &scratch)))
	require.Equal(t, unsafe.Pointer(&x.Float32s()[120+40]), base(packRows(x, region{1, 2, 1, 3}, true, &scratch)), "part of one batch entry")
	require.Equal(t, unsafe.Pointer(&half.Uint16s()[0]), base(packRows(half, region{0, 2, 0, 3}, false, &scratch)))
	require.Nil(t, scratch, "nothing was packed")

	for name, view := range map[string][]byte{
		"some heads of several batch entries": rowView(x, region{0, 2, 0, 2}, true),
		"a width that is no multiple of 4":    rowView(x.Slice(3, 0, 7), region{0, 2, 0, 3}, true),
		"to be widened":                       rowView(half, region{0, 2, 0, 3}, true),
		"transposed":                          rowView(x.Transpose(1, 2), region{0, 2, 0, 5}, true),
		"shared by stride 0":                  rowView(x.WithStrides([4]int{2, 3, 5, 8}, [4]int{0, 40, 8, 1}, 0), region{0, 2, 0, 3}, true),
	} {
		require.Nil(t, view, name)
	}
	ones := x.WithStrides([4]int{1, 1, 5, 8}, [4]int{0, 0, 8, 1}, 40)
	require.Equal(t, unsafe.Pointer(&x.Float32s()[40]), base(rowView(ones, region{0, 1, 0, 1}, true)), "axes of size 1 need no stride")
}

func TestUnpackRowsRoundTrips(t *testing.T) {
	for name, arrange := range arrangements {
		for _, dtype := range floatTypes {
			for _, n := range []int{1, 4, 7} {
				t.Run(fmt.Sprintf("%s/%v/%d", name, dtype, n), func(t *testing.T) {
					from, to := arrange(dtype, n), arrange(dtype, n)
					fillWith(from)
					each(to.Shape(), func(b, h, i, d int) { to.Set(b, h, i, d, -1) })
					r := region{1, 2, 1, 3}
					var scratch []byte
					unpackRows(to, r, packRows(from, r, true, &scratch))
					each(to.Shape(), func(b, h, i, d int) {
						want := -1.0
						if b >= r.b0 && b < r.b1 && h >= r.h0 && h < r.h1 {
							want = from.At(b, h, i, d)
						}
						require.InDelta(t, want, to.At(b, h, i, d), 0, "[%d %d %d %d]", b, h, i, d)
					})
				})
			}
		}
	}
}

// TestPackScores reads biases and masks back by the strides that the shaders get.
func TestPackScores(t *testing.T) {
	full := [4]int{2, 3, 5, 7}
	random := rand.New(rand.NewPCG(5, 6))
	for _, dtype := range append([]attention.DType{attention.Bool}, floatTypes...) {
		for axes := range 16 {
			shape := full
			for axis := range 4 {
				if axes>>axis&1 != 0 {
					shape[axis] = 1
				}
			}
			x := attention.Zeros(dtype, shape[:]...)
			each(shape, func(b, h, i, j int) { x.Set(b, h, i, j, float64(random.IntN(2)*(1+random.IntN(9)))) })
			x = x.BroadcastTo(full)
			for _, r := range []region{{0, 2, 0, 3}, {1, 2, 1, 3}} {
				scratch := slices.Repeat([]byte{0xff}, 16)
				s := packScores(x, r, &scratch)
				require.Zero(t, len(s.data)%4, "whole words")
				for b := r.b0; b < r.b1; b++ {
					for h := r.h0; h < r.h1; h++ {
						for i := range full[2] {
							for j := range full[3] {
								at := (b-r.b0)*s.batch + (h-r.h0)*s.head + i*s.query + j*s.key
								var got float64
								if dtype == attention.Bool {
									got = float64(s.data[at])
								} else {
									got = element(s.data, dtype, true, at)
								}
								require.InDelta(t, x.At(b, h, i, j), got, 0, "%v %v: [%d %d %d %d]", dtype, shape, b, h, i, j)
							}
						}
					}
				}
			}
			require.LessOrEqual(t, len(packScores(x, region{0, 2, 0, 3}, new([]byte)).data), 4*(shape[0]*shape[1]*shape[2]*shape[3]+1), "only what differs")
		}
	}
}

func TestUnpackLSE(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, tc := range []struct {
		name     string
		top, sum float32
		natural  bool
		want     float64
	}{
		{"log2 units", 3, 2, false, 3*math.Ln2 + math.Ln2},
		{"natural units", 3, 2, true, 3 + math.Ln2},
		{"nothing allowed", -3.4028234e38, 0, true, math.Inf(-1)},
		{"a score of +Inf", inf, nan, false, math.Inf(1)},
		{"a score of NaN", 1, nan, false, math.NaN()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			src := binary.LittleEndian.AppendUint32(nil, math.Float32bits(tc.top))
			src = binary.LittleEndian.AppendUint32(src, math.Float32bits(tc.sum))
			lse := attention.Zeros(attention.Float32, 1, 1, 1, 1)
			unpackLSE(lse, region{0, 1, 0, 1}, src, tc.natural)
			got := lse.At(0, 0, 0, 0)
			if math.IsNaN(tc.want) || math.IsInf(tc.want, 0) {
				require.Equal(t, fmt.Sprint(tc.want), fmt.Sprint(got))
				return
			}
			require.InDelta(t, tc.want, got, 1e-6)
		})
	}
}
