package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// groups are the widths that keys and output columns are taken in: twelve
// accumulators hide the latency of multiply-adds, eight nearly do.
var groups = []struct {
	size  int
	param string
}{{6, "sixes"}, {4, "fours"}, {1, "ones"}}

// scores generates the products of a panel of queries with keys in place.
func (w isa) scores() {
	name := "scores" + w.suffix
	TEXT(name, NOSPLIT, "func(scores, queries, keys *float32, ld, dim, sixes, fours, ones int)")
	Doc(name + " is scoresGo for this width.")
	Pragma("noescape")
	out, keys := argument("scores"), argument("keys")
	queries, dim := argument("queries"), argument("dim")
	ld := argument("ld")
	SHLQ(Imm(2), ld) // bytes
	for _, g := range groups {
		prefix := name + "_" + itoa(g.size)
		loop(prefix, argument(g.param), func() { w.scoreGroup(prefix, g.size, out, queries, keys, ld, dim) })
	}
	VZEROUPPER()
	RET()
}

func (w isa) scoreGroup(name string, size int, out, queries, keys, ld, dim reg.GPVirtual) {
	sums := w.accumulators(size)
	for _, pair := range sums {
		w.clear(pair[0])
		w.clear(pair[1])
	}
	near, far, q := GP64(), GP64(), GP64()
	MOVQ(keys, near)
	MOVQ(queries, q)
	if size > 3 {
		LEAQ(Mem{Base: keys, Index: ld, Scale: 2}, far)
		ADDQ(ld, far)
	}
	row := func(n, disp int) Mem { // of the keys: two pointers and three offsets reach six rows
		base := near
		if n >= 3 {
			base = far
		}
		m := Mem{Base: base, Disp: disp}
		if n%3 > 0 {
			m.Index, m.Scale = ld, uint8(n%3)
		}
		return m
	}
	// The next group's keys usually lie behind this one's, in the second-level cache.
	next := GP64()
	LEAQ(Mem{Base: keys, Index: ld, Scale: 4}, next)
	if size == 6 {
		LEAQ(Mem{Base: next, Index: ld, Scale: 2}, next)
	}
	unrolled(name+"_dim", dim, func(n int) {
		if size > 1 && n%2 == 0 && n/2*64 < 16*size {
			PREFETCHT0(at(next, n/2*64))
		}
		a, b := w.vector(), w.vector()
		VMOVUPS(at(q, 2*n*w.bytes), a)
		VMOVUPS(at(q, (2*n+1)*w.bytes), b)
		for c, pair := range sums {
			key := w.vector()
			VBROADCASTSS(row(c, 4*n), key)
			VFMADD231PS(key, a, pair[0])
			VFMADD231PS(key, b, pair[1])
		}
	}, func(n int) {
		add(2*n*w.bytes, q)
		add(4*n, near)
		add(4*n*size, next)
		if size > 3 {
			add(4*n, far)
		}
	})
	for c, pair := range sums {
		VMOVUPS(pair[0], at(out, 2*c*w.bytes))
		VMOVUPS(pair[1], at(out, (2*c+1)*w.bytes))
	}
	add(2*size*w.bytes, out)
	for range size {
		ADDQ(ld, keys)
	}
}

func (w isa) accumulators(size int) [][2]reg.VecVirtual {
	sums := make([][2]reg.VecVirtual, size)
	for n := range sums {
		sums[n] = [2]reg.VecVirtual{w.vector(), w.vector()}
	}
	return sums
}

// blocks are the shapes, rows by vectors of columns, that values takes an output
// in, widest first. The sums of a block hide the latency of multiply-adds, and
// with the values and one weight they fit the registers.
func (w isa) blocks() [][2]int {
	if w.wide() {
		return [][2]int{{4, 4}, {8, 2}, {16, 1}}
	}
	return [][2]int{{4, 3}, {4, 2}, {8, 1}}
}

// perCount is the rows for which there is a number in counts. Blocks of other sizes
// take all keys.
const perCount = 4

// values generates the products of a panel of weights with values in place.
func (w isa) values() {
	name := "values" + w.suffix
	TEXT(name, NOSPLIT, "func(out *float32, ldo int, factor, weights, values *float32, ldv, keys, vectors int, counts *int32)")
	Doc(name + " is valuesGo for this width; vectors counts groups of " + itoa(w.lanes()) + " columns.")
	Pragma("noescape")
	out, ldo := argument("out"), argument("ldo")
	values, ldv := argument("values"), argument("ldv")
	keys, vectors := argument("keys"), argument("vectors")
	SHLQ(Imm(2), ldo)
	SHLQ(Imm(2), ldv)
	for _, b := range w.blocks() {
		rows, columns := b[0], b[1]
		prefix := name + "_" + itoa(columns)
		Label(prefix + "_more")
		CMPQ(vectors, Imm(uint64(columns)))
		JLT(LabelRef(prefix + "_done"))
		o, weights, factor, left := GP64(), argument("weights"), argument("factor"), GP64()
		MOVQ(out, o)
		MOVQ(U32(2*w.lanes()/rows), left)
		counts := argument("counts")
		loop(prefix+"_rows", left, func() {
			count := GP64()
			MOVQ(keys, count)
			if rows == perCount {
				TESTQ(counts, counts)
				JEQ(LabelRef(prefix + "_all"))
				MOVLQSX(at(counts, 0), count)
				add(4, counts)
				Label(prefix + "_all")
			}
			w.valueBlock(prefix, rows, columns, o, ldo, factor, weights, values, ldv, count)
			add(4*rows, weights)
			add(4*rows, factor)
		})
		add(columns*w.bytes, out)
		add(columns*w.bytes, values)
		SUBQ(Imm(uint64(columns)), vectors)
		JMP(LabelRef(prefix + "_more"))
		Label(prefix + "_done")
	}
	VZEROUPPER()
	RET()
}

// valueBlock leaves o at the next row.
func (w isa) valueBlock(name string, rows, columns int, o, ldo, factor, weights, values, ldv, keys reg.GPVirtual) {
	sums := make([][]reg.VecVirtual, rows)
	from := GP64()
	MOVQ(o, from)
	for r := range sums {
		f := w.vector()
		VBROADCASTSS(at(factor, 4*r), f)
		for c := range columns {
			sum := w.vector()
			VMULPS(at(from, c*w.bytes), f, sum)
			sums[r] = append(sums[r], sum)
		}
		ADDQ(ldo, from)
	}
	p, v := GP64(), GP64()
	MOVQ(weights, p)
	MOVQ(values, v)
	unrolled(name+"_keys", keys, func(n int) {
		value := w.vectors(columns)
		for c := range value {
			VMOVUPS(at(v, c*w.bytes), value[c])
		}
		for r := range sums {
			weight := w.vector()
			VBROADCASTSS(at(p, 2*n*w.bytes+4*r), weight)
			for c := range value {
				VFMADD231PS(value[c], weight, sums[r][c])
			}
		}
		ADDQ(ldv, v)
	}, func(n int) { add(2*n*w.bytes, p) })
	for r := range sums {
		for c := range sums[r] {
			VMOVUPS(sums[r][c], at(o, c*w.bytes))
		}
		ADDQ(ldo, o)
	}
}
