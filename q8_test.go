package attention

import (
	"encoding/hex"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// quantized returns the blocks of a row.
func quantized(src ...float32) []byte {
	dst := make([]byte, Q8_0.Bytes(len(src)))
	QuantizeQ8_0(dst, src)
	return dst
}

// block returns a block with the given scale bits and first values.
func block(scale uint16, values ...int8) []byte {
	b := make([]byte, Q8_0BlockBytes)
	b[0], b[1] = byte(scale), byte(scale>>8)
	for n, v := range values {
		b[2+n] = byte(v)
	}
	return b
}

func TestQuantizeQ8(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		src  []float32
		want []byte
	}{
		"no numbers":              {nil, []byte{}},
		"zeros":                   {[]float32{0, 0}, block(0)},
		"halves away from zero":   {[]float32{127, 0.5, -0.5, 1.5, -1.5, 2.5, 0.49, -126.5}, block(0x3c00, 127, 1, -1, 2, -2, 3, 0, -127)},
		"the largest is negative": {[]float32{1, -254}, block(0x4000, 1, -127)}, // 1/2 away from 0
		"two blocks": {append(make([]float32, 32), 127, 127),
			append(block(0), block(0x3c00, 127, 127)...)},
		"a scale of its own": {append(append([]float32{127}, make([]float32, 31)...), 254),
			append(block(0x3c00, 127), block(0x4000, 127)...)},
		"the scale rounds, values do not see it": {[]float32{127 * (1 + 0x1p-12), 63.5 * (1 + 0x1p-12)}, block(0x3c00, 127, 64)},
		"a denormal scale":                       {[]float32{127 * 0x1p-24, 0x1p-24}, block(1, 127, 1)},
		"a scale that rounds to 0":               {[]float32{127 * 0x1p-26, 0x1p-26}, block(0, 127, 1)},
		"a scale whose inverse overflows":        {[]float32{0x1p-140, 0x1p-149}, block(0)},
		"the largest scale":                      {[]float32{127 * 65504, -65504}, block(0x7bff, 127, -1)},
		"an infinite scale":                      {[]float32{127 * 65520, 0}, block(0x7c00, 127)},
		"NaN":                                    {[]float32{1, nan, 2}, block(0x7e00)},
		"Inf":                                    {[]float32{1, -inf, 2}, block(0x7e00)},
		"NaN and Inf":                            {[]float32{inf, nan}, block(0x7e00)},
		"NaN stays in its block": {append(append([]float32{nan}, make([]float32, 31)...), 127),
			append(block(0x7e00), block(0x3c00, 127)...)},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, hex.EncodeToString(c.want), hex.EncodeToString(quantized(c.src...)))
		})
	}
	require.Panics(t, func() { QuantizeQ8_0(make([]byte, 33), make([]float32, 1)) }, "as an index out of range")
}

// TestQuantizeQ8AsGGML compares with bytes that a program in C made by the formula
// of ggml's quantize_row_q8_0_ref.
func TestQuantizeQ8AsGGML(t *testing.T) {
	const values = "81c291ecd54a4dddfba6dda2f3d33e38bfd272a15ba579dccc4852ea0ec0feca"
	for scale, change := range map[string]func(float32) float32{
		"3c25": func(v float32) float32 { return v },
		"0500": func(v float32) float32 { return v * 0x1p-16 }, // a denormal scale
		"dd5a": func(v float32) float32 { return v * 0x1p30 / 1e5 },
	} {
		row := make([]float32, Q8_0Block)
		for n := range row {
			row[n] = change(float32((n*n*1103+n*7919+5)%4001-2000) / 768)
		}
		require.Equal(t, scale+values, hex.EncodeToString(quantized(row...)))
	}
}

func TestDequantizeQ8Exhaustively(t *testing.T) {
	for bits := range 1 << 16 {
		scale := halfValue(uint16(bits))
		row := block(uint16(bits), -128, -127, -1, 0, 1, 2, 127)
		got := make([]float32, 7)
		DequantizeQ8_0(got, row)
		x := NewQ8_0(row, 7)
		for n, value := range []float64{-128, -127, -1, 0, 1, 2, 127} {
			want := scale * value
			if math.IsNaN(want) {
				require.True(t, math.IsNaN(float64(got[n])) && math.IsNaN(x.At(0, 0, 0, n)), "%#x", bits)
				continue
			}
			if float64(got[n]) != want || x.At(0, 0, 0, n) != want {
				t.Fatalf("scale %#x times %g reads as %g and %g, want %g", bits, value, got[n], x.At(0, 0, 0, n), want)
			}
		}
	}
}

// requireNear checks what QuantizeQ8_0 promises of its error.
func requireNear(t *testing.T, row []float32) {
	t.Helper()
	got := make([]float32, len(row))
	DequantizeQ8_0(got, quantized(row...))
	for first := 0; first < len(row); first += Q8_0Block {
		part := row[first:min(first+Q8_0Block, len(row))]
		var largest float64
		for _, x := range part {
			largest = math.Max(largest, math.Abs(float64(x))) // NaN if any is
		}
		for n, x := range part {
			back := float64(got[first+n])
			switch {
			case largest-largest != 0:
				require.True(t, math.IsNaN(back), "%v of %v", back, part)
				continue
			case largest >= 127*65519:
				continue // the scale may be infinite
			}
			d := largest / 127
			rounding := 127 * 3 * 0x1p-24 * d // of d, 1/d and x/d
			bound := d/2 + math.Max((math.Abs(float64(x))+d/2)*0x1p-11, 127*0x1p-25) + rounding
			if !(math.Abs(back-float64(x)) <= bound) {
				t.Fatalf("%g of %v came back as %g, further than %g", x, part, back, bound)
			}
		}
	}
}

func TestQ8Error(t *testing.T) {
	const up = 1 + 0x1p-11 + 0x1p-20 // a scale that rounds up by nearly half an ULP of binary16
	requireNear(t, []float32{127 * up, up / 2, -up / 2, 126.5 * up})
	random := rand.New(rand.NewPCG(8, 0))
	for range 3000 {
		row := make([]float32, 1+random.IntN(100))
		size := math.Exp2(float64(random.IntN(60) - 40))
		for n := range row {
			row[n] = float32(size * random.NormFloat64())
		}
		requireNear(t, row)
	}
}

func FuzzQuantizeQ8_0(f *testing.F) {
	f.Add([]byte("\x00\x00\x80\x3f\x00\x00\x80\x7f"), uint8(0))
	f.Add([]byte("\xff\xff\x7f\x7f\x01\x00\x00\x00\x00\x00\xc0\xff"), uint8(40))
	f.Fuzz(func(t *testing.T, data []byte, zeros uint8) {
		row := make([]float32, zeros)
		for ; len(data) >= 4; data = data[4:] {
			row = append(row, math.Float32frombits(uint32(data[0])|uint32(data[1])<<8|uint32(data[2])<<16|uint32(data[3])<<24))
		}
		requireNear(t, row)
	})
}
