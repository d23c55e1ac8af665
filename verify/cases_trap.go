package verify

import (
	"fmt"

	"github.com/glattn/attention"
)

// data adds the kinds of numbers, plain, causal and for one query.
func (l *caseList) data() {
	for _, kind := range []struct {
		data Data
		why  string
	}{
		{Peaked, "peaked softmax: score errors show"},
		{Huge, "logits of ±65504: the exponential overflows without a maximum"},
		{Equal, "all scores equal: sums of many equal weights"},
		{LastKey, "one key in the last tile decides: a stale maximum overflows"},
		{Ascending, "the maximum rises at every key: sums and outputs are rescaled each time"},
		{Integers, "scores without rounding"},
		{SharpValues, "values of very different size: each output has a bound of its own"},
	} {
		name := string(kind.data)
		l.add(Case{Name: "data-" + name + "-d16", Why: kind.why, Shape: sizes(1, 2, 1, 21, 129, 16, 16), Fill: Fill{Data: kind.data}, short: true})
		l.add(Case{Name: "data-" + name + "-d64", Why: kind.why, Shape: sizes(2, 2, 2, 33, 200, 64, 64), Fill: Fill{Data: kind.data}})
		l.add(Case{Name: "data-" + name + "-causal", Why: kind.why, Shape: sizes(1, 2, 1, 70, 131, 16, 16), Fill: Fill{Data: kind.data},
			Options: causal(attention.BottomRight)})
		l.add(Case{Name: "data-" + name + "-decode", Why: kind.why, Shape: sizes(1, 4, 1, 1, 801, 64, 64), Fill: Fill{Data: kind.data}})
	}
	for _, data := range []Data{LastKey, Ascending} {
		l.add(Case{Name: "data-" + string(data) + "-long", Why: "more keys than any tile holds: the sums so far are rescaled",
			Shape: sizes(1, 1, 1, 18, 1153, 8, 8), Fill: Fill{Data: data}, short: true})
	}
	l.add(Case{Name: "data-last-key-lengths", Why: "the deciding key stands at the end of the batch entry, not of the tensor",
		Shape: sizes(3, 2, 1, 17, 150, 16, 16), Lengths: []int{149, 65, 1}, Fill: Fill{Data: LastKey, Poison: PaddingNaN}, short: true})
	for _, fill := range []struct {
		bias BiasFill
		why  string
	}{
		{BiasRow40000, "a row of finite −40000 is an ordinary softmax"},
		{BiasRowInf, "a row of −Inf is empty"},
		{BiasHoles, "−Inf masks single keys"},
		{BiasZero, "a bias of 0 changes nothing"},
		{BiasALiBi, "a bias that falls with distance"},
	} {
		l.add(Case{Name: "bias-fill-" + string(fill.bias), Why: fill.why, Shape: sizes(2, 2, 1, 23, 77, 16, 16), BiasAxes: "hqk",
			Fill: Fill{Bias: fill.bias}, short: fill.bias != BiasZero})
		l.add(Case{Name: "bias-fill-" + string(fill.bias) + "-causal", Why: fill.why, Shape: sizes(2, 2, 1, 37, 40, 16, 16), BiasAxes: "bhqk",
			Options: causal(attention.BottomRight), Fill: Fill{Bias: fill.bias}})
	}
}

// reasons are the ways in which a key can be hidden from every query.
var reasons = []struct {
	name  string
	apply func(*Case)
}{
	{"causal", setOptions(causal(attention.TopLeft))},
	{"window", setOptions(window(3, 2, attention.BottomRight))},
	{"mask", setMask("bk")},
	{"bias", func(c *Case) { c.BiasAxes, c.Fill.Bias = "bk", BiasHoles }},
	{"lengths", func(c *Case) { c.Lengths = []int{c.Shape.KeyLen / 3, c.Shape.KeyLen - 1}[:c.Shape.Batch] }},
}

