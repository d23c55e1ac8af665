package main

import "math"

// masked returns a vector of −Inf.
func (f *function) masked() vec {
	v, bits := f.vector(), f.constant(int(math.Float32bits(float32(math.Inf(-1)))))
	f.fill(bits, v)
	return v
}

// fence generates the masking of a panel by the keys that are left to each row.
func (p *program) fence() {
	f := p.function("fence", "is fenceGo.", "scores *float32, first, keys int, low, high *int32", "")
	scores, first, keys := f.argument("scores"), f.argument("first"), f.argument("keys")
	masked, key, one := f.masked(), f.vector(), f.vector()
	f.fill(first, key)
	f.fill(f.constant(1), one)
	low, high := f.vectors(quads), f.vectors(quads)
	f.loadAll(low, at(f.argument("low"), 0))
	f.loadAll(high, at(f.argument("high"), 0))
	f.loop("keys", keys, func() {
		s, before, inside := f.vectors(quads), f.vectors(quads), f.vectors(quads)
		f.loadAll(s, at(scores, 0))
		for n := range s {
			f.cmgt(before[n], low[n], key)
			f.cmgt(inside[n], high[n], key)
			f.bic(inside[n], inside[n], before[n])
			f.bif(s[n], masked, inside[n])
		}
		f.storeAll(s, next(scores))
		f.addInt(key, key, one)
	})
	f.end()
}

// bias generates the addition of biases to scores, in which −Inf masks.
func (p *program) bias() {
	f := p.function("bias", "is biasGo for groups of 8 scores.", "scores, bias *float32, vectors int", "")
	scores, bias, vectors := f.argument("scores"), f.argument("bias"), f.argument("vectors")
	masked := f.masked()
	f.loop("vectors", vectors, func() {
		s, b, hidden := f.vectors(2), f.vectors(2), f.vectors(2)
		f.loadAll(s, at(scores, 0))
		f.loadAll(b, next(bias))
		for n := range s {
			f.fadd(s[n], s[n], b[n])
			f.fcmeq(hidden[n], b[n], masked)
			f.bit(s[n], masked, hidden[n])
		}
		f.storeAll(s, next(scores))
	})
	f.end()
}

// expand generates biases from a boolean mask.
func (p *program) expand() {
	f := p.function("expand", "is expandGo for groups of 8 keys.", "bias *float32, keep *bool, vectors int", "")
	bias, keep, vectors := f.argument("bias"), f.argument("keep"), f.argument("vectors")
	masked, b := f.masked(), f.vectors(2)
	f.loop("vectors", vectors, func() {
		f.loadEight(b[0], next(keep))
		f.isZero(b[0], b[0])
		f.sxtlBytes(b[0], b[0])
		f.sxtl2(b[1], b[0])
		f.sxtl(b[0], b[0])
		f.and(b[0], b[0], masked)
		f.and(b[1], b[1], masked)
		f.storeAll(b, next(bias))
	})
	f.end()
}

var hyperbolic = table{"hyperbolic", []row{
	number("tanhNear", 0.625),
	number("tanhLimit", 9.1), // beyond it tanh rounds to ±1
	number("minusTwo", -2),
	{"sign", 1 << 31},
	number("tanh3c", -0.333333283662796),
	number("tanh5c", 0.1333276927471161),
	number("tanh7c", -0.05385090783238411),
	number("tanh9c", 0.020997179672122),
	number("tanh11c", -0.006096714176237583),
}}

// softcap generates softcap·tanh(s/softcap). Near 0 tanh is a polynomial, elsewhere
// 1 − 2/(e^2|y| + 1) with the sign of y.
func (p *program) softcap() {
	f := p.function("softcap", "is softcapGo for groups of 8 scores.", "scores *float32, vectors int, softcap float32", "")
	scores, vectors := f.argument("scores"), f.argument("vectors")
	e, h := f.constants(exponential), f.constants(hyperbolic)
	softcap := f.vector()
	f.line("FMOVS softcap+%d(FP), %s", f.offset("softcap"), softcap.q())
	f.line("VDUP V%d.S[0], %s", int(softcap), softcap.s())
	f.loop("vectors", vectors, func() {
		for range 2 {
			f.scope(func() { f.capFour(e, h, softcap, scores) })
		}
	})
	f.end()
}

func (f *function) capFour(e, h map[string]vec, softcap vec, scores reg) {
	y, size, near := f.vector(), f.vector(), f.vector()
	f.load(y, at(scores, 0))
	f.fdiv(y, y, softcap)
	f.fabs(size, y)
	f.scope(func() { f.tanhNear(h, y, near) })
	f.scope(func() { f.tanhFar(e, h, size, y) })
	f.fcmgt(size, h["tanhNear"], size)
	f.bit(y, near, size)
	f.fmul(y, y, softcap)
	f.store(y, next(scores))
}

// tanhNear generates y + y³·(c3 + y²·(c5 + …)).
func (f *function) tanhNear(h map[string]vec, y, near vec) {
	square, q := f.vector(), f.vector()
	p := near
	f.fmul(square, y, y)
	f.mov(p, h["tanh9c"])
	f.fmla(p, square, h["tanh11c"])
	for _, c := range []string{"tanh7c", "tanh5c", "tanh3c"} {
		f.mov(q, h[c])
		f.fmla(q, square, p)
		p, q = q, p
	}
	f.fmul(square, square, y)
	f.fmul(p, p, square)
	f.fadd(near, p, y)
}

// tanhFar replaces y by 1 − 2/(e^2·size + 1), with the sign of y. NaN stays NaN.
func (f *function) tanhFar(e, h map[string]vec, size, y vec) {
	x := f.vector()
	f.fmin(x, size, h["tanhLimit"])
	f.fadd(x, x, x)
	t := f.exp(e, []vec{x})[0]
	f.fadd(t, t, e["one"])
	f.fdiv(t, h["minusTwo"], t)
	f.fadd(t, t, e["one"])
	f.and(y, y, h["sign"])
	f.orr(y, y, t)
}
