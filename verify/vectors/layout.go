package vectors

import "fmt"

// splitHeads turns [B, L, N·D] into [B, N, L, D].
func splitHeads(name string, a array, heads int) (array, error) {
	batch, length, width := a.shape[0], a.shape[1], a.shape[2]
	if width%heads != 0 {
		return array{}, fmt.Errorf("%s: width %d is no multiple of %d heads", name, width, heads)
	}
	dim := width / heads
	return make4(a.dtype, [4]int{batch, heads, length, dim}, func(b, h, i, d int) float64 {
		return a.values[(b*length+i)*width+h*dim+d]
	}), nil
}

// columns returns [B, L, from:to] of an array [B, L, W].
func columns(a array, from, to int) array {
	c := array{dtype: a.dtype, shape: []int{a.shape[0], a.shape[1], to - from}}
	for row := range a.shape[0] * a.shape[1] {
		c.values = append(c.values, a.values[row*a.shape[2]+from:row*a.shape[2]+to]...)
	}
	return c
}

// packed returns part p of a projection [B, L, N, parts, D] as [B, N, L, D].
func packed(a array, p int) array {
	length, heads, parts, dim := a.shape[1], a.shape[2], a.shape[3], a.shape[4]
	return make4(a.dtype, [4]int{a.shape[0], heads, length, dim}, func(b, h, i, d int) float64 {
		return a.values[(((b*length+i)*heads+h)*parts+p)*dim+d]
	})
}

// half returns one half of a stacked cache [2, B, N, P, D] as [B, N, P, D].
func half(a array, index int) array {
	n := len(a.values) / 2
	return array{dtype: a.dtype, shape: a.shape[1:], values: a.values[index*n : (index+1)*n]}
}

// stack joins two equal arrays [B, N, T, D] to [2, B, N, T, D].
func stack(keys, values array) array {
	shape := append([]int{2}, keys.shape...)
	return array{dtype: keys.dtype, shape: shape, values: append(append([]float64{}, keys.values...), values.values...)}
}

// addBias adds vector[h·D+d] to each element of [B, N, L, D], rounding to the
// storage type as the operators do.
func addBias(a array, vector []float64) array {
	dim := a.shape[3]
	shape := [4]int{a.shape[0], a.shape[1], a.shape[2], dim}
	return make4(a.dtype, shape, func(b, h, i, d int) float64 { return a.at(b, h, i, d) + vector[h*dim+d] }).rounded()
}

// join returns past and fresh, [B, N, ·, D] each, one after the other along the
// sequence.
func join(name string, past, fresh array) (array, error) {
	if err := past.expect("past of "+name, fresh.shape[0], fresh.shape[1], -1, fresh.shape[3]); err != nil {
		return array{}, err
	}
	n := past.shape[2]
	shape := [4]int{fresh.shape[0], fresh.shape[1], n + fresh.shape[2], fresh.shape[3]}
	return make4(fresh.dtype, shape, func(b, h, i, d int) float64 {
		if i < n {
			return past.at(b, h, i, d)
		}
		return fresh.at(b, h, i-n, d)
	}), nil
}

// overwrite returns a buffer of rows positions in which entry b holds its first
// filled[b] positions of past followed by fresh. Positions past neither are 0.
func overwrite(name string, past, fresh array, filled []int, rows int) (array, error) {
	if err := past.expect("past of "+name, fresh.shape[0], fresh.shape[1], -1, fresh.shape[3]); err != nil {
		return array{}, err
	}
	for b, n := range filled {
		if n < 0 || n > past.shape[2] || n+fresh.shape[2] > rows {
			return array{}, fmt.Errorf("batch %d has %d cached and %d new positions of %s, the cache has %d and the buffer %d",
				b, n, fresh.shape[2], name, past.shape[2], rows)
		}
	}
	return make4(fresh.dtype, [4]int{fresh.shape[0], fresh.shape[1], rows, fresh.shape[3]}, func(b, h, i, d int) float64 {
		switch n := i - filled[b]; {
		case n >= 0 && n < fresh.shape[2]:
			return fresh.at(b, h, n, d)
		case i < past.shape[2]:
			return past.at(b, h, i, d)
		}
		return 0
	}), nil
}

// exchanged returns [B, L, H, D] for [B, H, L, D] and the other way round.
func exchanged(a array) array {
	shape := [4]int{a.shape[0], a.shape[2], a.shape[1], a.shape[3]}
	return make4(a.dtype, shape, func(b, i, h, d int) float64 { return a.at(b, h, i, d) })
}

// project returns x·w + bias for x [B, L, n] and w [n, m], summed in float64 and
// rounded to the storage type. An empty bias adds nothing.
func project(x, w array, bias []float64) array {
	inner, width := w.shape[0], w.shape[1]
	y := array{dtype: x.dtype, shape: []int{x.shape[0], x.shape[1], width}}
	for row := range x.shape[0] * x.shape[1] {
		for col := range width {
			total := 0.0
			for n := range inner {
				total += x.values[row*inner+n] * w.values[n*width+col]
			}
			if len(bias) > 0 {
				total += bias[col]
			}
			y.values = append(y.values, total)
		}
	}
	return y.rounded()
}
