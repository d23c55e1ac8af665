package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// storage is how keys and values lie in memory: numbers of size bytes, or q8_0
// blocks, which are a binary16 scale and 32 int8 numbers.
type storage struct {
	name string
	size int
}

var storages = []storage{{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"Q8", 1}}

const (
	block      = 32 // numbers of a q8_0 block
	blockBytes = 2 + block
)

func (s storage) blocks() bool { return s.size == 1 }

// parts is how many vectors are read together: those of a block.
func (w isa) parts(from storage) int {
	if from.blocks() {
		return block / w.lanes()
	}
	return 1
}

// offset returns where vector n of a row begins.
func (w isa) offset(from storage, n int) int {
	if from.blocks() {
		return n/w.parts(from)*blockBytes + 2 + n%w.parts(from)*w.lanes()
	}
	return n * from.size * w.lanes()
}

// bytesOf returns the bytes of n vectors, which are whole blocks.
func (w isa) bytesOf(from storage, n int) int {
	if from.blocks() {
		return n / w.parts(from) * blockBytes
	}
	return n * from.size * w.lanes()
}

// displaced returns m, n bytes further.
func displaced(m Mem, n int) Mem {
	m.Disp += n
	return m
}

// load widens vector n of the row at m. A vector of a block needs its scale.
func (w isa) load(from storage, m Mem, n int, scale, to reg.VecVirtual) {
	m = displaced(m, w.offset(from, n))
	switch from.name {
	case "F32":
		VMOVUPS(m, to)
	case "F16":
		VCVTPH2PS(m, to)
	case "BF16":
		VPMOVZXWD(m, to)
		VPSLLD(Imm(16), to, to)
	case "Q8":
		VPMOVSXBD(m, to)
		VCVTDQ2PS(to, to)
		VMULPS(scale, to, to)
	}
}

// scale returns the scale of the block of vector n of the row at m in all lanes;
// nothing for other storage.
func (w isa) scale(from storage, m Mem, n int) reg.VecVirtual {
	if !from.blocks() {
		return nil
	}
	m = displaced(m, n/w.parts(from)*blockBytes)
	v := w.vector()
	if w.wide() {
		VPBROADCASTW(m, v.AsY())
		VCVTPH2PS(v.AsY(), v)
	} else {
		VPBROADCASTW(m, v.AsX())
		VCVTPH2PS(v.AsX(), v)
	}
	return v
}

func (w isa) lanes() int { return w.bytes / 4 }

// widen generates the conversion of whole vectors, or blocks.
func (w isa) widen(from storage) {
	if from.size == 4 {
		return
	}
	name := "widen" + from.name + w.suffix
	TEXT(name, NOSPLIT, "func(dst *float32, src *byte, count int)")
	Doc(name + " widens groups of " + itoa(w.parts(from)*w.lanes()) + " numbers.")
	Pragma("noescape")
	dst, src := argument("dst"), argument("src")
	loop(name, argument("count"), func() {
		scale := w.scale(from, at(src, 0), 0)
		for n := range w.parts(from) {
			v := w.vector()
			w.load(from, at(src, 0), n, scale, v)
			VMOVUPS(v, at(dst, n*w.bytes))
		}
		add(w.parts(from)*w.bytes, dst)
		add(w.bytesOf(from, w.parts(from)), src)
	})
	VZEROUPPER()
	RET()
}

// streams is how many keys are read side by side, far apart: the memory is faster with
// four sequences of addresses than with one, and than with short ones in turn.
const streams = 4

