package main

import (
	"math"
	"math/bits"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// constant is the constants of all kernels, each filling a vector in memory; loops load
// those they need often into registers, see nearby.
var constant = nearby{}

// lanesTable is 16 times all ones, then 16 zeros.
var lanesTable Mem

func constants() {
	for _, c := range []struct {
		name string
		bits uint32
	}{
		{"roundBias", math.Float32bits(0x1.8p23)},
		{"exponent", 0xff800000}, // and the sign
		{"one", math.Float32bits(1)},
		{"expLeast", math.Float32bits(-87)},
		{"sign", 1 << 31},
		{"noSign", 1<<31 - 1},
		{"minusTwo", math.Float32bits(-2)},
		{"tanhNear", math.Float32bits(0.625)},
		{"tanhLimit", math.Float32bits(9.1)}, // beyond it tanh rounds to ±1
		{"tanh3c", math.Float32bits(-0.333333283662796)},
		{"tanh5c", math.Float32bits(0.1333276927471161)},
		{"tanh7c", math.Float32bits(-0.05385090783238411)},
		{"tanh9c", math.Float32bits(0.020997179672122)},
		{"tanh11c", math.Float32bits(-0.006096714176237583)},
		{"ones", 1},
		{"halfLess", 0x7fff}, // half a unit of the last place of bfloat16, less one of float32
		{"quiet", 1 << 22},
		{"positiveInf", math.Float32bits(float32(math.Inf(1)))},
		{"negativeInf", math.Float32bits(float32(math.Inf(-1)))},
	} {
		constant[c.name] = GLOBL(c.name, RODATA|NOPTR)
		for n := range 16 {
			DATA(4*n, U32(c.bits))
		}
	}
	for _, w := range isas {
		w.powers()
	}
	lanesTable = GLOBL("lanes", RODATA|NOPTR)
	for n := range 32 {
		DATA(4*n, U32(uint32(n/16)-1))
	}
}

// powers declares a table of 2 to the powers of 0, 1/n, 2/n, … for the n lanes of a
// vector, and what exp needs to use it: n·log2 e, and the coefficients of
//
//	2^(f/n) ≈ 1 + c1·f + c2·f² + c3·f³      −½ ≤ f ≤ ½
//
// with the least greatest relative error (0.03 u for 16 lanes, 0.42 u for 8).
func (w isa) powers() {
	n := w.lanes()
	name := "powers" + w.suffix
	constant[name] = GLOBL(name, RODATA|NOPTR)
	for i := range n {
		DATA(4*i, U32(math.Float32bits(float32(math.Exp2(float64(i)/float64(n))))))
	}
	c := [3]float64{0.04332169891666587, 0.0009384151875579782, 1.3550326287621817e-05}
	if !w.wide() {
		c = [3]float64{0.08664340178253745, 0.003754025465424943, 0.00010839105817221004}
	}
	for i, value := range []float64{float64(n) * math.Log2E, c[0], c[1], c[2]} {
		name := "exp" + itoa(i) + w.suffix
		constant[name] = GLOBL(name, RODATA|NOPTR)
		for at := range n {
			DATA(4*at, U32(math.Float32bits(float32(value))))
		}
	}
}

// Comparisons of VCMPPS.
const (
	equal      = 0
	less       = 1
	notLess    = 5 // of integers too
	notOrdered = 3
)

// nearby is where the constants are. Loops hold some in registers: a load of a whole
// vector for each step would take longer than the steps.
type nearby map[string]Op

func (w isa) nearby() nearby {
	list := nearby{}
	for name, m := range constant {
		list[name] = m
	}
	names := []string{"roundBias", "exp0" + w.suffix, "powers" + w.suffix}
	if w.wide() { // twice the registers
		names = append(names, "exponent", "exp1"+w.suffix, "exp2"+w.suffix, "exp3"+w.suffix)
	}
	for _, name := range names {
		v := w.vector()
		VMOVUPS(constant[name], v)
		list[name] = v
	}
	return list
}

// exp generates the weights of scores: exp(s − base), as a power of 2 from a table times
// a polynomial, which is fewer multiplications than a polynomial alone; and unless all are known
// to be fine, +0 where that is below e⁻⁸⁷ and −0 where s is −Inf. NaN stays NaN.
// The chains of dependent steps are long, so several are written side by side.
func (w isa) exp(near nearby, s, base []Op, fine bool) []reg.VecVirtual {
	x, biased, f, p := w.vectors(len(s)), w.vectors(len(s)), w.vectors(len(s)), w.vectors(len(s))
	power := make([]reg.VecVirtual, len(s))
	c := func(n int) Op { return near["exp"+itoa(n)+w.suffix] }
	each := func(do func(n int)) {
		for n := range s {
			do(n)
		}
	}
	each(func(n int) {
		if _, in := s[n].(reg.VecVirtual); in {
			VMOVAPS(s[n], x[n])
		} else {
			VMOVUPS(s[n], x[n])
		}
	})
	each(func(n int) { VSUBPS(base[n], x[n], x[n]) })
	each(func(n int) { VMOVUPS(near["roundBias"], biased[n]) })
	each(func(n int) { VFMADD231PS(c(0), x[n], biased[n]) })
	each(func(n int) { VSUBPS(near["roundBias"], biased[n], f[n]) })
	each(func(n int) { VFMSUB231PS(c(0), x[n], f[n]) })
	// The lowest bits of the integer say which power, the others are its exponent.
	each(func(n int) {
		power[n] = w.vector()
		VPERMPS(near["powers"+w.suffix], biased[n], power[n])
		VPSLLD(Imm(uint64(23-bits.TrailingZeros(uint(w.lanes())))), biased[n], biased[n])
		w.and(near["exponent"], biased[n], biased[n])
		VPADDD(biased[n], power[n], power[n])
	})
	each(func(n int) { VMOVUPS(c(3), p[n]) })
	each(func(n int) { VFMADD213PS(c(2), f[n], p[n]) })
	each(func(n int) { VFMADD213PS(c(1), f[n], p[n]) })
	each(func(n int) { VMULPS(power[n], f[n], f[n]) })
	each(func(n int) { VFMADD213PS(power[n], f[n], p[n]) })
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
		VMOVUPS(constant["positiveInf"], least[n])
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
	near := w.nearby()
	for n, f := range w.exp(near, []Op{before[0], before[1]}, bases, false) {
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
	w.weighLoop(near, name+"_fine", scores, fine, bases, total, nil)
	w.weighLoop(near, name+"_vanish", scores, rest, bases, total, holes)
	VMOVUPS(total[0], at(to, 0))
	VMOVUPS(total[1], at(to, w.bytes))
	VADDPS(total[0], total[1], total[0])
	w.result(holes, total[0])
}

// weighLoop generates the exponentials of a panel; holes is nil where none vanishes.
func (w isa) weighLoop(near nearby, name string, scores, keys reg.GPVirtual, bases []Op, total []reg.VecVirtual, holes reg.VecVirtual) {
	loop(name, keys, func() {
		weights := w.exp(near, []Op{at(scores, 0), at(scores, w.bytes)}, bases, holes == nil)
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
	p := GP64()
	MOVQ(scores, p)
	tops := []reg.VecVirtual{top, w.vector(), w.vector(), w.vector()} // side by side, to hide latency
	for _, t := range tops[1:] {
		VMOVAPS(top, t)
	}
	unrolled(name+"_top", vectors, func(n int) {
		s := w.vector()
		VMOVUPS(at(p, n*w.bytes), s)
		VMAXPS(tops[n], s, tops[n]) // the second operand, the maximum so far, if either is NaN
	}, func(n int) { add(n*w.bytes, p) })
	VMAXPS(tops[0], tops[1], tops[0])
	VMAXPS(tops[2], tops[3], tops[2])
	VMAXPS(tops[0], tops[2], tops[0])
	w.fold(top, func(a, b, to reg.VecVirtual) { VMAXPS(a, b, to) })
	VMOVSS(top.AsX(), at(state, 0))
	base := w.vector()
	w.base(top, base)
	near := w.nearby()
	f := w.exp(near, []Op{before}, []Op{base}, false)[0]
	w.and(constant["noSign"], f, f)
	VMOVSS(f.AsX(), at(argument("factor"), 0))
	holes, totals := w.zero(), []reg.VecVirtual{w.zero(), w.zero()}
	exponentials := func(count int) {
		var s, bases []Op
		for n := range count {
			s, bases = append(s, at(scores, n*w.bytes)), append(bases, base)
		}
		for n, weight := range w.exp(near, s, bases, false) {
			VMOVUPS(weight, s[n])
			VADDPS(weight, totals[n], totals[n])
			w.or(weight, holes, holes)
		}
		add(count*w.bytes, scores)
	}
	pairs := GP64()
	MOVQ(vectors, pairs)
	SHRQ(Imm(1), pairs)
	loop(name+"_pairs", pairs, func() { exponentials(2) })
	TESTQ(U32(1), vectors)
	JEQ(LabelRef(name + "_even"))
	exponentials(1)
	Label(name + "_even")
	total := totals[0]
	VADDPS(totals[1], total, total)
	w.foldAdd(total)
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
