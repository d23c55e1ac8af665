package main

import "fmt"

// vec is a vector register, of which the kernels use four 32-bit lanes.
type vec int

// s is the vector's name in Go's assembler as four lanes, q as 128 bits.
func (v vec) s() string { return fmt.Sprintf("V%d.S4", int(v)) }
func (v vec) q() string { return fmt.Sprintf("F%d", int(v)) }

// reg is a general register.
type reg int

func (r reg) String() string { return fmt.Sprintf("R%d", int(r)) }

// free are the general registers that assembly may use: R16 and R17 belong to the
// linker, R18 to the system, R26 and up to Go and its assembler.
var free = []reg{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 19, 20, 21, 22, 23, 24, 25}

func (f *function) register() reg {
	f.regs++
	return free[f.regs-1]
}

func (f *function) vector() vec {
	if f.vecs == 32 {
		panic(f.name + " needs more than 32 vectors")
	}
	f.vecs++
	return vec(f.vecs - 1)
}

func (f *function) vectors(n int) []vec {
	list := make([]vec, n)
	for i := range list {
		list[i] = f.vector()
	}
	return list
}

// grid returns rows of vectors.
func (f *function) grid(rows, columns int) [][]vec {
	list := make([][]vec, rows)
	for i := range list {
		list[i] = f.vectors(columns)
	}
	return list
}

// argument loads a pointer or an integer.
func (f *function) argument(name string) reg {
	r := f.register()
	f.line("MOVD %s+%d(FP), %v", name, f.offset(name), r)
	return r
}

func (f *function) offset(name string) int {
	at, ok := f.offsets[name]
	if !ok {
		panic(f.name + " has no " + name)
	}
	return at
}

func (f *function) result(name string, r reg) { f.line("MOVW %v, %s+%d(FP)", r, name, f.offset(name)) }

func (f *function) copy(r reg) reg {
	to := f.register()
	f.line("MOVD %v, %v", r, to)
	return to
}

func (f *function) constant(n int) reg {
	to := f.register()
	f.line("MOVD $%d, %v", n, to)
	return to
}

func (f *function) add(n int, to reg)       { f.line("ADD $%d, %v", n, to) }
func (f *function) addReg(n, to reg)        { f.line("ADD %v, %v", n, to) }
func (f *function) shift(bits int, to reg)  { f.line("LSL $%d, %v", bits, to) }
func (f *function) sum(a, b reg) (to reg)   { to = f.copy(a); f.addReg(b, to); return to }
func (f *function) lane0(v vec, to reg)     { f.line("VMOV V%d.S[0], %v", int(v), to) }
func (f *function) fill(from reg, to vec)   { f.line("VDUP %v, %s", from, to.s()) }
func (f *function) prefetch(b reg, dis int) { f.line("PRFM %d(%v), PLDL1KEEP", dis, b) }

// split returns the number of whole groups of 4 in n, and the rest.
func (f *function) split(n reg) (fours, rest reg) {
	fours, rest = f.register(), f.register()
	f.line("LSR $2, %v, %v", n, fours)
	f.line("AND $3, %v, %v", n, rest)
	return fours, rest
}

// rows returns the addresses of n rows, ld bytes apart.
func (f *function) rows(first, ld reg, n int) []reg {
	list := []reg{f.copy(first)}
	for len(list) < n {
		list = append(list, f.sum(list[len(list)-1], ld))
	}
	return list
}

// place is an address in memory: disp bytes behind base; or base, which then moves behind
// what is loaded or stored.
type place struct {
	base reg
	disp int
	move bool
}

func at(base reg, disp int) place { return place{base, disp, false} }
func next(base reg) place         { return place{base, 0, true} }

// operand returns the suffix of a mnemonic that takes size bytes, and the address.
func (m place) operand(size int) (suffix, address string) {
	if m.move {
		return ".P", fmt.Sprintf("%d(%v)", size, m.base)
	}
	return "", fmt.Sprintf("%d(%v)", m.disp, m.base)
}

func (f *function) from(mnemonic string, size int, m place, to string) {
	suffix, address := m.operand(size)
	f.line("%s%s %s, %s", mnemonic, suffix, address, to)
}

func (f *function) to(mnemonic string, size int, m place, from string) {
	suffix, address := m.operand(size)
	f.line("%s%s %s, %s", mnemonic, suffix, from, address)
}

func (f *function) load(v vec, m place)        { f.from("FMOVQ", 16, m, v.q()) }
func (f *function) store(v vec, m place)       { f.to("FMOVQ", 16, m, v.q()) }
func (f *function) loadEight(v vec, m place)   { f.from("FMOVD", 8, m, v.q()) } // bytes
func (f *function) storeEight(v vec, m place)  { f.to("FMOVD", 8, m, v.q()) }
func (f *function) loadNumber(v vec, m place)  { f.from("FMOVS", 4, m, v.q()) }
func (f *function) storeNumber(v vec, m place) { f.to("FMOVS", 4, m, v.q()) }

// loadAll loads an even number of vectors that lie side by side.
func (f *function) loadAll(v []vec, m place) {
	f.pairs(v, m, func(pair string, m place) { f.from("FLDPQ", 32, m, pair) })
}

// storeAll stores an even number of vectors side by side.
func (f *function) storeAll(v []vec, m place) {
	f.pairs(v, m, func(pair string, m place) { f.to("FSTPQ", 32, m, pair) })
}

func (f *function) pairs(v []vec, m place, each func(pair string, m place)) {
	for n := 0; n < len(v); n += 2 {
		each(fmt.Sprintf("(%s, %s)", v[n].q(), v[n+1].q()), m)
		m.disp += 32
	}
}

func (f *function) loadLane(v vec, lane int, from reg) {
	f.line("VLD1 (%v), V%d.S[%d]", from, int(v), lane)
}
func (f *function) storeLane(v vec, lane int, to reg) {
	f.line("VST1 V%d.S[%d], (%v)", int(v), lane, to)
}

func (f *function) clear(list ...vec) {
	for _, v := range list {
		f.eor(v, v, v)
	}
}

// spread loads one number into all lanes.
func (f *function) spread(v vec, from reg) { f.line("VLD1R (%v), [%s]", from, v.s()) }
