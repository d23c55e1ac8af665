package main

import "fmt"

// The instructions of the "Arm Architecture Reference Manual for A-profile", C7.2, that
// Go's assembler lacks or has in some forms only. The methods have the manual's names
// and order of operands; where nothing else is said vectors are four 32-bit lanes. Most
// instructions are an opcode with the registers in place:
//
//	opcode | m<<16 | n<<5 | d

// word writes an instruction, with what a disassembler would make of it.
func (f *function) word(code uint32, format string, arguments ...any) {
	f.line("WORD $%#08x // %s", code, fmt.Sprintf(format, arguments...))
}

// three writes an instruction on three registers. Shape is that of the vectors: 4s, 16b.
func (f *function) three(opcode uint32, name, shape string, d, n, m vec) {
	f.word(opcode|uint32(m)<<16|uint32(n)<<5|uint32(d), "%s v%d.%[3]s, v%[4]d.%[3]s, v%[5]d.%[3]s", name, d, shape, n, m)
}

func (f *function) fadd(d, n, m vec)  { f.three(0x4e20d400, "fadd", "4s", d, n, m) }
func (f *function) fsub(d, n, m vec)  { f.three(0x4ea0d400, "fsub", "4s", d, n, m) }
func (f *function) fmul(d, n, m vec)  { f.three(0x6e20dc00, "fmul", "4s", d, n, m) }
func (f *function) fdiv(d, n, m vec)  { f.three(0x6e20fc00, "fdiv", "4s", d, n, m) }
func (f *function) fmla(d, n, m vec)  { f.three(0x4e20cc00, "fmla", "4s", d, n, m) } // d += n·m
func (f *function) fmin(d, n, m vec)  { f.three(0x4ea0f400, "fmin", "4s", d, n, m) } // NaN if one is
func (f *function) faddp(d, n, m vec) { f.three(0x6e20d400, "faddp", "4s", d, n, m) }

// Comparisons set all bits of the lanes where they hold. None holds for NaN.
func (f *function) fcmeq(d, n, m vec) { f.three(0x4e20e400, "fcmeq", "4s", d, n, m) }
func (f *function) fcmge(d, n, m vec) { f.three(0x6e20e400, "fcmge", "4s", d, n, m) }
func (f *function) fcmgt(d, n, m vec) { f.three(0x6ea0e400, "fcmgt", "4s", d, n, m) }
func (f *function) cmgt(d, n, m vec)  { f.three(0x4ea03400, "cmgt", "4s", d, n, m) }

func (f *function) addInt(d, n, m vec) { f.three(0x4ea08400, "add", "4s", d, n, m) }
func (f *function) umax(d, n, m vec)   { f.three(0x6ea06400, "umax", "4s", d, n, m) }

func (f *function) and(d, n, m vec) { f.three(0x4e201c00, "and", "16b", d, n, m) }
func (f *function) bic(d, n, m vec) { f.three(0x4e601c00, "bic", "16b", d, n, m) } // n &^ m
func (f *function) orr(d, n, m vec) { f.three(0x4ea01c00, "orr", "16b", d, n, m) }
func (f *function) eor(d, n, m vec) { f.three(0x6e201c00, "eor", "16b", d, n, m) }
func (f *function) bit(d, n, m vec) { f.three(0x6ea01c00, "bit", "16b", d, n, m) } // n where m's bits are set
func (f *function) bif(d, n, m vec) { f.three(0x6ee01c00, "bif", "16b", d, n, m) } // n where they are not
func (f *function) mov(d, n vec)    { f.orr(d, n, n) }

// trn1 takes the even lanes of n and m in turns, trn2 the odd ones.
func (f *function) trn1(d, n, m vec)    { f.three(0x4e802800, "trn1", "4s", d, n, m) }
func (f *function) trn2(d, n, m vec)    { f.three(0x4e806800, "trn2", "4s", d, n, m) }
func (f *function) trn1Two(d, n, m vec) { f.three(0x4ec02800, "trn1", "2d", d, n, m) }
func (f *function) trn2Two(d, n, m vec) { f.three(0x4ec06800, "trn2", "2d", d, n, m) }

// element writes an instruction whose last operand is one lane of m. The lane has a
// high bit, 11, and a low bit, 21.
func (f *function) element(opcode uint32, name string, d, n, m vec, lane int) {
	code := opcode | uint32(lane>>1)<<11 | uint32(lane&1)<<21 | uint32(m)<<16 | uint32(n)<<5 | uint32(d)
	f.word(code, "%s v%d.4s, v%d.4s, v%d.s[%d]", name, d, n, m, lane)
}

