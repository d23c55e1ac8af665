package kernel

import "math"

// portable is the set in plain Go, with panels as wide as those of AVX2.
var portable = Set{
	Name: "go", Lanes: goLanes, Width: 8,
	scores: scoresGo, values: valuesGo, weigh: weighGo, weighRow: weighRowGo, pack: packGo, widen: widenGo, dots: dotsGo, mix: mixGo,
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

// valuesGo is Set.Values: four lanes of two columns at a time.
func valuesGo(out, factor, weights, values []float32, from, keys, rows int, g groups) {
	g.each(func(first, size int) {
		packed := values[first*rows+from*size:][:size*keys]
		for c := 0; c < size; c += 2 {
			for lane := 0; lane < goLanes; lane += 4 {
				f := (*quad)(factor[lane:])
				a, b := valuePair(weights, packed, lane, c, size, keys)
				addTo((*quad)(out[(first+c)*goLanes+lane:]), f, a)
				if c+1 < size {
					addTo((*quad)(out[(first+c+1)*goLanes+lane:]), f, b)
				}
			}
		}
	})
}

func addTo(out, factor *quad, more quad) {
	for n := range out {
		out[n] = out[n]*factor[n] + more[n]
	}
}

func valuePair(weights, column []float32, lane, c, size, keys int) (quad, quad) {
	var a0, a1, a2, a3, b0, b1, b2, b3 float32
	if keys == 0 {
		return quad{}, quad{}
	}
	next := min(1, size-1-c)
	weights, column = weights[lane:], column[c:]
	for j := range keys {
		w := (*quad)(weights[j*goLanes:])
		x, y := column[j*size], column[j*size+next]
		a0 += w[0] * x
		a1 += w[1] * x
		a2 += w[2] * x
		a3 += w[3] * x
		b0 += w[0] * y
		b1 += w[1] * y
		b2 += w[2] * y
		b3 += w[3] * y
	}
	return quad{a0, a1, a2, a3}, quad{b0, b1, b2, b3}
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

// packGo is Set.Pack.
func packGo(dst, src []float32, ld, rows int, g groups) {
	g.each(func(first, size int) {
		to := dst[first*rows:][:size*rows]
		for j := range rows {
			copy(to[j*size:(j+1)*size], src[j*ld+first:])
		}
	})
}