// rowsAtOnce are the numbers of rows that there are kernels for: their sums for all
// streams fill half the registers.
func (w isa) rowsAtOnce() []int {
	if w.wide() {
		return []int{4, 2, 1}
	}
	return []int{2, 1}
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

// third returns base + 3·ld.
func third(base, ld reg.GPVirtual) reg.GPVirtual {
	p := GP64()
	LEAQ(Mem{Base: base, Index: ld, Scale: 2}, p)
	ADDQ(ld, p)
	return p
}

// dots generates dot products of rows rows of queries with keys in place.
func (w isa) dots(from storage, rows int) {
	name := "dots" + from.name + "x" + itoa(rows) + w.suffix
	TEXT(name, NOSPLIT, "func(scores *float32, lds int, queries *float32, ldq int, keys *byte, ldk, apart, groups, tail, count int)")
	Doc(name+" is dotsGo for "+itoa(rows)+" rows, groups of "+itoa(w.parts(from)*w.lanes())+" dims and",
		"tail more, of which no more than that count, though a whole vector is read; and 4·count keys in four", "streams, apart bytes from each other, ldk bytes from key to key. The scores of a stream are", "those of count keys in order; rows of scores lie lds bytes apart, those of queries ldq.")
	Pragma("noescape")
	kept, left, now := AllocLocal(shelf*w.bytes), AllocLocal(8), AllocLocal(8)
	j, zero := w.joiner(), w.zero()
	keys, scores, n := argument("keys"), argument("scores"), argument("count")
	var mask reg.VecVirtual
	if !from.blocks() {
		mask = w.first(argument("tail"))
	}
	TESTQ(n, n)
	JLE(LabelRef(name + "_done"))
	Label(name + "_shelf")
	most, to := GP64(), GP64()
	MOVQ(n, left)
	MOVQ(U32(shelf), most)
	CMPQ(n, most)
	CMOVQGT(most, n)
	MOVQ(n, now)
	LEAQ(kept, to)
	loop(name, n, func() {
		VMOVUPS(j.join(w.products(name, from, rows, keys, zero, mask)), at(to, 0))
		add(w.bytes, to)
		ADDQ(argument("ldk"), keys)
	})
	ordered, apart := GP64(), argument("count")
	MOVQ(now, ordered)
	SHLQ(Imm(2), apart)
	w.order(name, kept, rows, scores, argument("lds"), apart, ordered)
	add(4*shelf, scores)
	MOVQ(left, n)
	SUBQ(now, n)
	JNE(LabelRef(name + "_shelf"))
	Label(name + "_done")
	VZEROUPPER()
	RET()
}

// products generates the products of the queries with a key of each stream, lane by lane:
// vectors by row and stream.
func (w isa) products(name string, from storage, rows int, keys reg.GPVirtual, zero, mask reg.VecVirtual) [][]reg.VecVirtual {
	sums := make([][]reg.VecVirtual, rows)
	for r := range sums {
		sums[r] = w.vectors(streams)
		for _, sum := range sums[r] {
			VMOVAPS(zero, sum) // cleared by itself it would count as in use before
		}
	}
	k, q, count := GP64(), argument("queries"), argument("groups")
	ldq, apart := argument("ldq"), argument("apart")
	MOVQ(keys, k)
	k3 := third(k, apart)
	var q3 reg.GPVirtual
	if rows > 3 {
		q3 = third(q, ldq)
	}
	parts := w.parts(from)
	bytes := w.bytesOf(from, parts)
	key := func(c int) Mem { return strided(k, k3, apart, c, 0) }
	query := func(r, part int) Mem { return strided(q, q3, ldq, r, part*w.bytes) }
	loop(name+"_dim", count, func() {
		w.multiply(from, sums, key, query, nil)
		add(bytes, k)
		add(bytes, k3)
		add(parts*w.bytes, q)
		if rows > 3 {
			add(parts*w.bytes, q3)
		}
	})
	if mask != nil {
		tail := argument("tail")
		TESTQ(tail, tail)
		JEQ(LabelRef(name + "_whole"))
		w.multiply(from, sums, key, query, mask)
		Label(name + "_whole")
	}
	return sums
}

// first returns a vector of which the first n lanes are all ones, the others zeros.
func (w isa) first(n reg.GPVirtual) reg.VecVirtual {
	table, v := GP64(), w.vector()
	LEAQ(lanesTable, table)
	NEGQ(n)
	VMOVUPS(Mem{Base: table, Index: n, Scale: 4, Disp: 64}, v)
	return v
}

// multiply adds the products of a group of dims to the sums, of which mask, if there
// is one, leaves some. What there is less of, rows or keys, is held in registers.
func (w isa) multiply(from storage, sums [][]reg.VecVirtual, keyAt func(c int) Mem, queryAt func(r, part int) Mem, mask reg.VecVirtual) {
	scales := make([]reg.VecVirtual, streams)
	for c := range scales {
		scales[c] = w.scale(from, keyAt(c), 0)
	}
	for part := range w.parts(from) {
		key, query := w.vectors(streams), w.vectors(len(sums))
		loadKey := func(c int) {
			w.load(from, keyAt(c), part, scales[c], key[c])
			if mask != nil { // what lies behind may be NaN, whose product with 0 is too
				w.and(mask, key[c], key[c])
			}
		}
		loadQuery := func(r int) { VMOVUPS(queryAt(r, part), query[r]) }
		if len(query) < len(key) {
			for r := range query {
				loadQuery(r)
			}
			for c := range key {
				loadKey(c)
				for r := range query {
					VFMADD231PS(key[c], query[r], sums[r][c])
				}
			}
			continue
		}
		for c := range key {
			loadKey(c)
		}
		for r := range query {
			loadQuery(r)
			for c := range key {
				VFMADD231PS(key[c], query[r], sums[r][c])
			}
		}
	}
}

// mix generates sums of values in place, weighted by rows rows of weights. The sums
// stay in memory, so that whole rows of values are read in order; where rows of values
// are one vector they stay in registers, since each sum would wait for the one before.
func (w isa) mix(from storage, rows int) {
	name := "mix" + from.name + "x" + itoa(rows) + w.suffix
	TEXT(name, NOSPLIT, "func(out *float32, ldo int, weights *float32, ldw int, values *byte, ldv, apart, groups, count, rest int)")
	Doc(name+" adds what mixGo does for "+itoa(rows)+" rows and groups of "+itoa(w.parts(from)*w.lanes())+" columns: 4·count values in four",
		"streams, apart bytes from each other, ldv bytes from value to value, then rest values. Rows of out and of weights lie", "ldo and ldw bytes apart.")
	Pragma("noescape")
	weights, values := argument("weights"), argument("values")
	left, apart, weightsApart := argument("count"), argument("apart"), GP64()
	MOVQ(left, weightsApart)
	SHLQ(Imm(2), weightsApart)
	if !from.blocks() {
		groups := argument("groups")
		CMPQ(groups, Imm(1))
		JNE(LabelRef(name + "_many"))
		w.mixVector(name+"_one", from, rows, weights, weightsApart, values, apart, left)
		JMP(LabelRef(name + "_streams"))
		Label(name + "_many")
	}
	loop(name+"_count", left, func() {
		w.mixKeys(name+"_count", from, rows, streams, weights, weightsApart, values, apart)
		add(4, weights)
		ADDQ(argument("ldv"), values)
	})
	Label(name + "_streams")
	for range streams - 1 { // the rest lies behind the last stream
		ADDQ(weightsApart, weights)
		ADDQ(apart, values)
	}
	loop(name+"_rest", argument("rest"), func() {
		w.mixKeys(name+"_rest", from, rows, 1, weights, nil, values, nil)
		add(4, weights)
		ADDQ(argument("ldv"), values)
	})
	VZEROUPPER()
	RET()
}

// mixVector generates the sums of rows of one vector, for each stream apart.
func (w isa) mixVector(name string, from storage, rows int, weights, weightsApart, values, apart, left reg.GPVirtual) {
	sums, zero := make([][]reg.VecVirtual, rows), w.zero()
	for r := range sums {
		sums[r] = w.vectors(streams)
		for _, sum := range sums[r] {
			VMOVAPS(zero, sum)
		}
	}
	loop(name, left, func() {
		value := w.vectors(streams)
		v3 := third(values, apart)
		for c := range value {
			w.load(from, strided(values, v3, apart, c, 0), 0, nil, value[c])
		}
		p := GP64()
		MOVQ(weights, p)
		for r := range sums {
			if r > 0 {
				ADDQ(argument("ldw"), p)
			}
			p3 := third(p, weightsApart)
			for c, sum := range sums[r] {
				weight := w.vector()
				VBROADCASTSS(strided(p, p3, weightsApart, c, 0), weight)
				VFMADD231PS(value[c], weight, sum)
			}
		}
		add(4, weights)
		ADDQ(argument("ldv"), values)
	})
	out := argument("out")
	for r, sum := range sums {
		if r > 0 {
			ADDQ(argument("ldo"), out)
		}
		VADDPS(sum[1], sum[0], sum[0])
		VADDPS(sum[3], sum[2], sum[2])
		VADDPS(sum[2], sum[0], sum[0])
		VADDPS(at(out, 0), sum[0], sum[0])
		VMOVUPS(sum[0], at(out, 0))
	}
}

// mixKeys generates the sums of a value of each stream.
func (w isa) mixKeys(name string, from storage, rows, keys int, weights, weightsApart, values, apart reg.GPVirtual) {
	weight := make([][]reg.VecVirtual, rows)
	p, ldw := GP64(), argument("ldw")
	MOVQ(weights, p)
	for r := range weight {
		weight[r] = w.vectors(keys)
		var p3 reg.GPVirtual
		if keys > 3 {
			p3 = third(p, weightsApart)
		}
		for c := range keys {
			VBROADCASTSS(strided(p, p3, weightsApart, c, 0), weight[r][c])
		}
		if r < rows-1 {
			ADDQ(ldw, p)
		}
	}
	v, o, ldo := GP64(), argument("out"), argument("ldo")
	MOVQ(values, v)
	var v3, o3 reg.GPVirtual
	if keys > 3 {
		v3 = third(v, apart)
	}
	if rows > 3 {
		o3 = third(o, ldo)
	}
	parts := w.parts(from)
	loop(name+"_columns", argument("groups"), func() {
		scales := make([]reg.VecVirtual, keys)
		for c := range scales {
			scales[c] = w.scale(from, strided(v, v3, apart, c, 0), 0)
		}
		for part := range parts {
			sums := w.vectors(rows)
			for r := range sums {
				VMOVUPS(strided(o, o3, ldo, r, part*w.bytes), sums[r])
			}
			for c := range keys {
				value := w.vector()
				w.load(from, strided(v, v3, apart, c, 0), part, scales[c], value)
				for r := range sums {
					VFMADD231PS(value, weight[r][c], sums[r])
				}
			}
			for r := range sums {
				VMOVUPS(sums[r], strided(o, o3, ldo, r, part*w.bytes))
			}
		}
		add(w.bytesOf(from, parts), v)
		if keys > 3 {
			add(w.bytesOf(from, parts), v3)
		}
		add(parts*w.bytes, o)
		if rows > 3 {
			add(parts*w.bytes, o3)
		}
	})
}
