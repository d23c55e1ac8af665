// Command asm generates the amd64 loops of package roof. Run it from the folder
// of that package:
//
//	go -C _asm run . -out ../roof_amd64.s -stubs ../stubs_amd64.go -pkg roof
package main

import (
	"strconv"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is one width of vector registers.
type isa struct {
	suffix string
	vector func() reg.VecVirtual
	bytes  int
	chains int // independent accumulators: more than latency × units, fewer than registers
	clear  func(v reg.VecVirtual)
}

func main() {
	ConstraintExpr("amd64")
	for _, w := range []isa{
		{"AVX2", YMM, 32, 12, func(v reg.VecVirtual) { VXORPS(v, v, v) }},
		{"AVX512", ZMM, 64, 24, func(v reg.VecVirtual) { VPXORD(v, v, v) }},
	} {
		fma(w)
		read(w)
	}
	Generate()
}

// steps is how often each chain is advanced per loop, so that the loop's own
// instructions do not count.
const steps = 8

// fma generates loops·steps dependent steps x = x·a + b on each lane of out.
func fma(w isa) {
	TEXT("fma"+w.suffix, NOSPLIT, "func(loops int, a, b float32, out []float32)")
	Doc("fma" + w.suffix + " is fmaGo for a slice of exactly " + lanes(w) + " numbers and at least one loop.")
	loops := Load(Param("loops"), GP64())
	out := Load(Param("out").Base(), GP64())
	a, b := w.vector(), w.vector()
	VBROADCASTSS(NewParamAddr("a", 8), a)
	VBROADCASTSS(NewParamAddr("b", 12), b)
	chains := make([]reg.VecVirtual, w.chains)
	for n := range chains {
		chains[n] = w.vector()
		VMOVUPS(Mem{Base: out, Disp: n * w.bytes}, chains[n])
	}
	Label("fma" + w.suffix + "loop")
	for range steps {
		for _, x := range chains {
			VFMADD213PS(b, a, x) // x = a·x + b
		}
	}
	DECQ(loops)
	JNE(LabelRef("fma" + w.suffix + "loop"))
	for n, x := range chains {
		VMOVUPS(x, Mem{Base: out, Disp: n * w.bytes})
	}
	VZEROUPPER()
	RET()
}

// Constants of the read loop: what the memory system likes best was found by
// trying. ahead is how far in front of the loads lines are asked for.
const (
	streams = 4
	block   = 128 // bytes of each stream per loop
	ahead   = 2048
)

// read generates the sum over four equal parts of data, read side by side.
func read(w isa) {
	TEXT("sum"+w.suffix, NOSPLIT, "func(data []float32, out []float32)")
	Doc("sum" + w.suffix + " is sumGo for data of a positive multiple of 128 numbers and " + width(w) + " sums.")
	at := Load(Param("data").Base(), GP64())
	length := Load(Param("data").Len(), GP64())
	out := Load(Param("out").Base(), GP64())
	parts := [streams]reg.Register{at}
	for n := 1; n < streams; n++ {
		parts[n] = GP64()
		LEAQ(Mem{Base: parts[n-1], Index: length, Scale: 1}, parts[n]) // a quarter of 4·length bytes
	}
	SHRQ(Imm(7), length) // a loop takes block bytes of each quarter
	var sums [streams][2]reg.VecVirtual
	for n := range sums {
		for k := range sums[n] {
			sums[n][k] = w.vector()
			w.clear(sums[n][k])
		}
	}
	Label("sum" + w.suffix + "loop")
	for n, part := range parts {
		for line := 0; line < block; line += 64 {
			PREFETCHT0(Mem{Base: part, Disp: ahead + line})
		}
		for k := range block / w.bytes {
			VADDPS(Mem{Base: part, Disp: k * w.bytes}, sums[n][k%2], sums[n][k%2])
		}
		ADDQ(Imm(block), part)
	}
	DECQ(length)
	JNE(LabelRef("sum" + w.suffix + "loop"))
	total := sums[0][0]
	for n := range sums {
		for k := range sums[n] {
			if n+k > 0 {
				VADDPS(sums[n][k], total, total)
			}
		}
	}
	VMOVUPS(total, Mem{Base: out})
	VZEROUPPER()
	RET()
}

func lanes(w isa) string { return strconv.Itoa(w.chains * w.bytes / 4) }
func width(w isa) string { return strconv.Itoa(w.bytes / 4) }
