package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Constants of the exponential, the same as in the Go twin, each filling a
// vector. They stay in memory: multiply-adds read them at no cost.
var constant = map[string]Mem{}

func constants() {
	for _, c := range []struct {
		name string
		bits uint32
	}{
		{"log2e", math.Float32bits(1.44269504088896340736)},
		{"roundBias", math.Float32bits(0x1.8p23)},
		{"ln2High", math.Float32bits(0.693359375)},
		{"ln2Low", math.Float32bits(-2.12194440054690583e-4)},
		{"exp2c", math.Float32bits(0.5)},
		{"exp3c", math.Float32bits(0.16666576266288757)},
		{"exp4c", math.Float32bits(0.041666556149721146)},
		{"exp5c", math.Float32bits(0.008363177999854088)},
		{"exp6c", math.Float32bits(0.0013926181709393859)},
		{"one", math.Float32bits(1)}, // also the bias of the exponent, in place
		{"expLeast", math.Float32bits(-87)},
		{"sign", 1 << 31},
		{"noSign", 1<<31 - 1},
		{"negativeInf", math.Float32bits(float32(math.Inf(-1)))},
	} {
		constant[c.name] = GLOBL(c.name, RODATA|NOPTR)
		for n := range 16 {
			DATA(4*n, U32(c.bits))
		}
	}
}

// Comparisons of VCMPPS.
const (
	equal      = 0
	less       = 1
	notOrdered = 3
)

// exp generates the weights of scores: exp(s − base), and unless all are known
// to be fine, +0 where that is below e⁻⁸⁷ and −0 where s is −Inf. NaN stays NaN.
// The chains of dependent steps are long, so several are written side by side.
func (w isa) exp(s, base []Op, fine bool) []reg.VecVirtual {
	x, biased, r := w.vectors(len(s)), w.vectors(len(s)), w.vectors(len(s))
	square, p, odd := w.vectors(len(s)), w.vectors(len(s)), w.vectors(len(s))
	each := func(f func(n int)) {
		for n := range s {
			f(n)
		}
	}
	each(func(n int) { VMOVUPS(s[n], x[n]) })
	each(func(n int) { VSUBPS(base[n], x[n], x[n]) })
	each(func(n int) { VMOVUPS(constant["roundBias"], biased[n]) })
	each(func(n int) { VFMADD231PS(constant["log2e"], x[n], biased[n]) })
	each(func(n int) { VSUBPS(constant["roundBias"], biased[n], square[n]) })
	each(func(n int) { VMOVAPS(x[n], r[n]) })
	each(func(n int) { VFNMADD231PS(constant["ln2High"], square[n], r[n]) })
	each(func(n int) { VFNMADD231PS(constant["ln2Low"], square[n], r[n]) })
	each(func(n int) { VPSLLD(Imm(23), biased[n], biased[n]) })
	each(func(n int) { VPADDD(constant["one"], biased[n], biased[n]) }) // 2ⁿ
	// 1 + (r + r²·((½ + c3·r) + r²·((c4 + c5·r) + r²·c6)))
	each(func(n int) { VMULPS(r[n], r[n], square[n]) })
	each(func(n int) { VMOVUPS(constant["exp5c"], p[n]) })
	each(func(n int) { VFMADD213PS(constant["exp4c"], r[n], p[n]) })
	each(func(n int) { VMOVUPS(constant["exp3c"], odd[n]) })
	each(func(n int) { VFMADD213PS(constant["exp2c"], r[n], odd[n]) })
	each(func(n int) { VFMADD231PS(constant["exp6c"], square[n], p[n]) })
	each(func(n int) { VFMADD213PS(odd[n], square[n], p[n]) })
	each(func(n int) { VFMADD213PS(r[n], square[n], p[n]) })
	each(func(n int) { VFMADD213PS(biased[n], biased[n], p[n]) }) // 2ⁿ·(p+1)
	if !fine {
		each(func(n int) { w.vanish(x[n], p[n]) })
	}
	return p
}

