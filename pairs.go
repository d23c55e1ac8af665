package attention

// Pairs returns the number of allowed (query, key) pairs over all batch entries
// and query heads, counted exactly from the mask. Biases are not looked at.
func (c *Call) Pairs() int64 {
	p := c.Problem
	var total int64
	for b := range p.Batch {
		if !p.Masked { // without a boolean mask all heads are alike
			total += int64(p.Heads) * c.Mask(b, 0).pairs(p.QueryLen)
			continue
		}
		for h := range p.Heads {
			total += c.Mask(b, h).pairs(p.QueryLen)
		}
	}
	return total
}

// FLOPs returns the floating-point operations of a forward call with the given
// number of allowed pairs: 2·(D+Dv) for each.
func (p Problem) FLOPs(pairs int64) int64 { return 2 * int64(p.Dim+p.ValueDim) * pairs }

// Bytes returns the bytes a call must move at least: Q, K, V, O and the
// log-sum-exp once each. Masks and biases are not counted.
func (p Problem) Bytes() int64 {
	rows := int64(p.Batch) * int64(p.Heads) * int64(p.QueryLen)
	keys := int64(p.Batch) * int64(p.KVHeads) * int64(p.KeyLen)
	n := rows*int64(p.Q.Bytes(p.Dim)+p.O.Bytes(p.ValueDim)) + keys*int64(p.K.Bytes(p.Dim)+p.V.Bytes(p.ValueDim))
	if p.LSE {
		n += rows * 4
	}
	return n
}

func (m Mask) pairs(queries int) int64 {
	var n int64
	for i := range queries {
		j0, j1 := m.KeyRange(i, i+1)
		if !m.bools.Present() {
			n += int64(j1 - j0)
			continue
		}
		for j := j0; j < j1; j++ {
			if m.keepBool(i, j) {
				n++
			}
		}
	}
	return n
}
