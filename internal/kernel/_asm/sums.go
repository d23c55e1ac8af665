package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// joiner adds the lanes of many vectors at once: where two vectors are added that each
// hold half of what the other lacks, one addition serves both. Blends run on any port
// of a processor and shuffles on few, so that one of two shuffles is a blend where it can be.
type joiner struct {
	w isa
	// odd and high are the masks of what a blend of 512 bits takes, by 64 bits; other
	// blends have constants.
	odd, high reg.OpmaskVirtual
}

func (w isa) joiner() joiner {
	if !w.wide() {
		return joiner{w: w}
	}
	load := func(mask uint64) reg.OpmaskVirtual {
		bits, k := GP32(), K()
		MOVL(U32(mask), bits)
		KMOVW(bits, k)
		return k
	}
	return joiner{w, load(0xaa), load(0xf0)}
}

// join returns the sum of the lanes of sums[r][c] for one, two or four rows of four: those
// of row r are 128 bits from 16·r bytes on. All sums are added in the same order, however
// many rows there are.
func (j joiner) join(sums [][]reg.VecVirtual) reg.VecVirtual {
	var low, high []reg.VecVirtual
	for _, row := range sums {
		low = append(low, j.pairs(row[0], row[1]))
		high = append(high, j.pairs(row[2], row[3]))
	}
	ab, cd := j.rows(low), j.rows(high)
	even, odd := j.w.vector(), j.w.vector()
	VSHUFPS(Imm(0x88), cd, ab, even)
	VSHUFPS(Imm(0xdd), cd, ab, odd)
	VADDPS(odd, even, even)
	return even
}

// rows adds the parts of 128 bits of each row's vector and joins the rows.
func (j joiner) rows(v []reg.VecVirtual) reg.VecVirtual {
	switch {
	case !j.w.wide():
		return j.halves(v[0], v[len(v)-1])
	case len(v) == 4:
		return j.parts(j.halves(v[0], v[1]), j.halves(v[2], v[3]))
	}
	both := j.halves(v[0], v[len(v)-1])
	return j.parts(both, both)
}

// pairs returns, of each 128 bits of a and of b, the sum of the two halves: a, then b.
func (j joiner) pairs(a, b reg.VecVirtual) reg.VecVirtual {
	moved := j.w.vector()
	VSHUFPD(Imm(0x55), b, a, moved)
	if j.w.wide() {
		VMOVAPD(b, j.odd, a)
	} else {
		VBLENDPD(Imm(0xa), b, a, a)
	}
	VADDPS(moved, a, a)
	return a
}

// halves returns the sum of the two halves of a, then of b.
func (j joiner) halves(a, b reg.VecVirtual) reg.VecVirtual {
	moved := j.w.vector()
	if j.w.wide() {
		VSHUFF64X2(Imm(0x4e), b, a, moved)
		VMOVAPD(b, j.high, a)
	} else {
		VPERM2F128(Imm(0x21), b, a, moved)
		VBLENDPD(Imm(0xc), b, a, a)
	}
	VADDPS(moved, a, a)
	return a
}

// parts returns the sums of each two neighbouring 128 bits of 512, those of a first.
func (j joiner) parts(a, b reg.VecVirtual) reg.VecVirtual {
	even, odd := j.w.vector(), j.w.vector()
	VSHUFF32X4(Imm(0x88), b, a, even)
	VSHUFF32X4(Imm(0xdd), b, a, odd)
	VADDPS(odd, even, even)
	return even
}

// foldAdd leaves the sum of all lanes of v in each lane.
func (w isa) foldAdd(v reg.VecVirtual) {
	w.fold(v, func(a, b, to reg.VecVirtual) { VADDPS(a, b, to) })
}

// shelf is how many keys of each stream are scored before their scores are put in order.
const shelf = 8

// order stores what join returned for so many keys, a vector each from address kept
// on: the score of key i of stream c for row r at scores + r·lds + 4·(c·apart + i).
func (w isa) order(name string, kept Mem, rows int, scores, lds, apart, keys reg.GPVirtual) {
	third := func(p reg.GPVirtual) reg.GPVirtual { return third(p, apart) }
	p := GP64()
	MOVQ(scores, p)
	CMPQ(keys, Imm(shelf))
	JNE(LabelRef(name + "_few"))
	for r := range rows {
		if r > 0 {
			ADDQ(lds, p)
		}
		part := displaced(kept, 16*r)
		p3 := third(p)
		for c, v := range w.turned(part) {
			VMOVUPS(v, strided(p, p3, apart, c, 0))
		}
	}
	JMP(LabelRef(name + "_ordered"))
	Label(name + "_few")
	from, score := GP64(), GP32()
	LEAQ(kept, from)
	first := GP64()
	MOVQ(scores, first)
	loop(name+"_order", keys, func() {
		MOVQ(first, p)
		for r := range rows {
			if r > 0 {
				ADDQ(lds, p)
			}
			p3 := third(p)
			for c := range streams {
				MOVL(at(from, 16*r+4*c), score)
				MOVL(score, strided(p, p3, apart, c, 0))
			}
		}
		add(w.bytes, from)
		add(4, first)
	})
	Label(name + "_ordered")
}

// turned returns four vectors of the scores of 8 keys, by stream, of which those of each
// key lie together.
func (w isa) turned(kept Mem) (v [streams]reg.VecVirtual) {
	var pairs [4]reg.VecVirtual // keys n and n+4
	for n := range pairs {
		pairs[n] = YMM()
		VBROADCASTF128(displaced(kept, n*w.bytes), pairs[n])
		VINSERTF128(Imm(1), displaced(kept, (n+4)*w.bytes), pairs[n], pairs[n])
	}
	var t [4]reg.VecVirtual // streams 0 and 1, then 2 and 3, of keys 0 and 1, then 2 and 3
	for n := range t {
		t[n] = YMM()
		if n%2 == 0 {
			VUNPCKLPS(pairs[n+1], pairs[n], t[n])
		} else {
			VUNPCKHPS(pairs[n], pairs[n-1], t[n])
		}
	}
	for c := range v {
		v[c] = YMM()
		if c%2 == 0 {
			VUNPCKLPD(t[2+c/2], t[c/2], v[c])
		} else {
			VUNPCKHPD(t[2+c/2], t[c/2], v[c])
		}
	}
	return v
}