// vanish replaces what exp made of arguments x that are too small for it.
func (w isa) vanish(x, p reg.VecVirtual) {
	// x − x is 0, but NaN with the sign bit for −Inf, which is all that is kept of it.
	none := w.vector()
	VSUBPS(x, x, none)
	w.and(constant["sign"], none, none)
	if w.wide() {
		low := K()
		VCMPPS(Imm(less), constant["expLeast"], x, low)
		VMOVAPS(none, low, p)
		return
	}
	low := w.vector()
	VCMPPS(Imm(less), constant["expLeast"], x, low)
	VBLENDVPS(low, none, p, p)
}

func (w isa) vectors(n int) []reg.VecVirtual {
	list := make([]reg.VecVirtual, n)
	for i := range list {
		list[i] = w.vector()
	}
	return list
}

// base is top, but 0 where that is −Inf, so that −Inf − base is −Inf.
func (w isa) base(top, base reg.VecVirtual) {
	if w.wide() {
		empty := K()
		VCMPPS(Imm(equal), constant["negativeInf"], top, empty)
		VMOVAPS(top, base)
		VPXORD(base, base, empty, base)
		return
	}
	VCMPPS(Imm(equal), constant["negativeInf"], top, base)
	VANDNPS(top, base, base)
}

// signs returns the sign bits of v, as a number that is 0 when there is none.
func (w isa) signs(v reg.VecVirtual) reg.GPVirtual {
	bits := GP32()
	if w.wide() {
		k := K()
		VPMOVD2M(v, k)
		KMOVW(k, bits)
	} else {
		VMOVMSKPS(v, bits)
	}
	return bits
}

// notNumbers returns which lanes of v are NaN, in the same way.
func (w isa) notNumbers(v reg.VecVirtual) reg.GPVirtual {
	bits := GP32()
	if w.wide() {
		k := K()
		VCMPPS(Imm(notOrdered), v, v, k)
		KMOVW(k, bits)
	} else {
		unordered := w.vector()
		VCMPPS(Imm(notOrdered), v, v, unordered)
		VMOVMSKPS(unordered, bits)
	}
	return bits
}

// weigh generates the softmax step of a panel.
func (w isa) weigh() {
	name := "weigh" + w.suffix
	TEXT(name, NOSPLIT, "func(scores *float32, keys, fine int, top, factor, total *float32) (holes, odd uint32)")
	Doc(name + " is weighGo for this width.")
	Pragma("noescape")
	scores, rest, fine := argument("scores"), argument("keys"), argument("fine")
	SUBQ(fine, rest)
	state, factor, to := argument("top"), argument("factor"), argument("total")
	before, top, least := w.vectors(2), w.vectors(2), w.vectors(2)
	for n := range top {
		VMOVUPS(at(state, n*w.bytes), top[n])
		VMOVAPS(top[n], before[n])
		VMOVAPS(top[n], least[n])
	}
	p := GP64()
	MOVQ(scores, p)
	raise := func(name string, keys reg.GPVirtual, also func(k int, s reg.VecVirtual)) {
		unrolled(name, keys, func(n int) {
			for k := range top {
				s := w.vector()
				VMOVUPS(at(p, (2*n+k)*w.bytes), s)
				VMAXPS(top[k], s, top[k]) // the second operand, top, if either is NaN
				also(k, s)
			}
		}, func(n int) { add(2*n*w.bytes, p) })
	}
	raise(name+"_top", fine, func(k int, s reg.VecVirtual) { VMINPS(least[k], s, least[k]) })
	raise(name+"_top_rest", rest, func(int, reg.VecVirtual) {})
	base := w.vectors(2)
	bases := []Op{at(to, 0), at(to, w.bytes)} // kept where the totals will be
	for n := range top {
		VMOVUPS(top[n], at(state, n*w.bytes))
		w.base(top[n], base[n])
		VMOVUPS(base[n], bases[n])
		VSUBPS(base[n], least[n], least[n])
	}
	for n, f := range w.exp([]Op{before[0], before[1]}, bases, false) {
		w.and(constant["noSign"], f, f)
		VMOVUPS(f, at(factor, n*w.bytes))
	}
	VMINPS(least[0], least[1], least[0])
	low := w.below(least[0])
	holes, total := w.zero(), []reg.VecVirtual{w.zero(), w.zero()}
	TESTL(low, low)
	JEQ(LabelRef(name + "_fine"))
	ADDQ(fine, rest) // some vanish after all
	XORQ(fine, fine)
	Label(name + "_fine")
	w.weighLoop(name+"_fine", scores, fine, bases, total, nil)
	w.weighLoop(name+"_vanish", scores, rest, bases, total, holes)
	VMOVUPS(total[0], at(to, 0))
	VMOVUPS(total[1], at(to, w.bytes))
	VADDPS(total[0], total[1], total[0])
	w.result(holes, total[0])
}

