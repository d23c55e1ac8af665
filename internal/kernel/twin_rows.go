package kernel

import (
	"encoding/binary"
	"math"

	"github.com/x448/float16"
)

// widenGo is Set.Widen of row 0, for any number of numbers.
func widenGo(dst []float32, row Rows) {
	switch {
	case row.Blocks != nil:
		for n := range dst {
			block := row.Blocks[n/Block*BlockBytes:]
			dst[n] = fromFloat16(binary.LittleEndian.Uint16(block)) * float32(int8(block[2+n%Block]))
		}
	case row.Brain:
		for n := range dst {
			dst[n] = math.Float32frombits(uint32(row.Uint16s[n]) << 16)
		}
	default:
		for n := range dst {
			dst[n] = fromFloat16(row.Uint16s[n])
		}
	}
}

// fromFloat16 widens binary16: with the exponent and fraction moved in place,
// the bias of the exponent is off by 112, which one exact multiplication mends
// for normal and subnormal numbers alike.
func fromFloat16(bits uint16) float32 {
	const infinite = 0x7c00
	moved := uint32(bits&0x7fff) << 13
	if bits&infinite == infinite {
		moved |= 0x7f800000
	} else {
		moved = math.Float32bits(math.Float32frombits(moved) * 0x1p112)
	}
	return math.Float32frombits(moved | uint32(bits&0x8000)<<16)
}

// narrowGo is Set.Narrow, for any number of numbers.
func narrowGo(dst []uint16, src []float32, brain bool) {
	if brain {
		for n, x := range src {
			bits := math.Float32bits(x)
			if x != x {
				dst[n] = uint16(bits>>16) | 0x40
			} else {
				dst[n] = uint16((bits + 0x7fff + bits>>16&1) >> 16)
			}
		}
		return
	}
	for n, x := range src {
		dst[n] = float16.Fromfloat32(x).Bits()
	}
}

// largestGo is the greatest magnitude of the first width numbers of count rows, as
// the bits of a float32.
func largestGo(rows Rows, width, count int) (most uint32) {
	for j := range count {
		for c := 0; c < width; c += 8 {
			for _, x := range rows.vector(j, c) {
				most = max(most, math.Float32bits(x)&^(1<<31))
			}
		}
	}
	return most
}

// vector reads 8 numbers of row j from column c on, which is a multiple of 8.
func (r *Rows) vector(j, c int) (v [8]float32) {
	at := j*r.Stride + c
	switch {
	case r.Float32s != nil:
		return *(*[8]float32)(r.Float32s[at:])
	case r.Blocks == nil:
		widenGo(v[:], Rows{Uint16s: r.Uint16s[at : at+8], Brain: r.Brain})
		return v
	}
	block := (*[BlockBytes]byte)(r.Blocks[at/Block*BlockBytes:])
	scale, numbers := fromFloat16(binary.LittleEndian.Uint16(block[:])), block[2+at%Block:][:8]
	for n, x := range numbers {
		v[n] = scale * float32(int8(x))
	}
	return v
}

// dotsGo is Set.Dots.
func dotsGo(rows int, scores []float32, lds int, queries []float32, ldq int, keys Rows, dim, count int) {
	var sums [4][4]float32 // four partial sums a row
	for j := range count {
		sums = [4][4]float32{}
		for d := 0; d < dim; d += 8 {
			k := keys.vector(j, d)
			clear(k[min(8, dim-d):])
			for r := range rows {
				q, s := (*[8]float32)(queries[r*ldq+d:]), &sums[r]
				s[0] += q[0]*k[0] + q[4]*k[4]
				s[1] += q[1]*k[1] + q[5]*k[5]
				s[2] += q[2]*k[2] + q[6]*k[6]
				s[3] += q[3]*k[3] + q[7]*k[7]
			}
		}
		for r := range rows {
			s := &sums[r]
			scores[r*lds+j] = (s[0] + s[1]) + (s[2] + s[3])
		}
	}
}

// mixGo is Set.Mix.
func mixGo(rows int, out []float32, ldo int, weights []float32, ldw int, values Rows, width, count int) {
	for c := 0; c < width; c += 8 {
		for j := range count {
			v := values.vector(j, c)
			for r := range rows {
				o, w := (*[8]float32)(out[r*ldo+c:]), weights[r*ldw+j]
				o[0] += w * v[0]
				o[1] += w * v[1]
				o[2] += w * v[2]
				o[3] += w * v[3]
				o[4] += w * v[4]
				o[5] += w * v[5]
				o[6] += w * v[6]
				o[7] += w * v[7]
			}
		}
	}
}
