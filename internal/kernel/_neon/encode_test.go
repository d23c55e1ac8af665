package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestWords compares words with those that LLVM's assembler makes of the same text.
// Register numbers have bits that no other operand of the instruction has.
func TestWords(t *testing.T) {
	const d, n, m = 17, 26, 31
	f := &function{}
	for _, emit := range []func(d, n, m vec){
		f.fadd, f.fsub, f.fmul, f.fdiv, f.fmla, f.fmin, f.faddp, f.fcmeq, f.fcmge, f.fcmgt, f.cmgt, f.addInt, f.umax,
		f.and, f.bic, f.orr, f.eor, f.bit, f.bif, f.trn1, f.trn2, f.trn1Two, f.trn2Two,
	} {
		emit(d, n, m)
	}
	for lane := range 4 {
		f.fmlaElem(d, n, m, lane)
		f.fmulElem(d, n, m, lane)
	}
	for _, emit := range []func(d, n vec){
		f.fabs, f.scvtf, f.mvn, f.fcvtl, f.fcvtl2, f.fcvtn, f.fcvtn2, f.isZero, f.fmaxv, f.fminv, f.umaxv,
		f.shrn, f.shrn2, f.shll, f.shll2, f.sxtlBytes, f.sxtl, f.sxtl2,
	} {
		emit(d, n)
	}
	f.shl(d, n, 23)
	f.sli(d, n, 31)
	f.ushr(d, n, 16)
	for i, line := range f.lines {
		if got := strings.TrimSpace(line); i >= len(words) || got != fmt.Sprintf("WORD $%#08x // %s", words[i].code, words[i].text) {
			t.Errorf("%s is not among LLVM's words, or in another place", got)
		}
	}
	if len(f.lines) < len(words) {
		t.Errorf("%d words are missing", len(words)-len(f.lines))
	}
}

var words = []struct {
	code uint32
	text string
}{
	{0x4e3fd751, "fadd v17.4s, v26.4s, v31.4s"},
	{0x4ebfd751, "fsub v17.4s, v26.4s, v31.4s"},
	{0x6e3fdf51, "fmul v17.4s, v26.4s, v31.4s"},
	{0x6e3fff51, "fdiv v17.4s, v26.4s, v31.4s"},
	{0x4e3fcf51, "fmla v17.4s, v26.4s, v31.4s"},
	{0x4ebff751, "fmin v17.4s, v26.4s, v31.4s"},
	{0x6e3fd751, "faddp v17.4s, v26.4s, v31.4s"},
	{0x4e3fe751, "fcmeq v17.4s, v26.4s, v31.4s"},
	{0x6e3fe751, "fcmge v17.4s, v26.4s, v31.4s"},
	{0x6ebfe751, "fcmgt v17.4s, v26.4s, v31.4s"},
	{0x4ebf3751, "cmgt v17.4s, v26.4s, v31.4s"},
	{0x4ebf8751, "add v17.4s, v26.4s, v31.4s"},
	{0x6ebf6751, "umax v17.4s, v26.4s, v31.4s"},
	{0x4e3f1f51, "and v17.16b, v26.16b, v31.16b"},
	{0x4e7f1f51, "bic v17.16b, v26.16b, v31.16b"},
	{0x4ebf1f51, "orr v17.16b, v26.16b, v31.16b"},
	{0x6e3f1f51, "eor v17.16b, v26.16b, v31.16b"},
	{0x6ebf1f51, "bit v17.16b, v26.16b, v31.16b"},
	{0x6eff1f51, "bif v17.16b, v26.16b, v31.16b"},
	{0x4e9f2b51, "trn1 v17.4s, v26.4s, v31.4s"},
	{0x4e9f6b51, "trn2 v17.4s, v26.4s, v31.4s"},
	{0x4edf2b51, "trn1 v17.2d, v26.2d, v31.2d"},
	{0x4edf6b51, "trn2 v17.2d, v26.2d, v31.2d"},
	{0x4f9f1351, "fmla v17.4s, v26.4s, v31.s[0]"},
	{0x4f9f9351, "fmul v17.4s, v26.4s, v31.s[0]"},
	{0x4fbf1351, "fmla v17.4s, v26.4s, v31.s[1]"},
	{0x4fbf9351, "fmul v17.4s, v26.4s, v31.s[1]"},
	{0x4f9f1b51, "fmla v17.4s, v26.4s, v31.s[2]"},
	{0x4f9f9b51, "fmul v17.4s, v26.4s, v31.s[2]"},
	{0x4fbf1b51, "fmla v17.4s, v26.4s, v31.s[3]"},
	{0x4fbf9b51, "fmul v17.4s, v26.4s, v31.s[3]"},
	{0x4ea0fb51, "fabs v17.4s, v26.4s"},
	{0x4e21db51, "scvtf v17.4s, v26.4s"},
	{0x6e205b51, "mvn v17.16b, v26.16b"},
	{0x0e217b51, "fcvtl v17.4s, v26.4h"},
	{0x4e217b51, "fcvtl2 v17.4s, v26.8h"},
	{0x0e216b51, "fcvtn v17.4h, v26.4s"},
	{0x4e216b51, "fcvtn2 v17.8h, v26.4s"},
	{0x0e209b51, "cmeq v17.8b, v26.8b, #0"},
	{0x6e30fb51, "fmaxv s17, v26.4s"},
	{0x6eb0fb51, "fminv s17, v26.4s"},
	{0x6eb0ab51, "umaxv s17, v26.4s"},
	{0x0f108751, "shrn v17.4h, v26.4s, #16"},
	{0x4f108751, "shrn2 v17.8h, v26.4s, #16"},
	{0x2e613b51, "shll v17.4s, v26.4h, #16"},
	{0x6e613b51, "shll2 v17.4s, v26.8h, #16"},
	{0x0f08a751, "sxtl v17.8h, v26.8b"},
	{0x0f10a751, "sxtl v17.4s, v26.4h"},
	{0x4f10a751, "sxtl2 v17.4s, v26.8h"},
	{0x4f375751, "shl v17.4s, v26.4s, #23"},
	{0x6f3f5751, "sli v17.4s, v26.4s, #31"},
	{0x6f300751, "ushr v17.4s, v26.4s, #16"},
}
