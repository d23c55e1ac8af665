package main

// widen generates the conversion of eight numbers at a time, or of blocks.
func (p *program) widen(from storage) {
	f := p.function("widen"+from.name, "is widenGo for groups of "+from.group()+" numbers.", "dst *float32, src *byte, count int", "")
	dst, src, count := f.argument("dst"), f.argument("src"), f.argument("count")
	v := f.vectors(2)
	f.loop("groups", count, func() {
		scale := f.scales(from, []reg{src})[0]
		for part := range from.parts() {
			f.widened(from, v, from.part(src, part), scale)
			f.storeAll(v, next(dst))
		}
		f.skip(from, []reg{src})
	})
	f.end()
}

var rounding = table{"rounding", []row{
	{"ones", 1},
	{"halfLess", 0x7fff}, // half a unit of the last place of bfloat16, less one of float32
	{"quiet", 1 << 22},
}}

// narrow generates the rounding of groups of 8 numbers to 16 bits, ties to even.
func (p *program) narrow(to storage) {
	f := p.function("narrow"+to.name, "is narrowGo for groups of 8 numbers.", "dst *uint16, src *float32, vectors int", "")
	dst, src, vectors := f.argument("dst"), f.argument("src"), f.argument("vectors")
	constant := map[string]vec{}
	if to.name == "BF16" {
		constant = f.constants(rounding)
	}
	v := f.vectors(2)
	f.loop("vectors", vectors, func() {
		f.loadAll(v, next(src))
		if to.name == "F16" {
			f.fcvtn(v[0], v[0])
			f.fcvtn2(v[0], v[1])
		} else {
			f.roundBrain(constant, v)
			f.shrn(v[0], v[0])
			f.shrn2(v[0], v[1])
		}
		f.store(v[0], next(dst))
	})
	f.end()
}

// roundBrain leaves bfloat16 numbers in the upper halves of lanes. NaN becomes a quiet
// one with the same upper bits: rounding could carry it to Inf.
func (f *function) roundBrain(constant map[string]vec, v []vec) {
	odd, number := f.vectors(2), f.vectors(2)
	for n := range v {
		f.ushr(odd[n], v[n], 16)
		f.and(odd[n], odd[n], constant["ones"])
		f.addInt(odd[n], odd[n], constant["halfLess"])
		f.addInt(odd[n], odd[n], v[n])
		f.fcmeq(number[n], v[n], v[n])
		f.orr(v[n], v[n], constant["quiet"])
		f.bit(v[n], odd[n], number[n])
	}
}

// largest generates the greatest magnitude among rows of numbers, as bits, by which
// Inf and NaN are above all others. Without their signs bits are compared twice as big.
func (p *program) largest(from storage) {
	f := p.function("largest"+from.name, "is largestGo for rows of groups of 8 numbers, ld bytes apart.", "rows *byte, ld, vectors, count int", "ret uint32")
	rows, ld, vectors, count := f.argument("rows"), f.argument("ld"), f.argument("vectors"), f.argument("count")
	most, v := f.vectors(2), f.vectors(2)
	f.clear(most...)
	f.loop("rows", count, func() {
		at, left := f.copy(rows), f.copy(vectors)
		f.loop("vectors", left, func() {
			f.widened(from, v, next(at), 0)
			for n := range v {
				f.shl(v[n], v[n], 1)
				f.umax(most[n], most[n], v[n])
			}
		})
		f.addReg(ld, rows)
	})
	f.umax(most[0], most[0], most[1])
	f.umaxv(most[0], most[0])
	f.ushr(most[0], most[0], 1)
	bits := f.register()
	f.lane0(most[0], bits)
	f.result("ret", bits)
	f.end()
}

