package main

// weigh generates the softmax step of a panel. Where no score among the fine ones is so
// low that its weight vanishes, it leaves out what those need.
func (p *program) weigh() {
	f := p.function("weigh", "is weighGo.", "scores *float32, keys, fine int, top, factor, total *float32", "holes, odd uint32")
	scores, keys, fine := f.argument("scores"), f.argument("keys"), f.argument("fine")
	base, constant := f.vectors(quads), f.constants(exponential)
	f.scope(func() { f.panelMaxima(constant, scores, keys, fine, base) })
	holes, total := f.vector(), f.vectors(quads)
	f.clear(holes)
	f.clear(total...)
	f.line("SUB %v, %v", fine, keys)
	f.loop("fine", fine, func() { f.weights(constant, scores, base, total, nil) })
	f.loop("rest", keys, func() { f.weights(constant, scores, base, total, &holes) })
	f.storeAll(total, at(f.argument("total"), 0))
	for _, t := range total[1:] {
		f.fadd(total[0], total[0], t)
	}
	f.flags(holes, total[0])
	f.end()
}

// panelMaxima stores the new maxima and the factors, and leaves the bases in base. It
// makes fine 0 if a weight of those keys vanishes, or may.
func (f *function) panelMaxima(constant map[string]vec, scores, keys, fine reg, base []vec) {
	state, factor := f.argument("top"), f.argument("factor")
	before := f.vectors(quads)
	f.loadAll(before, at(state, 0))
	for n := range before {
		f.mov(base[n], before[n])
	}
	f.scope(func() {
		least := f.vectors(quads)
		f.raiseAll(constant, scores, keys, fine, base, least)
		f.storeAll(base, at(state, 0))
		f.base(constant, base)
		f.keepFine(constant, fine, base, least)
	})
	for n := 0; n < quads; n += 2 {
		f.factors(constant, before[n:n+2], base[n:n+2])
	}
	f.storeAll(before, at(factor, 0))
}

// raiseAll raises top to the greatest scores. Least becomes the least among the fine ones,
// or NaN if one is.
func (f *function) raiseAll(constant map[string]vec, scores, keys, fine reg, top, least []vec) {
	for _, v := range least {
		f.fabs(v, constant["negativeInf"])
	}
	p, left, rest := f.copy(scores), f.copy(fine), f.copy(keys)
	f.line("SUB %v, %v", fine, rest)
	f.loop("top", left, func() {
		s := f.vectors(quads)
		f.loadAll(s, next(p))
		f.raise(top, s)
		for n := range s {
			f.fmin(least[n], least[n], s[n])
		}
	})
	f.loop("toprest", rest, func() {
		s := f.vectors(quads)
		f.loadAll(s, next(p))
		f.raise(top, s)
	})
}

// keepFine makes fine 0 unless no weight of those keys vanishes.
func (f *function) keepFine(constant map[string]vec, fine reg, base, least []vec) {
	for n := range least {
		f.fsub(least[n], least[n], base[n])
	}
	f.fmin(least[0], least[0], least[1])
	f.fmin(least[2], least[2], least[3])
	f.fmin(least[0], least[0], least[2])
	f.fminv(least[0], least[0])
	f.fcmge(least[0], least[0], constant["expLeast"])
	mask := f.register()
	f.lane0(least[0], mask) // no bits, or 32, which are more than keys have
	f.line("AND %v, %v", mask, fine)
}

// weighRow generates the softmax step of a single row.
func (p *program) weighRow() {
	f := p.function("weighRow", "is weighRowGo; vectors counts groups of 8 scores.",
		"scores *float32, vectors int, top, factor, total *float32", "holes, odd uint32")
	scores, vectors, state := f.argument("scores"), f.argument("vectors"), f.argument("top")
	constant := f.constants(exponential)
	before, top := f.vector(), f.vectors(2)
	f.spread(before, state)
	f.mov(top[0], before)
	f.mov(top[1], before)
	at0, left := f.copy(scores), f.copy(vectors)
	f.loop("top", left, func() {
		s := f.vectors(2)
		f.loadAll(s, next(at0))
		f.raise(top, s)
	})
	// Either all lanes are NaN, because before is, or none.
	f.raise(top[:1], top[1:])
	f.fmaxv(top[0], top[0])
	f.storeNumber(top[0], at(state, 0))
	f.spread(top[0], state)
	f.base(constant, top[:1])
	f.factors(constant, []vec{before}, top[:1])
	f.storeNumber(before, at(f.argument("factor"), 0))
	holes, total := f.vector(), f.vectors(2)
	f.clear(holes, total[0], total[1])
	f.loop("exp", vectors, func() { f.weights(constant, scores, []vec{top[0], top[0]}, total, &holes) })
	f.fadd(total[0], total[0], total[1])
	f.faddp(total[0], total[0], total[0])
	f.faddp(total[0], total[0], total[0])
	f.storeNumber(total[0], at(f.argument("total"), 0))
	f.flags(holes, total[0])
	f.end()
}
