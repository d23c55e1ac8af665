package cpu

// lanes is the number of rows that the tile products compute together.
const lanes = 4

// quad holds one number for each row of a panel. Panels of queries, scores and
// weights are slices of quads, one for each dim or key: the rows lie
// interleaved, so that the inner loops read them from one place.
//
// The products below are the only code whose speed matters much; a faster
// version for some processor replaces these four functions and nothing else.
// Rows beyond the panel's last one hold arbitrary numbers.
type quad [lanes]float32

// scoreTile computes the products of a panel of queries with a tile of keys:
//
//	scores[j][r] = Σ_d queries[d][r]·keys[j][d]
//
// Each sum runs over d in order in a single float32.
func scoreTile(scores, queries []quad, keys matrix) {
	j := 0
	for ; j+2 <= len(scores); j += 2 {
		scorePair(&scores[j], &scores[j+1], queries, keys.data[j*keys.ld:], keys.data[(j+1)*keys.ld:])
	}
	if j < len(scores) {
		var unused quad
		key := keys.data[j*keys.ld:]
		scorePair(&scores[j], &unused, queries, key, key)
	}
}

// scorePair handles two keys: eight sums, as many as the sixteen registers of
// amd64 hold along with the operands.
func scorePair(a, b *quad, queries []quad, keyA, keyB []float32) {
	keyA, keyB = keyA[:len(queries)], keyB[:len(queries)]
	var a0, a1, a2, a3, b0, b1, b2, b3 float32
	for d := range queries {
		q := &queries[d]
		x := keyA[d]
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
	*a, *b = quad{a0, a1, a2, a3}, quad{b0, b1, b2, b3}
}

// scoreRow is scoreTile for a panel of which only row 0 is wanted.
func scoreRow(scores, queries []quad, keys matrix) {
	last := len(scores) - 1
	for j := 0; j <= last; j += 4 { // beyond the last key the same one again, into the same place
		j1, j2, j3 := min(j+1, last), min(j+2, last), min(j+3, last)
		k0 := keys.data[j*keys.ld:][:len(queries)]
		k1 := keys.data[j1*keys.ld:][:len(queries)]
		k2 := keys.data[j2*keys.ld:][:len(queries)]
		k3 := keys.data[j3*keys.ld:][:len(queries)]
		var s0, s1, s2, s3 float32
		for d := range queries {
			q := queries[d][0]
			s0 += q * k0[d]
			s1 += q * k1[d]
			s2 += q * k2[d]
			s3 += q * k3[d]
		}
		scores[j][0], scores[j1][0], scores[j2][0], scores[j3][0] = s0, s1, s2, s3
	}
}

// valueTile adds a tile of weighted values to a panel of outputs, whose rows
// are width apart, after scaling what is there:
//
//	out[r·width+c] = out[r·width+c]·factor[r] + Σ_j weights[j][r]·values[j][c]
func valueTile(out []float32, width int, factor *quad, weights []quad, values matrix) {
	o0, o1, o2, o3 := out[:width], out[width:2*width], out[2*width:3*width], out[3*width:4*width]
	c := 0
	for ; c+2 <= width; c += 2 {
		a, b := valuePair(weights, values.data[c:], values.ld)
		o0[c], o0[c+1] = o0[c]*factor[0]+a[0], o0[c+1]*factor[0]+b[0]
		o1[c], o1[c+1] = o1[c]*factor[1]+a[1], o1[c+1]*factor[1]+b[1]
		o2[c], o2[c+1] = o2[c]*factor[2]+a[2], o2[c+1]*factor[2]+b[2]
		o3[c], o3[c+1] = o3[c]*factor[3]+a[3], o3[c+1]*factor[3]+b[3]
	}
	if c < width {
		var a quad
		for j := range weights {
			x := values.data[j*values.ld+c]
			for r := range a {
				a[r] += weights[j][r] * x
			}
		}
		o0[c], o1[c], o2[c], o3[c] = o0[c]*factor[0]+a[0], o1[c]*factor[1]+a[1], o2[c]*factor[2]+a[2], o3[c]*factor[3]+a[3]
	}
}

// valuePair sums two neighbouring columns.
func valuePair(weights []quad, column []float32, ld int) (quad, quad) {
	var a0, a1, a2, a3, b0, b1, b2, b3 float32
	at := 0
	for j := range weights {
		w := &weights[j]
		v := (*[2]float32)(column[at:])
		at += ld
		x := v[0]
		a0 += w[0] * x
		a1 += w[1] * x
		a2 += w[2] * x
		a3 += w[3] * x
		y := v[1]
		b0 += w[0] * y
		b1 += w[1] * y
		b2 += w[2] * y
		b3 += w[3] * y
	}
	return quad{a0, a1, a2, a3}, quad{b0, b1, b2, b3}
}

// valueRow is valueTile for a panel of which only row 0 is wanted.
func valueRow(out []float32, factor float32, weights []quad, values matrix) {
	c := 0
	for ; c+8 <= len(out); c += 8 {
		var s0, s1, s2, s3, s4, s5, s6, s7 float32
		at := c
		for j := range weights {
			w, v := weights[j][0], (*[8]float32)(values.data[at:])
			at += values.ld
			s0 += w * v[0]
			s1 += w * v[1]
			s2 += w * v[2]
			s3 += w * v[3]
			s4 += w * v[4]
			s5 += w * v[5]
			s6 += w * v[6]
			s7 += w * v[7]
		}
		for n, s := range [8]float32{s0, s1, s2, s3, s4, s5, s6, s7} {
			out[c+n] = out[c+n]*factor + s
		}
	}
	for ; c < len(out); c++ {
		var s float32
		for j := range weights {
			s += weights[j][0] * values.data[j*values.ld+c]
		}
		out[c] = out[c]*factor + s
	}
}

// valueTileGuarded is valueTile for values that hold Inf or NaN: weights that
// are masked (see weigh) are skipped, because 0·NaN is NaN. The rows are those
// of the panel, 1 to 4.
func valueTileGuarded(out []float32, width int, rows int, factor *quad, weights []quad, values matrix) {
	for r := range rows {
		o := out[r*width : (r+1)*width]
		for c := range o {
			o[c] *= factor[r]
		}
		for j := range weights {
			if isMasked(weights[j][r]) {
				continue
			}
			for c, v := range values.data[j*values.ld:][:width] {
				o[c] += weights[j][r] * v
			}
		}
	}
}
