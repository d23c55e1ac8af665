package kernel

import "math"

// portable is the set in plain Go, with panels as wide as those of AVX2.
var portable = Set{
	Name: "go", Lanes: goLanes, Width: 8, Rows: 4,
	scores: scoresGo, values: valuesGo, weigh: weighGo, weighRow: weighRowGo, scale: scaleGo, store: storeGo, fence: fenceGo, bias: biasGo, expand: expandGo, softcap: softcapGo,
	narrow: narrowGo, largest: largestGo, widen: widenGo, dots: dotsGo, mix: mixGo,
}

const goLanes = 16

// quad is four lanes of a panel, as many as plain Go keeps in registers.
type quad = [4]float32

// scoresGo is Set.Scores: four lanes of two keys at a time.
func scoresGo(scores, queries, keys []float32, ld, dim int, g groups) {
	n := 6*g.sixes + 4*g.fours + g.ones
	for lane := 0; lane < goLanes; lane += 4 {
		j := 0
		for ; j+2 <= n; j += 2 {
			a, b := scorePair(queries[lane:], keys[j*ld:][:dim], keys[(j+1)*ld:][:dim])
			*(*quad)(scores[j*goLanes+lane:]), *(*quad)(scores[(j+1)*goLanes+lane:]) = a, b
		}
		if j < n {
			key := keys[j*ld:][:dim]
			*(*quad)(scores[j*goLanes+lane:]), _ = scorePair(queries[lane:], key, key)
		}
	}
}

func scorePair(queries, keyA, keyB []float32) (quad, quad) {
	keyB = keyB[:len(keyA)]
	var a0, a1, a2, a3, b0, b1, b2, b3 float32
	at := 0
	for d, x := range keyA {
		q := (*quad)(queries[at:])
		at += goLanes
		a0 += q[0] * x
		a1 += q[1] * x
		a2 += q[2] * x
		a3 += q[3] * x
		y := keyB[d]
		b0 += q[0] * y
		b1 += q[1] * y
		b2 += q[2] * y
		b3 += q[3] * y
	}
	return quad{a0, a1, a2, a3}, quad{b0, b1, b2, b3}
}

// valuesGo is Set.Values: eight columns at a time, which stay in registers.
func valuesGo(out []float32, ldo int, factor, weights, values []float32, ldv, keys, width int, counts []int32) {
	for lane := range goLanes {
		if counts != nil {
			keys = int(counts[lane/4])
		}
		f := factor[lane]
		for c := 0; c < width; c += 8 {
			o := (*[8]float32)(out[lane*ldo+c:])
			o0, o1, o2, o3, o4, o5, o6, o7 := o[0]*f, o[1]*f, o[2]*f, o[3]*f, o[4]*f, o[5]*f, o[6]*f, o[7]*f
			for j := range keys {
				v, w := (*[8]float32)(values[j*ldv+c:]), weights[j*goLanes+lane]
				o0, o1, o2, o3 = o0+w*v[0], o1+w*v[1], o2+w*v[2], o3+w*v[3]
				o4, o5, o6, o7 = o4+w*v[4], o5+w*v[5], o6+w*v[6], o7+w*v[7]
			}
			*o = [8]float32{o0, o1, o2, o3, o4, o5, o6, o7}
		}
	}
}

var negativeInf = float32(math.Inf(-1))

// weighGo is Set.Weigh.
func weighGo(scores []float32, keys, _ int, top, factor, total []float32) (holes, odd uint32) {
	var base [goLanes]float32
	before := *(*[goLanes]float32)(top)
	for j := range keys {
		for lane, s := range (*[goLanes]float32)(scores[j*goLanes:]) {
			if s > top[lane] {
				top[lane] = s
			}
		}
	}
	for lane := range base {
		base[lane], factor[lane] = baseOf(top[lane], before[lane])
		total[lane] = 0
	}
	for j := range keys {
		row := (*[goLanes]float32)(scores[j*goLanes:])
		for lane, s := range row {
			w := weight(s, s-base[lane])
			row[lane] = w
			total[lane] += w
			holes |= math.Float32bits(w) >> 31
		}
	}
	for _, t := range total[:goLanes] {
		if t != t {
			odd = 1
		}
	}
	return holes, odd
}

// weighRowGo is Set.WeighRow.
func weighRowGo(scores []float32, top, factor, total []float32) (holes, odd uint32) {
	before := top[0]
	for _, s := range scores {
		if s > top[0] {
			top[0] = s
		}
	}
	var base, sum float32
	base, factor[0] = baseOf(top[0], before)
	for j, s := range scores {
		w := weight(s, s-base)
		scores[j] = w
		sum += w
		holes |= math.Float32bits(w) >> 31
	}
	total[0] = sum
	if sum != sum {
		odd = 1
	}
	return holes, odd
}

// baseOf returns what scores under the maximum top are taken relative to, and
// the factor of what was summed under the maximum before.
func baseOf(top, before float32) (base, factor float32) {
	if top != negativeInf { // else every difference is −Inf − 0
		base = top
	}
	factor = weight(0, before-base)
	return base, factor
}

// weight returns eˣ by x = n·ln2 + r, eˣ = 2ⁿ·eʳ (Cody and Waite's reduction),
// and −0 for a score s of −Inf.
func weight(s, x float32) float32 {
	if x < expSubnormal { // the kernels give no subnormal weights
		if s == negativeInf {
			return math.Float32frombits(1 << 31)
		}
		return 0
	}
	biased := x*log2e + roundBias
	n := biased - roundBias
	r := (x - n*ln2High) - n*ln2Low
	p := 1 + (r + r*r*(exp2c+r*(exp3c+r*(exp4c+r*(exp5c+r*exp6c)))))
	return p * math.Float32frombits(math.Float32bits(biased)<<23+127<<23)
}

// fenceGo is Set.Fence.
func fenceGo(scores []float32, first, keys int, low, high []int32) {
	for j := range keys {
		row, key := (*[goLanes]float32)(scores[j*goLanes:]), int32(first+j)
		for lane := range row {
			if key < low[lane] || key >= high[lane] {
				row[lane] = negativeInf
			}
		}
	}
}

// scaleGo is Set.Scale.
func scaleGo(rows []float32, ld int, factor []float32, width int) {
	for r, f := range factor {
		line := rows[r*ld:][:width]
		for c := range line {
			line[c] *= f
		}
	}
}

// storeGo is Set.Store.
func storeGo(dst []float32, ldd int, src []float32, lds int, factor []float32, width int) {
	for r, f := range factor {
		to := dst[r*ldd:][:width]
		for c, x := range src[r*lds:][:width] {
			to[c] = x * f
		}
	}
}
