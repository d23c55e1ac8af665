package main

// A panel has 16 lanes, which fill quads vectors.
const (
	lanes = 16
	quads = lanes / 4
)

// scores generates the products of a panel of queries with keys in place. Four keys by
// 16 lanes are 16 sums, which hide the latency of multiply-adds.
func (p *program) scores() {
	f := p.function("scores", "is scoresGo.", "scores, queries, keys *float32, ld, dim, sixes, fours, ones int", "")
	out, queries, keys := f.argument("scores"), f.argument("queries"), f.argument("keys")
	ld, dim, count := f.argument("ld"), f.argument("dim"), f.argument("ones")
	f.shift(2, ld)   // bytes
	f.scope(func() { // what is computed side by side here is not groups of six
		f.line("ADD %v<<2, %v", f.argument("fours"), count)
		sixes := f.argument("sixes")
		f.line("ADD %v<<2, %v", sixes, count)
		f.line("ADD %v<<1, %v", sixes, count)
	})
	for _, size := range []int{4, 2, 1} {
		f.groups("keys", count, size, func() {
			f.scoreGroup(size, out, queries, keys, ld, dim)
			for range size {
				f.addReg(ld, keys)
			}
		})
	}
	f.end()
}

// scoreGroup takes four dims of each key at once, which are then lanes to multiply by.
func (f *function) scoreGroup(size int, out, queries, keys, ld, dim reg) {
	sums := f.grid(size, quads)
	for _, list := range sums {
		f.clear(list...)
	}
	q, rows := f.copy(queries), f.rows(keys, ld, size)
	ahead := f.sum(rows[size-1], ld) // the next group's keys usually lie behind this one's
	key, query := f.vectors(size), f.grid(2, quads)
	multiply := func(d int) { // query vectors alternate, for processors that keep the order of instructions
		f.loadAll(query[d%2], next(q))
		for r := range sums {
			for c := range sums[r] {
				f.fmlaElem(sums[r][c], query[d%2][c], key[r], d)
			}
		}
	}
	fours, rest := f.split(dim)
	f.loop("dims", fours, func() {
		for r := range key {
			f.load(key[r], next(rows[r]))
		}
		f.prefetch(ahead, 0)
		f.add(16*size, ahead)
		for d := range 4 {
			multiply(d)
		}
	})
	f.loop("rest", rest, func() {
		for r := range key {
			f.loadNumber(key[r], next(rows[r]))
		}
		multiply(0)
	})
	for r := range sums {
		f.storeAll(sums[r], next(out))
	}
}

// perCount is the rows for which there is a number in counts. Blocks of other sizes
// take all keys.
const perCount = 4

// values generates the products of a panel of weights with values in place. Outputs are
// taken in blocks of 4 rows by 16 columns, or 8 by 8, of 16 sums.
func (p *program) values() {
	f := p.function("values", "is valuesGo; vectors counts groups of 8 columns.",
		"out *float32, ldo int, factor, weights, values *float32, ldv, keys, vectors int, counts *int32", "")
	out, ldo, values, ldv := f.argument("out"), f.argument("ldo"), f.argument("values"), f.argument("ldv")
	keys, vectors := f.argument("keys"), f.argument("vectors")
	f.shift(2, ldo)
	f.shift(2, ldv)
	for _, block := range []struct{ rows, columns int }{{4, 4}, {8, 2}} {
		f.groups("columns", vectors, block.columns/2, func() {
			o, weights, factor := f.copy(out), f.argument("weights"), f.argument("factor")
			left, count, counts := f.constant(lanes/block.rows), f.copy(keys), f.argument("counts")
			f.loop("rows", left, func() {
				if block.rows == perCount {
					f.unlessZero("all", counts, func() { f.line("MOVW.P 4(%v), %v", counts, count) })
				}
				f.valueBlock(block.rows, block.columns, o, ldo, factor, weights, values, ldv, count)
				f.add(4*block.rows, weights)
			})
			f.add(16*block.columns, out)
			f.add(16*block.columns, values)
		})
	}
	f.end()
}

// valueBlock leaves o and factor at the next row. A vector of weights is those of four
// rows, one lane each.
func (f *function) valueBlock(rows, columns int, o, ldo, factor, weights, values, ldv, keys reg) {
	sums, from := f.grid(rows, columns), f.copy(o)
	weight, value := f.grid(2, rows/4), f.grid(2, columns)
	for n := range weight[0] {
		f.load(weight[0][n], next(factor))
	}
	for r := range sums {
		f.loadAll(sums[r], at(from, 0))
		f.addReg(ldo, from)
		for c := range sums[r] {
			f.fmulElem(sums[r][c], sums[r][c], weight[0][r/4], r%4)
		}
	}
	w, v := f.copy(weights), f.copy(values)
	key := func(n int) {
		for k := range weight[n] {
			f.load(weight[n][k], at(w, 16*k))
		}
		f.loadAll(value[n], at(v, 0))
		f.add(4*lanes, w)
		f.addReg(ldv, v)
		for r := range sums {
			for c := range sums[r] {
				f.fmlaElem(sums[r][c], value[n][c], weight[n][r/4], r%4)
			}
		}
	}
	pairs, rest := f.register(), f.register()
	f.line("LSR $1, %v, %v", keys, pairs)
	f.line("AND $1, %v, %v", keys, rest)
	f.loop("pairs", pairs, func() {
		key(0)
		key(1)
	})
	f.loop("rest", rest, func() { key(0) })
	for r := range sums {
		f.storeAll(sums[r], at(o, 0))
		f.addReg(ldo, o)
	}
}
