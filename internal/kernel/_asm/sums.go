package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// storeSums stores the sum of the lanes of sums[r][c] at scores + r·lds + 4·c·count.
// Adding and interleaving at once, as in a transposition, takes three instructions
// for each two vectors; sums of each vector alone would take three times as many.
func (w isa) storeSums(sums [][]reg.VecVirtual, scores reg.GPVirtual) {
	joined := make([]reg.VecVirtual, len(sums))
	for r := range sums {
		joined[r] = w.joinFour(sums[r])
	}
	p, apart, lds := GP64(), argument("count"), argument("lds")
	SHLQ(Imm(2), apart)
	MOVQ(scores, p)
	for r, four := range w.joinRows(joined) {
		if r > 0 {
			ADDQ(lds, p)
		}
		p3 := third(p, apart)
		VMOVSS(four, at(p, 0))
		for c := 1; c < streams; c++ {
			VEXTRACTPS(Imm(uint64(c)), four, strided(p, p3, apart, c, 0))
		}
	}
}

// joinFour returns the sums of each four lanes of a, b, c and d: in each 128 bits of
// the result, that of a comes first.
func (w isa) joinFour(v []reg.VecVirtual) reg.VecVirtual {
	pair := func(a, b reg.VecVirtual) reg.VecVirtual {
		low, high := w.vector(), w.vector()
		VUNPCKLPS(b, a, low)
		VUNPCKHPS(b, a, high)
		VADDPS(high, low, low)
		return low // a, b, a, b
	}
	ab, cd := pair(v[0], v[1]), pair(v[2], v[3])
	low, high := w.vector(), w.vector()
	VUNPCKLPD(cd, ab, low)
	VUNPCKHPD(cd, ab, high)
	VADDPS(high, low, low)
	return low
}

// joinHalves adds the 128-bit parts of a and of b: for 256 bits it returns a, b; for
// 512 bits a, a, b, b, of which each two are still to be added.
func (w isa) joinHalves(a, b reg.VecVirtual) reg.VecVirtual {
	low, high := w.vector(), w.vector()
	if w.wide() {
		VSHUFF32X4(Imm(0x44), b, a, low)
		VSHUFF32X4(Imm(0xee), b, a, high)
	} else {
		VPERM2F128(Imm(0x20), b, a, low)
		VPERM2F128(Imm(0x31), b, a, high)
	}
	VADDPS(high, low, low)
	return low
}

// joinRows finishes what joinFour began for one, two or four rows: four numbers each.
func (w isa) joinRows(v []reg.VecVirtual) []reg.VecVirtual {
	quarter := func(v reg.VecVirtual, n uint64) reg.VecVirtual {
		part := XMM()
		if w.wide() {
			VEXTRACTF32X4(Imm(n), v, part)
		} else {
			VEXTRACTF128(Imm(n), v, part)
		}
		return part
	}
	switch rows := len(v); {
	case rows == 4: // 512 bits only
		ab, cd := w.joinHalves(v[0], v[1]), w.joinHalves(v[2], v[3])
		low, high := w.vector(), w.vector()
		VSHUFF32X4(Imm(0x88), cd, ab, low)
		VSHUFF32X4(Imm(0xdd), cd, ab, high)
		VADDPS(high, low, low)
		return []reg.VecVirtual{quarter(low, 0), quarter(low, 1), quarter(low, 2), quarter(low, 3)}
	case rows == 2 && w.wide():
		ab, other := w.joinHalves(v[0], v[1]), w.vector()
		VSHUFF32X4(Imm(0xb1), ab, ab, other)
		VADDPS(other, ab, ab)
		return []reg.VecVirtual{quarter(ab, 0), quarter(ab, 2)}
	case rows == 2:
		ab := w.joinHalves(v[0], v[1])
		return []reg.VecVirtual{quarter(ab, 0), quarter(ab, 1)}
	case w.wide():
		half := YMM()
		VEXTRACTF64X4(Imm(1), v[0], half)
		VADDPS(half, v[0].AsY(), half)
		low, high := XMM(), XMM()
		VEXTRACTF128(Imm(0), half, low)
		VEXTRACTF128(Imm(1), half, high)
		VADDPS(high, low, low)
		return []reg.VecVirtual{low}
	}
	low, high := quarter(v[0], 0), quarter(v[0], 1)
	VADDPS(high, low, low)
	return []reg.VecVirtual{low}
}

// foldAdd leaves the sum of all lanes of v in each lane.
func (w isa) foldAdd(v reg.VecVirtual) {
	w.fold(v, func(a, b, to reg.VecVirtual) { VADDPS(a, b, to) })
}