// weighLoop generates the exponentials of a panel; holes is nil where none vanishes.
func (w isa) weighLoop(name string, scores, keys reg.GPVirtual, bases []Op, total []reg.VecVirtual, holes reg.VecVirtual) {
	loop(name, keys, func() {
		weights := w.exp([]Op{at(scores, 0), at(scores, w.bytes)}, bases, holes == nil)
		for n, weight := range weights {
			VMOVUPS(weight, at(scores, n*w.bytes))
			VADDPS(weight, total[n], total[n])
			if holes != nil {
				w.or(weight, holes, holes)
			}
		}
		add(2*w.bytes, scores)
	})
}

// below returns which lanes of x are too small for the exponential or NaN.
func (w isa) below(x reg.VecVirtual) reg.GPVirtual {
	const notGreaterOrEqual = 9
	bits := GP32()
	if w.wide() {
		k := K()
		VCMPPS(Imm(notGreaterOrEqual), constant["expLeast"], x, k)
		KMOVW(k, bits)
		return bits
	}
	low := w.vector()
	VCMPPS(Imm(notGreaterOrEqual), constant["expLeast"], x, low)
	VMOVMSKPS(low, bits)
	return bits
}

// result stores the two answers of weigh and weighRow.
func (w isa) result(holes, total reg.VecVirtual) {
	Store(w.signs(holes), Return("holes"))
	Store(w.notNumbers(total), Return("odd"))
	VZEROUPPER()
	RET()
}

// weighRow generates the softmax step of a single row.
func (w isa) weighRow() {
	name := "weighRow" + w.suffix
	TEXT(name, NOSPLIT, "func(scores *float32, vectors int, top, factor, total *float32) (holes, odd uint32)")
	Doc(name + " is weighRowGo for this width; vectors counts groups of " + itoa(w.bytes/4) + " scores.")
	Pragma("noescape")
	scores, vectors := argument("scores"), argument("vectors")
	state := argument("top")
	before, top := w.vector(), w.vector()
	VBROADCASTSS(at(state, 0), top)
	VMOVAPS(top, before)
	p, count := GP64(), GP64()
	MOVQ(scores, p)
	MOVQ(vectors, count)
	loop(name+"_top", count, func() {
		s := w.vector()
		VMOVUPS(at(p, 0), s)
		VMAXPS(top, s, top)
		add(w.bytes, p)
	})
	w.fold(top, func(a, b, to reg.VecVirtual) { VMAXPS(a, b, to) })
	VMOVSS(top.AsX(), at(state, 0))
	base := w.vector()
	w.base(top, base)
	f := w.exp([]Op{before}, []Op{base}, false)[0]
	w.and(constant["noSign"], f, f)
	VMOVSS(f.AsX(), at(argument("factor"), 0))
	holes, total := w.zero(), w.zero()
	loop(name+"_exp", vectors, func() {
		weight := w.exp([]Op{at(scores, 0)}, []Op{base}, false)[0]
		VMOVUPS(weight, at(scores, 0))
		VADDPS(weight, total, total)
		w.or(weight, holes, holes)
		add(w.bytes, scores)
	})
	w.fold(total, func(a, b, to reg.VecVirtual) { VADDPS(a, b, to) })
	VMOVSS(total.AsX(), at(argument("total"), 0))
	w.result(holes, total)
}

// fold joins all lanes of v by f, in each lane.
func (w isa) fold(v reg.VecVirtual, f func(a, b, to reg.VecVirtual)) {
	other := w.vector()
	if w.wide() {
		VSHUFF32X4(Imm(0x4e), v, v, other)
		f(other, v, v)
		VSHUFF32X4(Imm(0xb1), v, v, other)
		f(other, v, v)
	} else {
		VPERM2F128(Imm(1), v, v, other)
		f(other, v, v)
	}
	VPERMILPS(Imm(0x4e), v, other)
	f(other, v, v)
	VPERMILPS(Imm(0xb1), v, other)
	f(other, v, v)
}
