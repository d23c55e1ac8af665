package main

import "math"

var tables = []table{exponential, hyperbolic, rounding, ones}

// exponential is what exp needs: the coefficients are those of (2ᵍ − 1)/g for |g| ≤ ½.
var exponential = table{"exponential", []row{
	number("log2e", math.Log2E),
	number("roundBias", 0x1.8p23),
	number("exp1c", 0.693147202854909),
	number("exp2c", 0.24022647913564907),
	number("exp3c", 0.055503324713532545),
	number("exp4c", 0.009618437365807057),
	number("exp5c", 0.0013398874344832995),
	number("exp6c", 0.00015353359592107512),
	number("one", 1), // also the bias of the exponent, in place
	number("expLeast", -87),
	number("negativeInf", math.Inf(-1)),
}}

// constants loads a table, each number into a vector.
func (f *function) constants(t table) map[string]vec {
	list := map[string]vec{}
	f.scope(func() {
		at := f.register()
		f.line("MOVD $%s<>(SB), %v", t.name, at)
		for _, r := range t.rows {
			v := f.vector()
			f.line("VLD1R.P 4(%v), [%s]", at, v.s())
			list[r.name] = v
		}
	})
	f.vecs += len(t.rows)
	return list
}

// exp generates eˣ for x from −87 to 88; what it makes of smaller ones is for vanish.
// NaN stays NaN. The chains of dependent steps are long, so several are written side by side.
func (f *function) exp(constant map[string]vec, x []vec) []vec {
	n := len(x)
	biased, g, p, q := f.vectors(n), f.vectors(n), f.vectors(n), f.vectors(n)
	each := func(do func(n int)) {
		for n := range x {
			do(n)
		}
	}
	each(func(n int) { f.mov(biased[n], constant["roundBias"]) })
	each(func(n int) { f.fmla(biased[n], x[n], constant["log2e"]) })
	each(func(n int) { f.fsub(g[n], constant["roundBias"], biased[n]) })
	each(func(n int) { f.fmla(g[n], x[n], constant["log2e"]) })
	each(func(n int) { f.shl(biased[n], biased[n], 23) })
	each(func(n int) { f.addInt(biased[n], biased[n], constant["one"]) }) // 2ⁿ
	// 2ⁿ·(1 + g·(c1 + g·(c2 + …)))
	each(func(n int) { f.mov(p[n], constant["exp5c"]) })
	each(func(n int) { f.fmla(p[n], g[n], constant["exp6c"]) })
	for _, c := range []string{"exp4c", "exp3c", "exp2c", "exp1c"} {
		each(func(n int) { f.mov(q[n], constant[c]) })
		each(func(n int) { f.fmla(q[n], g[n], p[n]) })
		p, q = q, p
	}
	each(func(n int) { f.fmul(g[n], g[n], biased[n]) })
	each(func(n int) { f.fmla(biased[n], g[n], p[n]) })
	return biased
}

// vanish replaces what exp made of x below −87 by +0, and by −0 where the score s is
// −Inf. Afterwards the bits of s are set there and nowhere else; x is lost.
func (f *function) vanish(constant map[string]vec, s, x, weights []vec) {
	for n := range s {
		f.fcmgt(x[n], constant["expLeast"], x[n])
		f.fcmeq(s[n], s[n], constant["negativeInf"])
		f.bic(weights[n], weights[n], x[n])
		f.sli(weights[n], s[n], 31) // the sign
	}
}

// raise generates top = s where s > top, which keeps a NaN of top and no other.
func (f *function) raise(top, s []vec) {
	greater := f.vectors(len(s))
	for n := range s {
		f.fcmgt(greater[n], s[n], top[n])
	}
	for n := range s {
		f.bit(top[n], s[n], greater[n])
	}
}

// base turns maxima into what scores are taken relative to: 0 where nothing has been
// seen, so that −Inf − 0 is −Inf.
func (f *function) base(constant map[string]vec, top []vec) {
	f.scope(func() {
		empty := f.vector()
		for _, t := range top {
			f.fcmeq(empty, t, constant["negativeInf"])
			f.bic(t, t, empty)
		}
	})
}

// factors generates exp(before − base) in place.
func (f *function) factors(constant map[string]vec, before, base []vec) {
	f.scope(func() {
		x := f.vectors(len(before))
		for n := range x {
			f.fsub(x[n], before[n], base[n])
		}
		factor := f.exp(constant, x)
		f.vanish(constant, before, x, factor)
		for n := range factor {
			f.fabs(before[n], factor[n]) // before the first key a factor is +0
		}
	})
}

// weights generates the weights of the scores at p, in place, and adds them to total. Holes
// is nil where no weight vanishes.
func (f *function) weights(constant map[string]vec, p reg, base, total []vec, holes *vec) {
	s, x := f.vectors(2), f.vectors(2)
	for n := 0; n < len(base); n += 2 {
		f.scope(func() {
			f.loadAll(s, at(p, 16*n))
			for k := range s {
				f.fsub(x[k], s[k], base[n+k])
			}
			w := f.exp(constant, x)
			if holes != nil {
				f.vanish(constant, s, x, w)
				f.orr(*holes, *holes, s[0])
				f.orr(*holes, *holes, s[1])
			}
			f.storeAll(w, at(p, 16*n))
			for k := range w {
				f.fadd(total[n+k], total[n+k], w[k])
			}
		})
	}
	f.add(16*len(base), p)
}

// flags stores the two answers: whether holes has a bit that is set, and total a NaN.
func (f *function) flags(holes, total vec) {
	r := f.register()
	f.umaxv(holes, holes)
	f.lane0(holes, r)
	f.result("holes", r)
	f.fcmeq(total, total, total)
	f.mvn(total, total)
	f.umaxv(total, total)
	f.lane0(total, r)
	f.result("odd", r)
}