func (f *function) fmlaElem(d, n, m vec, lane int) { f.element(0x4f801000, "fmla", d, n, m, lane) }
func (f *function) fmulElem(d, n, m vec, lane int) { f.element(0x4f809000, "fmul", d, n, m, lane) }

// two writes an instruction on two registers; to and from are their shapes.
func (f *function) two(opcode uint32, name, to, from string, d, n vec) {
	f.word(opcode|uint32(n)<<5|uint32(d), "%s v%d.%s, v%d.%s", name, d, to, n, from)
}

func (f *function) fabs(d, n vec)   { f.two(0x4ea0f800, "fabs", "4s", "4s", d, n) }
func (f *function) scvtf(d, n vec)  { f.two(0x4e21d800, "scvtf", "4s", "4s", d, n) }
func (f *function) mvn(d, n vec)    { f.two(0x6e205800, "mvn", "16b", "16b", d, n) }
func (f *function) fcvtl(d, n vec)  { f.two(0x0e217800, "fcvtl", "4s", "4h", d, n) }
func (f *function) fcvtl2(d, n vec) { f.two(0x4e217800, "fcvtl2", "4s", "8h", d, n) }
func (f *function) fcvtn(d, n vec)  { f.two(0x0e216800, "fcvtn", "4h", "4s", d, n) }
func (f *function) fcvtn2(d, n vec) { f.two(0x4e216800, "fcvtn2", "8h", "4s", d, n) }

// isZero sets all bits of the bytes, of eight, that are 0.
func (f *function) isZero(d, n vec) {
	f.word(0x0e209800|uint32(n)<<5|uint32(d), "cmeq v%d.8b, v%d.8b, #0", d, n)
}

// across writes an instruction that joins the lanes of n in lane 0 of d.
func (f *function) across(opcode uint32, name string, d, n vec) {
	f.word(opcode|uint32(n)<<5|uint32(d), "%s s%d, v%d.4s", name, d, n)
}

func (f *function) fmaxv(d, n vec) { f.across(0x6e30f800, "fmaxv", d, n) } // NaN if one is
func (f *function) fminv(d, n vec) { f.across(0x6eb0f800, "fminv", d, n) }
func (f *function) umaxv(d, n vec) { f.across(0x6eb0a800, "umaxv", d, n) }

// shifted writes a shift; its number of bits is part of code, a number of 7 bits.
func (f *function) shifted(opcode, code uint32, name, to, from string, d, n vec, bits int) {
	f.word(opcode|code<<16|uint32(n)<<5|uint32(d), "%s v%d.%s, v%d.%s, #%d", name, d, to, n, from, bits)
}

func (f *function) shl(d, n vec, bits int) {
	f.shifted(0x4f005400, uint32(32+bits), "shl", "4s", "4s", d, n, bits)
}

// sli keeps the lowest bits of d.
func (f *function) sli(d, n vec, bits int) {
	f.shifted(0x6f005400, uint32(32+bits), "sli", "4s", "4s", d, n, bits)
}

func (f *function) ushr(d, n vec, bits int) {
	f.shifted(0x6f000400, uint32(64-bits), "ushr", "4s", "4s", d, n, bits)
}

// shrn and shrn2 keep the upper halves of lanes, in the lower and the upper half of d.
func (f *function) shrn(d, n vec)  { f.shifted(0x0f008400, 32-16, "shrn", "4h", "4s", d, n, 16) }
func (f *function) shrn2(d, n vec) { f.shifted(0x4f008400, 32-16, "shrn2", "8h", "4s", d, n, 16) }

// shll and shll2 make the lower and the upper half of n upper halves of lanes.
func (f *function) shll(d, n vec) {
	f.word(0x2e613800|uint32(n)<<5|uint32(d), "shll v%d.4s, v%d.4h, #16", d, n)
}

func (f *function) shll2(d, n vec) {
	f.word(0x6e613800|uint32(n)<<5|uint32(d), "shll2 v%d.4s, v%d.8h, #16", d, n)
}

// sxtl and sxtl2 widen signed numbers, of bytes the lower eight.
func (f *function) sxtlBytes(d, n vec) { f.two(0x0f08a400, "sxtl", "8h", "8b", d, n) }
func (f *function) sxtl(d, n vec)      { f.two(0x0f10a400, "sxtl", "4s", "4h", d, n) }
func (f *function) sxtl2(d, n vec)     { f.two(0x4f10a400, "sxtl2", "4s", "8h", d, n) }
