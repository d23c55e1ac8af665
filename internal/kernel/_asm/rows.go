package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// storage is how keys and values lie in memory.
type storage struct {
	name string
	size int
}

var storages = []storage{{"F32", 4}, {"F16", 2}, {"BF16", 2}}

// load widens one vector of numbers.
func (w isa) load(from storage, m Mem, to reg.VecVirtual) {
	switch from.name {
	case "F32":
		VMOVUPS(m, to)
	case "F16":
		VCVTPH2PS(m, to)
	case "BF16":
		VPMOVZXWD(m, to)
		VPSLLD(Imm(16), to, to)
	}
}

func (w isa) lanes() int { return w.bytes / 4 }

// log2 of the lanes.
func (w isa) shift() uint64 {
	if w.wide() {
		return 4
	}
	return 3
}

// widen generates the conversion of whole vectors.
func (w isa) widen(from storage) {
	if from.size == 4 {
		return
	}
	name := "widen" + from.name + w.suffix
	TEXT(name, NOSPLIT, "func(dst *float32, src *uint16, vectors int)")
	Doc(name + " widens groups of " + itoa(w.lanes()) + " numbers.")
	Pragma("noescape")
	dst, src := argument("dst"), argument("src")
	loop(name, argument("vectors"), func() {
		v := w.vector()
		w.load(from, at(src, 0), v)
		VMOVUPS(v, at(dst, 0))
		add(w.bytes, dst)
		add(from.size*w.lanes(), src)
	})
	VZEROUPPER()
	RET()
}

// keysAtOnce is how many keys the dot products of so many rows take together.
func keysAtOnce(rows int) int { return map[int]int{1: 4, 2: 4, 4: 2}[rows] }

// dots generates dot products of rows rows of queries with keys in place.
func (w isa) dots(from storage, rows int) {
	name := "dots" + from.name + "x" + itoa(rows) + w.suffix
	TEXT(name, NOSPLIT, "func(scores *float32, lds int, queries *float32, ldq int, keys *byte, ldk, vectors, count int, next *byte)")
	Doc(name + " is dotsGo for " + itoa(rows) + " rows; vectors counts groups of " + itoa(w.lanes()) + " dims.")
	Pragma("noescape")
	scores, lds := argument("scores"), argument("lds")
	queries, ldq := argument("queries"), argument("ldq")
	keys, ldk := argument("keys"), argument("ldk")
	vectors, count, next := argument("vectors"), argument("count"), argument("next")
	SHLQ(Imm(2), lds)
	SHLQ(Imm(2), ldq)
	most := keysAtOnce(rows)
	if from.size == 4 {
		SHLQ(Imm(2), ldk)
	} else {
		SHLQ(Imm(1), ldk)
	}
	for _, size := range []int{most, 1} {
		prefix := name + "_" + itoa(size)
		Label(prefix + "_more")
		CMPQ(count, Imm(uint64(size)))
		JLT(LabelRef(prefix + "_done"))
		w.dotGroup(prefix, from, rows, size, scores, lds, queries, ldq, keys, ldk, vectors, next)
		add(4*size, scores)
		for range size {
			ADDQ(ldk, keys)
		}
		SUBQ(Imm(uint64(size)), count)
		JMP(LabelRef(prefix + "_more"))
		Label(prefix + "_done")
	}
	VZEROUPPER()
	RET()
}

// strided returns the address of row n, 0 to 3, given base + 3·ld for the last.
func strided(base, third, ld reg.GPVirtual, n, disp int) Mem {
	m := Mem{Base: base, Disp: disp}
	switch n {
	case 1, 2:
		m.Index, m.Scale = ld, uint8(n)
	case 3:
		m.Base = third
	}
	return m
}

func (w isa) dotGroup(name string, from storage, rows, size int, scores, lds, queries, ldq, keys, ldk, vectors, next reg.GPVirtual) {
	sums := make([][]reg.VecVirtual, rows)
	for r := range sums {
		for range size {
			sums[r] = append(sums[r], w.zero())
		}
	}
	k, k3, q, q3, count := GP64(), GP64(), GP64(), GP64(), GP64()
	MOVQ(keys, k)
	MOVQ(queries, q)
	MOVQ(vectors, count)
	if size > 3 {
		LEAQ(Mem{Base: k, Index: ldk, Scale: 2}, k3)
		ADDQ(ldk, k3)
	}
	if rows > 3 {
		LEAQ(Mem{Base: q, Index: ldq, Scale: 2}, q3)
		ADDQ(ldq, q3)
	}
	loop(name+"_dim", count, func() {
		key := make([]reg.VecVirtual, size)
		for c := range key {
			key[c] = w.vector()
			w.load(from, strided(k, k3, ldk, c, 0), key[c])
		}
		prefetch(next, size*from.size*w.lanes())
		for r := range sums {
			query := w.vector()
			VMOVUPS(strided(q, q3, ldq, r, 0), query)
			for c := range key {
				VFMADD231PS(key[c], query, sums[r][c])
			}
		}
		step := from.size * w.lanes()
		add(step, k)
		if size > 3 {
			add(step, k3)
		}
		add(w.bytes, q)
		if rows > 3 {
			add(w.bytes, q3)
		}
	})
	to := GP64()
	MOVQ(scores, to)
	for r := range sums {
		w.sumLanes(sums[r], to)
		if r < rows-1 {
			ADDQ(lds, to)
		}
	}
}

// prefetch asks for what is read after the loop, as many bytes as are read now:
// the memory is then busy all the time with what comes next, in order.
func prefetch(next reg.GPVirtual, bytes int) {
	for line := 0; line < bytes; line += 64 {
		PREFETCHT0(at(next, line))
	}
	add(bytes, next)
}

