package verify

import (
	"hash/fnv"
	"sync"

	"github.com/glattn/attention"
)

// Cases returns the conformance list, the same every time: lengths and widths
// around every edge, head ratios, each option alone, in pairs and all together,
// layouts, storage types, and the traps. Options vary at few widths, and widths
// under few options, since a device compiles a program for each combination.
func Cases() []Case { return append([]Case(nil), allCases()...) }

// ShortCases returns the part of [Cases] that still has every option, type,
// layout and trap, but few lengths and widths: for slow devices and self-tests.
func ShortCases() []Case {
	var short []Case
	for _, c := range allCases() {
		if c.short {
			short = append(short, c)
		}
	}
	return short
}

// CaseNamed returns the case of [Cases] with the given name.
func CaseNamed(name string) (Case, bool) {
	for _, c := range allCases() {
		if c.Name == name {
			return c, true
		}
	}
	return Case{}, false
}

var allCases = sync.OnceValue(func() []Case {
	var l caseList
	l.lengths()
	l.widths()
	l.heads()
	l.options()
	l.optionPairs()
	l.data()
	l.poisons()
	l.emptyRows()
	l.layouts()
	l.types()
	l.blocks()
	l.long()
	return l.cases
})

type caseList struct{ cases []Case }

// add appends a case with a seed made of its name, so that a case keeps its
// numbers when others come and go.
func (l *caseList) add(c Case) {
	h := fnv.New64a()
	h.Write([]byte(c.Name))
	c.Seed = h.Sum64()
	l.cases = append(l.cases, c)
}

// sizes returns a shape in the order that names use: batch, query heads, KV
// heads, queries, keys, dim, value dim.
func sizes(b, hq, hkv, lq, lk, d, dv int) attention.Shape {
	return attention.Shape{Batch: b, Heads: hq, KVHeads: hkv, QueryLen: lq, KeyLen: lk, Dim: d, ValueDim: dv}
}

func causal(a attention.Align) attention.Options { return attention.Options{Causal: a} }

func window(left, right int, a attention.Align) attention.Options {
	return attention.Options{Window: attention.Window{Left: left, Right: right, Align: a}}
}