func (l *caseList) poisons() {
	for _, reason := range reasons {
		for _, lk := range []int{90, 133} {
			c := Case{Name: fmt.Sprintf("poison-%s-lk%d", reason.name, lk), Why: "NaN and Inf that no query may see must not reach the output",
				Shape: sizes(2, 2, 1, 7, lk, 16, 16), short: lk == 90}
			c.Fill.Poison = MaskedNaN
			reason.apply(&c)
			l.add(c)
			c.Name += "-decode"
			c.Shape.QueryLen, c.short = 1, false
			l.add(c)
		}
		c := Case{Name: "poison-" + reason.name + "-softcap", Why: "1000 at a hidden key, brought down to 1 by a softcap after the mask",
			Shape: sizes(2, 2, 1, 7, 90, 16, 16), short: reason.name == "causal" || reason.name == "lengths"}
		c.Fill.Poison = Masked1000
		reason.apply(&c)
		c.Options.Softcap = 1
		l.add(c)
	}
	for _, seen := range []struct {
		poison Poison
		why    string
	}{
		{SomeNaN, "NaN at a key reaches the queries that see it, and no other"},
		{OneValueNaN, "NaN in one number of V reaches one column"},
		{InfiniteKey, "a score of +Inf makes o NaN and lse +Inf, one of −Inf masks"},
		{QueryNaN, "NaN in one query stays in its row"},
	} {
		for _, o := range []option{
			{name: "plain", apply: func(*Case) {}},
			{name: "causal", apply: setOptions(causal(attention.BottomRight))},
			{name: "window", apply: setOptions(window(6, 2, attention.BottomRight))},
			{name: "mask", apply: setMask("qk")},
		} {
			c := Case{Name: "seen-" + string(seen.poison) + "-" + o.name, Why: seen.why, Shape: sizes(2, 4, 2, 40, 70, 16, 16),
				Fill: Fill{Poison: seen.poison}, short: o.name == "causal"}
			o.apply(&c)
			l.add(c)
		}
	}
	l.add(Case{Name: "seen-infinite-bias", Why: "a bias of +Inf makes o NaN and lse +Inf", Shape: sizes(1, 2, 1, 21, 70, 16, 16), BiasAxes: "qk",
		Fill: Fill{Poison: InfiniteBias}, short: true})
	l.add(Case{Name: "seen-some-nan-decode", Why: "NaN at an allowed key, in one of several partial results", Shape: sizes(2, 4, 2, 1, 700, 64, 64),
		Fill: Fill{Poison: SomeNaN}})
}

// emptyRows adds the ways in which a query can see nothing at all.
func (l *caseList) emptyRows() {
	const why = "a query that sees nothing gives o = 0 and lse = −Inf exactly"
	shape := sizes(2, 2, 1, 40, 25, 16, 16)
	l.add(Case{Name: "empty-causal", Why: why, Shape: shape, Options: causal(attention.BottomRight), short: true})
	l.add(Case{Name: "empty-window", Why: why, Shape: shape, Options: window(2, 2, attention.TopLeft)})
	l.add(Case{Name: "empty-far-offsets", Why: why, Shape: shape, Options: window(2, 2, attention.PerBatch), Offsets: []int{1 << 29, -1 << 29}, short: true})
	l.add(Case{Name: "empty-before-start", Why: why, Shape: shape, Options: causal(attention.PerBatch), Offsets: []int{-20, -41}})
	l.add(Case{Name: "empty-lengths", Why: why, Shape: shape, Lengths: []int{0, 0}, Fill: Fill{Poison: PaddingNaN}})
	l.add(Case{Name: "empty-lengths-decode", Why: why, Shape: sizes(2, 4, 1, 1, 300, 64, 64), Lengths: []int{0, 300}, Fill: Fill{Poison: PaddingNaN}})
	l.add(Case{Name: "empty-mask", Why: why, Shape: shape, MaskAxes: "hq", Fill: Fill{Poison: MaskedNaN}})
	l.add(Case{Name: "empty-lengths-causal", Why: "bottom-right is measured from each entry's own length", Shape: sizes(2, 2, 1, 20, 50, 16, 16),
		Options: causal(attention.BottomRight), Lengths: []int{7, 33}, Fill: Fill{Poison: MaskedNaN}, short: true})
}