// sumLanes stores the sum of the lanes of each vector, one after another.
func (w isa) sumLanes(v []reg.VecVirtual, to reg.GPVirtual) {
	if w.wide() {
		for n := range v {
			half := YMM()
			VEXTRACTF64X4(Imm(1), v[n], half)
			VADDPS(half, v[n].AsY(), v[n].AsY())
		}
	}
	y := func(n int) reg.Register { return v[n].AsY() }
	low, high := XMM(), XMM()
	fold := func(n int) {
		VEXTRACTF128(Imm(1), y(n), high)
		VADDPS(high, v[n].AsX(), low)
	}
	switch len(v) {
	case 4:
		VHADDPS(y(1), y(0), y(0))
		VHADDPS(y(3), y(2), y(2))
		VHADDPS(y(2), y(0), y(0))
		fold(0)
		VMOVUPS(low, at(to, 0))
	case 2:
		VHADDPS(y(1), y(0), y(0))
		VHADDPS(y(0), y(0), y(0))
		fold(0)
		VMOVLPS(low, at(to, 0))
	case 1:
		VHADDPS(y(0), y(0), y(0))
		VHADDPS(y(0), y(0), y(0))
		fold(0)
		VMOVSS(low, at(to, 0))
	}
}

// vectorsAtOnce is how many vectors of columns the sums of so many rows take together.
func vectorsAtOnce(rows int) int { return map[int]int{1: 8, 2: 4, 4: 2}[rows] }

// mix generates sums of values in place, weighted by rows rows of weights.
func (w isa) mix(from storage, rows int) {
	name := "mix" + from.name + "x" + itoa(rows) + w.suffix
	TEXT(name, NOSPLIT, "func(out *float32, ldo int, factor, weights *float32, ldw int, values *byte, ldv, vectors, count int, next *byte)")
	Doc(name + " is mixGo for " + itoa(rows) + " rows; vectors counts groups of " + itoa(w.lanes()) + " columns.")
	Pragma("noescape")
	out, ldo, factor := argument("out"), argument("ldo"), argument("factor")
	weights, ldw := argument("weights"), argument("ldw")
	values, ldv := argument("values"), argument("ldv")
	vectors, count, next := argument("vectors"), argument("count"), argument("next")
	SHLQ(Imm(2), ldo)
	SHLQ(Imm(2), ldw)
	if from.size == 4 {
		SHLQ(Imm(2), ldv)
	} else {
		SHLQ(Imm(1), ldv)
	}
	for _, size := range []int{vectorsAtOnce(rows), 1} {
		prefix := name + "_" + itoa(size)
		Label(prefix + "_more")
		CMPQ(vectors, Imm(uint64(size)))
		JLT(LabelRef(prefix + "_done"))
		w.mixGroup(prefix, from, rows, size, out, ldo, factor, weights, ldw, values, ldv, count, next)
		add(size*w.bytes, out)
		add(size*from.size*w.lanes(), values)
		SUBQ(Imm(uint64(size)), vectors)
		JMP(LabelRef(prefix + "_more"))
		Label(prefix + "_done")
	}
	VZEROUPPER()
	RET()
}

func (w isa) mixGroup(name string, from storage, rows, size int, out, ldo, factor, weights, ldw, values, ldv, count, next reg.GPVirtual) {
	sums := make([][]reg.VecVirtual, rows)
	o := GP64()
	MOVQ(out, o)
	for r := range sums {
		f := w.vector()
		VBROADCASTSS(at(factor, 4*r), f)
		for c := range size {
			sum := w.vector()
			VMULPS(at(o, c*w.bytes), f, sum)
			sums[r] = append(sums[r], sum)
		}
		if r < rows-1 {
			ADDQ(ldo, o)
		}
	}
	p, p3, v, n := GP64(), GP64(), GP64(), GP64()
	MOVQ(weights, p)
	MOVQ(values, v)
	MOVQ(count, n)
	if rows > 3 {
		LEAQ(Mem{Base: p, Index: ldw, Scale: 2}, p3)
		ADDQ(ldw, p3)
	}
	loop(name+"_keys", n, func() {
		prefetch(next, size*from.size*w.lanes())
		value := make([]reg.VecVirtual, size)
		if rows > 1 {
			for c := range value {
				value[c] = w.vector()
				w.load(from, at(v, c*from.size*w.lanes()), value[c])
			}
		}
		for r := range sums {
			weight := w.vector()
			VBROADCASTSS(strided(p, p3, ldw, r, 0), weight)
			for c := range value {
				switch {
				case rows > 1:
					VFMADD231PS(value[c], weight, sums[r][c])
				case from.size == 4:
					VFMADD231PS(at(v, c*w.bytes), weight, sums[r][c])
				default:
					one := w.vector()
					w.load(from, at(v, c*from.size*w.lanes()), one)
					VFMADD231PS(one, weight, sums[r][c])
				}
			}
		}
		ADDQ(ldv, v)
		ADDQ(Imm(4), p)
		if rows > 3 {
			ADDQ(Imm(4), p3)
		}
	})
	w.storeGroup(sums, o, out, ldo)
}

// storeGroup writes the sums of each row, ldo apart, back to out.
func (w isa) storeGroup(sums [][]reg.VecVirtual, o, out, ldo reg.GPVirtual) {
	MOVQ(out, o)
	for r := range sums {
		for c := range sums[r] {
			VMOVUPS(sums[r][c], at(o, c*w.bytes))
		}
		if r < len(sums)-1 {
			ADDQ(ldo, o)
		}
	}
}