// scale generates the multiplication of rows with a number each.
func (p *program) scale() {
	f := p.function("scale", "is scaleGo for count rows of groups of 8 numbers, ld bytes apart.",
		"rows *float32, ld int, factor *float32, vectors, count int", "")
	rows, ld, factor := f.argument("rows"), f.argument("ld"), f.argument("factor")
	vectors, count := f.argument("vectors"), f.argument("count")
	f.loop("rows", count, func() {
		by, v, p, left := f.vector(), f.vectors(2), f.copy(rows), f.copy(vectors)
		f.loadNumber(by, next(factor))
		f.loop("vectors", left, func() {
			f.loadAll(v, at(p, 0))
			for _, x := range v {
				f.fmulElem(x, x, by, 0)
			}
			f.storeAll(v, next(p))
		})
		f.addReg(ld, rows)
	})
	f.end()
}

// store generates the copy of rows, each times a number.
func (p *program) store() {
	f := p.function("store", "is storeGo for rows of groups of 8 numbers and tail more, ldd and lds bytes apart.",
		"dst *float32, ldd int, src *float32, lds int, factor *float32, vectors, tail, count int", "")
	dst, ldd, src, lds := f.argument("dst"), f.argument("ldd"), f.argument("src"), f.argument("lds")
	factor, vectors, tail, count := f.argument("factor"), f.argument("vectors"), f.argument("tail"), f.argument("count")
	f.loop("rows", count, func() {
		by, v, from, to, left := f.vector(), f.vectors(2), f.copy(src), f.copy(dst), f.copy(vectors)
		f.loadNumber(by, next(factor))
		eight := func() {
			f.loadAll(v, next(from))
			for _, x := range v {
				f.fmulElem(x, x, by, 0)
			}
		}
		f.loop("vectors", left, func() {
			eight()
			f.storeAll(v, next(to))
		})
		f.unlessZero("tail", tail, func() {
			eight()
			f.storeSome(v, tail, to)
		})
		f.addReg(ldd, dst)
		f.addReg(lds, src)
	})
	f.end()
}

// storeSome stores the first n numbers of two vectors, n < 8.
func (f *function) storeSome(v []vec, n, to reg) {
	f.ifBit("four", 2, n, func() {
		f.store(v[0], next(to))
		f.mov(v[0], v[1])
	})
	f.ifBit("two", 1, n, func() {
		f.storeEight(v[0], next(to))
		f.line("VMOV V%d.D[1], V%[1]d.D[0]", int(v[0]))
	})
	f.ifBit("one", 0, n, func() { f.storeNumber(v[0], at(to, 0)) })
}

// transpose generates the transposition of a strip of blocks of 8 by 8 numbers, four
// columns of a block at a time.
func (p *program) transpose() {
	f := p.function("transpose", "is the transposition of blocks side by side in 8 rows, 8 columns each.",
		"dst *float32, ldd int, src *float32, lds int, scale float32, blocks int", "")
	dst, ldd, src, lds, blocks := f.argument("dst"), f.argument("ldd"), f.argument("src"), f.argument("lds"), f.argument("blocks")
	scale, v, t := f.vector(), f.vectors(8), f.vectors(8)
	f.line("FMOVS scale+%d(FP), %s", f.offset("scale"), scale.q())
	f.shift(2, ldd)
	f.shift(2, lds)
	f.shift(1, blocks) // halves of blocks
	f.loop("halves", blocks, func() {
		from := f.copy(src)
		for r := range v {
			f.load(v[r], at(from, 0))
			f.addReg(lds, from)
			f.fmulElem(v[r], v[r], scale, 0)
		}
		// Pairs of rows, then pairs of pairs, of rows 0 to 3 and of rows 4 to 7.
		for r := 0; r < 8; r += 2 {
			f.trn1(t[r], v[r], v[r+1])
			f.trn2(t[r+1], v[r], v[r+1])
		}
		for r := 0; r < 8; r += 4 {
			for c := range 2 {
				f.trn1Two(v[r+c], t[r+c], t[r+2+c])
				f.trn2Two(v[r+2+c], t[r+c], t[r+2+c])
			}
		}
		for c := range 4 {
			f.storeAll([]vec{v[c], v[4+c]}, at(dst, 0))
			f.addReg(ldd, dst)
		}
		f.add(16, src)
	})
	f.end()
}
