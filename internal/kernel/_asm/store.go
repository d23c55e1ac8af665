package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// scale generates products of rows with a number each.
func (w isa) scaleRows() {
	name := "scale" + w.suffix
	TEXT(name, NOSPLIT, "func(rows *float32, ld int, factor *float32, vectors, count int)")
	Doc(name + " is scaleGo for rows of groups of " + itoa(w.lanes()) + " numbers, ld bytes apart.")
	Pragma("noescape")
	rows, ld, factor := argument("rows"), argument("ld"), argument("factor")
	loop(name, argument("count"), func() {
		f, p := w.vector(), GP64()
		VBROADCASTSS(at(factor, 0), f)
		MOVQ(rows, p)
		loop(name+"_row", argument("vectors"), func() {
			v := w.vector()
			VMULPS(at(p, 0), f, v)
			VMOVUPS(v, at(p, 0))
			add(w.bytes, p)
		})
		add(4, factor)
		ADDQ(ld, rows)
	})
	VZEROUPPER()
	RET()
}

// storeScaled generates the copy of rows, each times a number.
func (w isa) storeScaled() {
	name := "store" + w.suffix
	TEXT(name, NOSPLIT, "func(dst *float32, ldd int, src *float32, lds int, factor *float32, vectors, tail, count int)")
	Doc(name + " is storeGo for rows of groups of " + itoa(w.lanes()) + " numbers and tail more, ldd and lds bytes apart.")
	Pragma("noescape")
	dst, ldd, src, lds, factor := argument("dst"), argument("ldd"), argument("src"), argument("lds"), argument("factor")
	tail := argument("tail")
	left := GP64()
	MOVQ(tail, left)
	mask := w.first(left)
	loop(name, argument("count"), func() {
		f, from, to, v := w.vector(), GP64(), GP64(), w.vector()
		VBROADCASTSS(at(factor, 0), f)
		MOVQ(src, from)
		MOVQ(dst, to)
		loop(name+"_row", argument("vectors"), func() {
			VMULPS(at(from, 0), f, v)
			VMOVUPS(v, at(to, 0))
			add(w.bytes, from)
			add(w.bytes, to)
		})
		TESTQ(tail, tail)
		JEQ(LabelRef(name + "_whole"))
		VMULPS(at(from, 0), f, v)
		if w.wide() {
			k := K()
			VPMOVD2M(mask, k)
			VMOVUPS(v, k, at(to, 0))
		} else {
			VMASKMOVPS(v, mask, at(to, 0))
		}
		Label(name + "_whole")
		add(4, factor)
		ADDQ(ldd, dst)
		ADDQ(lds, src)
	})
	VZEROUPPER()
	RET()
}

// narrow generates the rounding of whole vectors to 16 bits, ties to even.
func (w isa) narrow(to storage) {
	if to.size != 2 {
		return
	}
	name := "narrow" + to.name + w.suffix
	TEXT(name, NOSPLIT, "func(dst *uint16, src *float32, vectors int)")
	Doc(name + " rounds groups of " + itoa(w.lanes()) + " numbers.")
	Pragma("noescape")
	dst, src := argument("dst"), argument("src")
	loop(name, argument("vectors"), func() {
		v := w.vector()
		VMOVUPS(at(src, 0), v)
		if to.name == "F16" {
			VCVTPS2PH(Imm(0), v, at(dst, 0))
		} else {
			w.narrowBrain(v, at(dst, 0))
		}
		add(w.bytes, src)
		add(to.size*w.lanes(), dst)
	})
	VZEROUPPER()
	RET()
}

