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

// values generates the products of a panel of weights with packed values.
func (w isa) values() {
	name := "values" + w.suffix
	TEXT(name, NOSPLIT, "func(out, factor, weights, values *float32, first, keys, rows, sixes, fours, ones int)")
	Doc(name + " is valuesGo for this width.")
	Pragma("noescape")
	out, values := argument("out"), argument("values")
	factor, weights, keys := argument("factor"), argument("weights"), argument("keys")
	first, rows := argument("first"), argument("rows")
	for _, g := range groups {
		prefix := name + "_" + itoa(g.size)
		loop(prefix, argument(g.param), func() { w.valueGroup(prefix, g.size, out, factor, weights, values, first, keys, rows) })
	}
	VZEROUPPER()
	RET()
}

func (w isa) valueGroup(name string, size int, out, factor, weights, values, first, keys, rows reg.GPVirtual) {
	sums := w.accumulators(size)
	f0, f1 := w.vector(), w.vector()
	VMOVUPS(at(factor, 0), f0)
	VMOVUPS(at(factor, w.bytes), f1)
	for c, pair := range sums {
		VMULPS(at(out, 2*c*w.bytes), f0, pair[0])
		VMULPS(at(out, (2*c+1)*w.bytes), f1, pair[1])
	}
	p, v := GP64(), GP64()
	MOVQ(weights, p)
	IMUL3Q(U32(4*size), first, v)
	ADDQ(values, v)
	unrolled(name+"_keys", keys, func(n int) {
		a, b := w.vector(), w.vector()
		VMOVUPS(at(p, 2*n*w.bytes), a)
		VMOVUPS(at(p, (2*n+1)*w.bytes), b)
		for c, pair := range sums {
			value := w.vector()
			VBROADCASTSS(at(v, 4*(n*size+c)), value)
			VFMADD231PS(value, a, pair[0])
			VFMADD231PS(value, b, pair[1])
		}
	}, func(n int) {
		add(2*n*w.bytes, p)
		add(4*n*size, v)
	})
	IMUL3Q(U32(4*size), rows, v)
	ADDQ(v, values)
	for c, pair := range sums {
		VMOVUPS(pair[0], at(out, 2*c*w.bytes))
		VMOVUPS(pair[1], at(out, (2*c+1)*w.bytes))
	}
	add(2*size*w.bytes, out)
}
