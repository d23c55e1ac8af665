package kernel

import "math"

// widenGo is Set.Widen, for any number of numbers.
func widenGo(dst []float32, src []uint16, brain bool) {
	if brain {
		for n, bits := range src {
			dst[n] = math.Float32frombits(uint32(bits) << 16)
		}
		return
	}
	for n, bits := range src {
		dst[n] = fromFloat16(bits)
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

// vector reads 8 numbers of row j from column c on.
func (r *Rows) vector(j, c int) (v [8]float32) {
	at := j*r.Stride + c
	if r.Float32s != nil {
		return *(*[8]float32)(r.Float32s[at:])
	}
	widenGo(v[:], r.Uint16s[at:at+8], r.Brain)
	return v
}

// dotsGo is Set.Dots.
func dotsGo(rows int, scores []float32, lds int, queries []float32, ldq int, keys Rows, dim, count int, _ Rows) {
	var sums [4][4]float32 // four partial sums a row
	for j := range count {
		sums = [4][4]float32{}
		for d := 0; d < dim; d += 8 {
			k := keys.vector(j, d)
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
func mixGo(rows int, out []float32, ldo int, factor, weights []float32, ldw int, values Rows, width, count int, _ Rows) {
	for c := 0; c < width; c += 8 {
		for r := range rows {
			o, f := (*[8]float32)(out[r*ldo+c:]), factor[r]
			for n := range o {
				o[n] *= f
			}
		}
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
