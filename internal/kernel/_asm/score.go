package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// bias generates the addition of biases to scores, in which −Inf masks.
func (w isa) bias() {
	name := "bias" + w.suffix
	TEXT(name, NOSPLIT, "func(scores, bias *float32, vectors int)")
	Doc(name + " is biasGo for groups of " + itoa(w.lanes()) + " scores.")
	Pragma("noescape")
	scores, bias := argument("scores"), argument("bias")
	masked := w.vector()
	VMOVUPS(constant["negativeInf"], masked)
	loop(name, argument("vectors"), func() {
		b, sum := w.vector(), w.vector()
		VMOVUPS(at(bias, 0), b)
		VADDPS(at(scores, 0), b, sum)
		w.blendEqual(b, masked, b, sum)
		VMOVUPS(sum, at(scores, 0))
		add(w.bytes, scores)
		add(w.bytes, bias)
	})
	VZEROUPPER()
	RET()
}

// blendEqual puts the lanes of from into to where a equals b.
func (w isa) blendEqual(a, b, from, to reg.VecVirtual) {
	if w.wide() {
		k := K()
		VCMPPS(Imm(equal), b, a, k)
		VMOVAPS(from, k, to)
		return
	}
	same := w.vector()
	VCMPPS(Imm(equal), b, a, same)
	VBLENDVPS(same, from, to, to)
}

// expand generates biases from a boolean mask.
func (w isa) expand() {
	name := "expand" + w.suffix
	TEXT(name, NOSPLIT, "func(bias *float32, keep *bool, vectors int)")
	Doc(name + " is expandGo for groups of " + itoa(w.lanes()) + " keys.")
	Pragma("noescape")
	bias, keep := argument("bias"), argument("keep")
	masked, none := w.vector(), w.zero()
	VMOVUPS(constant["negativeInf"], masked)
	loop(name, argument("vectors"), func() {
		b := w.vector()
		VPMOVZXBD(at(keep, 0), b)
		if w.wide() {
			hidden := K()
			VPCMPD(Imm(equal), none, b, hidden)
			VMOVAPS_Z(masked, hidden, b)
		} else {
			VPCMPEQD(none, b, b)
			VANDPS(masked, b, b)
		}
		VMOVUPS(b, at(bias, 0))
		add(w.bytes, bias)
		add(w.lanes(), keep)
	})
	VZEROUPPER()
	RET()
}

// softcap generates softcap·tanh(s/softcap). Near 0 tanh is a polynomial, elsewhere
// 1 − 2/(e^2|y| + 1) with the sign of y.
func (w isa) softcap() {
	name := "softcap" + w.suffix
	TEXT(name, NOSPLIT, "func(scores *float32, vectors int, softcap float32)")
	Doc(name + " is softcapGo for groups of " + itoa(w.lanes()) + " scores.")
	Pragma("noescape")
	scores := argument("scores")
	softcap := w.vector()
	VBROADCASTSS(NewParamAddr("softcap", 16), softcap)
	loop(name, argument("vectors"), func() {
		y, size, square := w.vector(), w.vector(), w.vector()
		VMOVUPS(at(scores, 0), y)
		VDIVPS(softcap, y, y)
		w.and(constant["noSign"], y, size)
		// y + y³·(c3 + y²·(c5 + …))
		VMULPS(y, y, square)
		near := w.vector()
		VMOVUPS(constant["tanh11c"], near)
		for _, c := range []string{"tanh9c", "tanh7c", "tanh5c", "tanh3c"} {
			VFMADD213PS(constant[c], square, near)
		}
		VMULPS(y, square, square)
		VFMADD213PS(y, square, near)
		w.tanhFar(size, y)
		if w.wide() {
			small := K()
			VCMPPS(Imm(less), constant["tanhNear"], size, small)
			VMOVAPS(near, small, y)
		} else {
			small := w.vector()
			VCMPPS(Imm(less), constant["tanhNear"], size, small)
			VBLENDVPS(small, near, y, y)
		}
		VMULPS(softcap, y, y)
		VMOVUPS(y, at(scores, 0))
		add(w.bytes, scores)
	})
	VZEROUPPER()
	RET()
}

// tanhFar replaces y by 1 − 2/(e^2·size + 1), with the sign of y. NaN stays NaN.
func (w isa) tanhFar(size, y reg.VecVirtual) {
	limited, zero, sign := w.vector(), w.zero(), w.vector()
	VMOVUPS(constant["tanhLimit"], limited)
	VMINPS(size, limited, limited) // the second operand, size, if it is NaN
	VADDPS(limited, limited, limited)
	e := w.exp(constant, []Op{limited}, []Op{zero}, true)[0]
	VADDPS(constant["one"], e, e)
	two := w.vector()
	VMOVUPS(constant["minusTwo"], two)
	VDIVPS(e, two, two)
	VADDPS(constant["one"], two, two)
	w.and(constant["sign"], y, sign)
	w.or(two, sign, y)
}
