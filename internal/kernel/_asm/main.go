// Command asm generates the amd64 micro-kernels of package kernel. Run it from
// the folder of that package:
//
//	go -C _asm run . -out ../kernel_amd64.s -stubs ../stubs_amd64.go -pkg kernel
//
// Each kernel is written once, for a width of vector registers.
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
}

var isas = []isa{{"AVX2", YMM, 32}, {"AVX512", ZMM, 64}}

func main() {
	ConstraintExpr("amd64")
	constants()
	transpose()
	for _, w := range isas {
		w.scores()
		w.values()
		w.weigh()
		w.weighRow()
		w.fence()
		w.scaleRows()
		w.storeScaled()
		w.bias()
		w.expand()
		w.softcap()
		for _, from := range storages {
			w.widen(from)
			w.narrow(from)
			w.largest(from)
			for _, rows := range w.rowsAtOnce() {
				w.dots(from, rows)
				w.mix(from, rows)
			}
		}
	}
	Generate()
}

func (w isa) wide() bool { return w.bytes == 64 }

func (w isa) zero() reg.VecVirtual {
	v := w.vector()
	w.clear(v)
	return v
}

func (w isa) clear(v reg.VecVirtual) {
	if w.wide() {
		VPXORD(v, v, v)
		return
	}
	VXORPS(v, v, v)
}

func (w isa) and(a Op, b, to reg.VecVirtual) {
	if w.wide() {
		VPANDD(a, b, to)
		return
	}
	VANDPS(a, b, to)
}

func (w isa) or(a Op, b, to reg.VecVirtual) {
	if w.wide() {
		VPORD(a, b, to)
		return
	}
	VORPS(a, b, to)
}

// pointer loads a pointer or integer parameter.
func argument(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

func at(base reg.Register, disp int) Mem { return Mem{Base: base, Disp: disp} }

// loop repeats body count times, count ≥ 0, consuming the register.
func loop(name string, count reg.Register, body func()) {
	TESTQ(count, count)
	JLE(LabelRef(name + "_end"))
	Label(name + "_loop")
	body()
	DECQ(count)
	JNE(LabelRef(name + "_loop"))
	Label(name + "_end")
}

// unrolled repeats body(0) count times, four at a time; step moves the pointers
// by n bodies. Few taken branches let the processor foresee the end of a loop.
func unrolled(name string, count reg.GPVirtual, body func(n int), step func(n int)) {
	const by = 4
	rounds := GP64()
	MOVQ(count, rounds)
	SHRQ(Imm(2), rounds)
	loop(name+"_by4", rounds, func() {
		for n := range by {
			body(n)
		}
		step(by)
	})
	rest := GP64()
	MOVQ(count, rest)
	ANDQ(Imm(by-1), rest)
	loop(name+"_rest", rest, func() {
		body(0)
		step(1)
	})
}

func itoa(n int) string { return strconv.Itoa(n) }

// add advances a pointer. Constants of 16 bits are no operands of ADDQ.
func add(n int, to reg.GPVirtual) { ADDQ(U32(n), to) }
