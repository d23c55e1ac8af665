package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transpose generates the transposition of a strip of blocks of 8 by 8 numbers.
func transpose() {
	TEXT("transposeAVX2", NOSPLIT, "func(dst *float32, ldd int, src *float32, lds int, scale float32, blocks int)")
	Doc("transposeAVX2 is the transposition of blocks side by side in 8 rows, 8 columns each.")
	Pragma("noescape")
	dst, src := argument("dst"), argument("src")
	ldd, lds := argument("ldd"), argument("lds")
	SHLQ(Imm(2), ldd)
	SHLQ(Imm(2), lds)
	nextdst := GP64()
	MOVQ(ldd, nextdst)
	SHLQ(Imm(3), nextdst)
	scale := YMM()
	VBROADCASTSS(NewParamAddr("scale", 32), scale)
	loop("transpose_blocks", argument("blocks"), func() {
		var v [8]reg.VecVirtual
		p := GP64()
		MOVQ(src, p)
		for n := range v {
			v[n] = YMM()
			VMOVUPS(at(p, 0), v[n])
			ADDQ(lds, p)
		}
		// Pairs of rows, then pairs of pairs, then the two halves of vectors.
		t := [8]reg.VecVirtual{}
		for n := 0; n < 8; n += 2 {
			low := YMM()
			VUNPCKLPS(v[n+1], v[n], low)
			VUNPCKHPS(v[n+1], v[n], v[n])
			t[n], t[n+1] = low, v[n]
		}
		var u [8]reg.VecVirtual
		for n := 0; n < 8; n += 4 {
			for k := range 2 {
				low := YMM()
				VSHUFPS(Imm(0x44), t[n+2+k], t[n+k], low)
				VSHUFPS(Imm(0xee), t[n+2+k], t[n+k], t[n+k])
				u[n+2*k], u[n+2*k+1] = low, t[n+k]
			}
		}
		MOVQ(dst, p)
		store := func(immediate uint64) {
			for n := range 4 {
				out := YMM()
				VPERM2F128(Imm(immediate), u[n+4], u[n], out)
				VMULPS(scale, out, out)
				VMOVUPS(out, at(p, 0))
				ADDQ(ldd, p)
			}
		}
		store(0x20)
		store(0x31)
		ADDQ(nextdst, dst)
		add(8*4, src)
	})
	VZEROUPPER()
	RET()
}