// narrowBrain stores v as bfloat16. NaN becomes a quiet one with the same upper
// bits: rounding could carry it to Inf. The processor's own instruction for it would
// make subnormal numbers 0.
func (w isa) narrowBrain(v reg.VecVirtual, to Mem) {
	odd, quiet := w.vector(), w.vector()
	VPSRLD(Imm(16), v, odd)
	w.and(constant["ones"], odd, odd)
	VPADDD(constant["halfLess"], odd, odd)
	VPADDD(v, odd, odd)
	w.or(constant["quiet"], v, quiet)
	if w.wide() {
		nan := K()
		VCMPPS(Imm(notOrdered), v, v, nan)
		VMOVAPS(quiet, nan, odd)
		VPSRLD(Imm(16), odd, odd)
		VPMOVDW(odd, to)
		return
	}
	nan := w.vector()
	VCMPPS(Imm(notOrdered), v, v, nan)
	VBLENDVPS(nan, quiet, odd, odd)
	VPSRLD(Imm(16), odd, odd)
	VPACKUSDW(odd, odd, odd)
	VPERMQ(Imm(0x08), odd, odd)
	VMOVUPS(odd.AsX(), to)
}

// largest generates the greatest magnitude among rows of numbers, as bits, by
// which Inf and NaN are above all others.
func (w isa) largest(from storage) {
	if from.blocks() {
		return // their scales are few
	}
	name := "largest" + from.name + w.suffix
	TEXT(name, NOSPLIT, "func(rows *byte, ld, vectors, count int) uint32")
	Doc(name + " is largestGo for rows of groups of " + itoa(w.lanes()) + " numbers, ld bytes apart.")
	Pragma("noescape")
	rows, ld, vectors := argument("rows"), argument("ld"), argument("vectors")
	most, noSign := w.zero(), w.vector()
	VMOVUPS(constant["noSign"], noSign)
	loop(name, argument("count"), func() {
		p, left := GP64(), GP64()
		MOVQ(rows, p)
		MOVQ(vectors, left)
		loop(name+"_row", left, func() {
			v := w.vector()
			w.load(from, at(p, 0), 0, nil, v)
			w.and(noSign, v, v)
			VPMAXUD(v, most, most)
			add(from.size*w.lanes(), p)
		})
		ADDQ(ld, rows)
	})
	w.fold(most, func(a, b, to reg.VecVirtual) { VPMAXUD(a, b, to) })
	bits := GP32()
	VMOVD(most.AsX(), bits)
	Store(bits, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// fence generates the masking of a panel by the keys that are left to each row.
func (w isa) fence() {
	name := "fence" + w.suffix
	TEXT(name, NOSPLIT, "func(scores *float32, first, keys int, low, high *int32)")
	Doc(name + " is fenceGo for this width.")
	Pragma("noescape")
	scores, low, high := argument("scores"), argument("low"), argument("high")
	first := argument("first")
	key, one, masked := w.vector(), w.vector(), w.vector()
	VMOVD(first.As32(), key.AsX())
	VPBROADCASTD(key.AsX(), key)
	VMOVUPS(constant["ones"], one)
	VMOVUPS(constant["negativeInf"], masked)
	lows, highs := w.vectors(2), w.vectors(2)
	for n := range lows {
		VMOVUPS(at(low, n*w.bytes), lows[n])
		VMOVUPS(at(high, n*w.bytes), highs[n])
	}
	loop(name, argument("keys"), func() {
		for n := range lows {
			to := at(scores, n*w.bytes)
			if w.wide() {
				before, behind := K(), K()
				VPCMPGTD(key, lows[n], before)
				VPCMPD(Imm(notLess), highs[n], key, behind)
				KORW(before, behind, before)
				VMOVUPS(masked, before, to)
				continue
			}
			out, inside, s := w.vector(), w.vector(), w.vector()
			VPCMPGTD(key, lows[n], out)
			VPCMPGTD(key, highs[n], inside)
			VANDNPS(inside, out, inside) // not before, and below high
			VBLENDVPS(inside, to, masked, s)
			VMOVUPS(s, to)
		}
		VPADDD(one, key, key)
		add(2*w.bytes, scores)
	})
	VZEROUPPER()
	RET()
}
