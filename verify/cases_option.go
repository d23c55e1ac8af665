package verify

import (
	"fmt"

	"github.com/glattn/attention"
)

// option is a change to a case. Cases with options have a batch of 3.
type option struct {
	name, why string
	apply     func(*Case)
	short     bool
}

func setOptions(o attention.Options) func(*Case) { return func(c *Case) { c.Options = o } }

func setBias(axes string) func(*Case) { return func(c *Case) { c.BiasAxes = axes } }

func setMask(axes string) func(*Case) { return func(c *Case) { c.MaskAxes = axes } }

// unevenLengths is a full, an empty and a partly filled batch entry.
func unevenLengths(c *Case) {
	n := c.Shape.KeyLen
	c.Lengths = []int{n, 0, (n + 1) / 2}[:c.Shape.Batch]
}

// unevenOffsets is a cache with a past, one without, and a negative position.
func unevenOffsets(c *Case) {
	c.Offsets = []int{c.Shape.KeyLen - c.Shape.QueryLen, 0, -3}[:c.Shape.Batch]
}

func perBatch(o attention.Options) func(*Case) {
	return func(c *Case) {
		c.Options = o
		unevenOffsets(c)
	}
}

var options = []option{
	{"scale", "a scale that is not 1/√D", setOptions(attention.Options{Scale: 0.3}), true},
	{"scale-negative", "a negative scale turns the order of scores", setOptions(attention.Options{Scale: -0.2}), false},
	{"softcap-1", "tanh far from its linear part", setOptions(attention.Options{Softcap: 1}), true},
	{"softcap-30", "tanh near 0, where exponentials cancel", setOptions(attention.Options{Softcap: 30}), false},
	{"causal-top-left", "query i at key i", setOptions(causal(attention.TopLeft)), true},
	{"causal-bottom-right", "the last query at the last key", setOptions(causal(attention.BottomRight)), true},
	{"causal-per-batch", "the position of a cache, negative ones too", perBatch(causal(attention.PerBatch)), true},
	{"window-top-left", "three keys back", setOptions(window(2, 0, attention.TopLeft)), true},
	{"window-bottom-right", "a band around the diagonal", setOptions(window(3, 2, attention.BottomRight)), true},
	{"window-left-only", "the right side unbounded", setOptions(window(5, -1, attention.BottomRight)), false},
	{"window-right-only", "the left side unbounded", setOptions(window(-1, 1, attention.BottomRight)), false},
	{"window-own-key", "one key a query", setOptions(window(0, 0, attention.BottomRight)), false},
	{"window-wide", "a window wider than the keys hides nothing", setOptions(window(1000, 1000, attention.TopLeft)), false},
	{"window-unbounded", "a window without sides hides nothing", setOptions(window(-1, -1, attention.TopLeft)), false},
	{"window-per-batch", "a band at a position of the batch entry's own", perBatch(window(4, 1, attention.PerBatch)), true},
	{"causal-window", "sliding-window attention of language models", setOptions(attention.Options{Causal: attention.BottomRight,
		Window: attention.Window{Left: 7, Right: -1, Align: attention.BottomRight}}), true},
	{"bias-bhqk", "a full bias", setBias("bhqk"), true},
	{"bias-hqk", "a bias of rank 3 aligns right: heads, queries, keys", setBias("hqk"), false},
	{"bias-qk", "a bias for all heads", setBias("qk"), false},
	{"bias-k", "a bias for each key", setBias("k"), false},
	{"bias-bq", "a bias for each query, which shifts lse only", setBias("bq"), false},
	{"bias-1", "a bias of one number, which shifts lse only", setBias("1"), true},
	{"mask-bhqk", "a full mask, with rows that see nothing", setMask("bhqk"), true},
	{"mask-qk", "a mask for all heads", setMask("qk"), false},
	{"mask-bk", "a padding mask", setMask("bk"), true},
	{"mask-hq", "a mask of whole rows", setMask("hq"), false},
	{"mask-1", "a mask of one number", setMask("1"), false},
	{"lengths", "a full, an empty and a half-filled cache", unevenLengths, true},
	{"no-lse", "the log-sum-exp not asked for", func(c *Case) { c.NoLSE = true }, true},
}

// options adds each option alone, at two widths, and for one query.
func (l *caseList) options() {
	for _, o := range options {
		for _, c := range []struct {
			form  string
			shape attention.Shape
			short bool
		}{
			{"d8", sizes(3, 4, 2, 19, 45, 8, 8), false},
			{"d64", sizes(3, 2, 1, 37, 70, 64, 64), o.short},
			{"decode", sizes(3, 4, 2, 1, 83, 64, 64), false},
		} {
			if c.form == "decode" && !o.short { // one query exercises kinds of options, not their values
				continue
			}
			made := Case{Name: "option-" + o.name + "-" + c.form, Why: o.why, Shape: c.shape, short: c.short}
			o.apply(&made)
			l.add(made)
		}
	}
}

// facets are the options whose pairs are tested. Each adds to what is there.
var facets = []option{
	{name: "scale", apply: func(c *Case) { c.Options.Scale = 0.4 }},
	{name: "softcap", apply: func(c *Case) { c.Options.Softcap = 2 }},
	{name: "causal", apply: func(c *Case) { c.Options.Causal = attention.BottomRight }},
	{name: "window", apply: func(c *Case) {
		c.Options.Window = attention.Window{Left: 9, Right: 3, Align: attention.BottomRight}
	}},
	{name: "bias", apply: setBias("hqk")},
	{name: "mask", apply: setMask("bhqk")},
	{name: "lengths", apply: unevenLengths},
	{name: "offsets", apply: func(c *Case) { // last in the list: it moves what is there
		unevenOffsets(c)
		if c.Options.Causal != attention.Off || c.Options.Window.Align == attention.Off {
			c.Options.Causal = attention.PerBatch
		}
		if c.Options.Window.Align != attention.Off {
			c.Options.Window.Align = attention.PerBatch
		}
	}},
}

func (l *caseList) optionPairs() {
	for n, first := range facets {
		for _, second := range facets[:n] {
			c := Case{Name: "both-" + second.name + "-" + first.name, Why: "two options that meet in the same loop",
				Shape: sizes(3, 2, 1, 35, 67, 16, 16), Fill: Fill{Poison: MaskedNaN}}
			second.apply(&c)
			first.apply(&c)
			l.add(c)
		}
	}
	for _, d := range []int{8, 16, 64} {
		for _, lq := range []int{1, 35} {
			c := Case{Name: fmt.Sprintf("everything-d%d-lq%d", d, lq), Why: "all options at once", Shape: sizes(3, 4, 2, lq, 67, d, d),
				Layout: LayoutMixed, Fill: Fill{Poison: MaskedNaN}, short: lq == 35 && d == 16}
			for _, f := range facets {
				f.apply(&c)
			}
			l.add(c)
		}
	}
}
