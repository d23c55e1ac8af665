package verify

import (
	"fmt"
	"slices"

	"github.com/glattn/attention"
)

// edgeLengths stand on, before and after the tile sizes in use.
var edgeLengths = []int{0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 128, 129}

// lengthPairs are (queries, keys) that have broken other libraries.
var lengthPairs = [][2]int{
	{113, 203}, {128, 217}, {1, 239}, {3, 799}, {127, 513}, {239, 1}, {101, 97}, {5, 1021},
}

func (l *caseList) lengths() {
	for _, n := range edgeLengths {
		for _, c := range []struct {
			form   string
			lq, lk int
			why    string
		}{
			{"square", n, n, "both lengths at the edge of a tile"},
			{"decode", 1, n, "one query: the decode path, keys at the edge of a tile"},
			{"queries", n, 37, "queries at the edge of a tile, keys not"},
		} {
			l.add(Case{Name: fmt.Sprintf("length-%s-%d", c.form, n), Why: c.why, Shape: sizes(1, 2, 1, c.lq, c.lk, 16, 16),
				NoLSE: n%2 == 1, short: n == 0 || n == 65 || n == 17 && c.form == "decode"})
		}
	}
	for _, pair := range lengthPairs {
		for _, o := range []struct {
			name    string
			options attention.Options
		}{
			{"plain", attention.Options{}},
			{"causal-top-left", causal(attention.TopLeft)},
			{"causal-bottom-right", causal(attention.BottomRight)},
			{"window", window(11, 5, attention.BottomRight)},
		} {
			l.add(Case{Name: fmt.Sprintf("pair-%d-%d-%s", pair[0], pair[1], o.name), Why: "lengths that differ, and fit no tile",
				Shape: sizes(1, 2, 2, pair[0], pair[1], 16, 16), Options: o.options, short: pair == [2]int{113, 203} && o.name == "plain"})
		}
	}
	for _, pair := range [][2]int{{1023, 1024}, {1024, 1023}} {
		for _, a := range []attention.Align{attention.Off, attention.BottomRight} {
			l.add(Case{Name: fmt.Sprintf("pair-%d-%d-causal-%v", pair[0], pair[1], a), Why: "the diagonal one off the tiles, over many tiles",
				Shape: sizes(1, 1, 1, pair[0], pair[1], 8, 2), Options: causal(a)})
		}
	}
	l.add(Case{Name: "decode-16384", Why: "a long cache: many partial results are merged", Shape: sizes(1, 2, 1, 1, 16384, 64, 64), short: true})
	l.add(Case{Name: "decode-16384-window", Why: "a long cache of which little is seen", Shape: sizes(1, 2, 1, 1, 16384, 64, 64),
		Options: window(700, 0, attention.BottomRight)})
	l.add(Case{Name: "batch-0", Why: "nothing to do is valid", Shape: sizes(0, 2, 1, 5, 7, 16, 16), short: true})
	l.add(Case{Name: "batch-5", Why: "many small entries", Shape: sizes(5, 3, 3, 9, 21, 16, 16)})
}

// widthList is every dim that occurs in models, and the neighbours of vectors and tiles.
var widthList = []int{1, 2, 3, 7, 8, 16, 21, 31, 32, 40, 59, 64, 72, 80, 96, 111, 128, 160, 192, 203, 224, 256, 320, 512, 576}

func (l *caseList) widths() {
	for _, d := range widthList {
		l.add(Case{Name: fmt.Sprintf("width-%d", d), Why: "a width may leave a tail in every vector", Shape: sizes(1, 2, 1, 19, 37, d, d),
			short: slices.Contains([]int{1, 21, 80, 128, 576}, d)})
	}
	for _, w := range [][2]int{{192, 128}, {576, 512}, {64, 128}, {128, 64}, {1, 576}, {576, 1}, {40, 80}, {7, 3}, {96, 111}, {320, 16}, {21, 64}, {160, 203}} {
		l.add(Case{Name: fmt.Sprintf("width-%d-%d", w[0], w[1]), Why: "values wider or narrower than keys", Shape: sizes(1, 2, 1, 18, 35, w[0], w[1]),
			short: w == [2]int{192, 128} || w == [2]int{7, 3}})
	}
	for _, d := range []int{1, 7, 8, 64, 80, 128, 256, 576} {
		l.add(Case{Name: fmt.Sprintf("width-%d-decode", d), Why: "the decode path has tails of its own", Shape: sizes(2, 4, 2, 1, 77, d, d),
			short: d == 128})
	}
}

func (l *caseList) heads() {
	for _, h := range [][2]int{{1, 1}, {2, 1}, {2, 2}, {3, 1}, {3, 3}, {4, 1}, {4, 2}, {8, 2}, {8, 4}, {8, 8}, {12, 1}, {12, 3}, {12, 4}, {12, 12}} {
		for _, lq := range []int{1, 19} {
			if lq == 1 && h[0] == h[1] { // one query of one head: nothing is shared
				continue
			}
			l.add(Case{Name: fmt.Sprintf("heads-%d-%d-lq%d", h[0], h[1], lq), Why: "which KV head a query head reads: repeated, not tiled",
				Shape: sizes(2, h[0], h[1], lq, 43, 8, 8), short: lq == 19 && (h == [2]int{12, 3} || h == [2]int{8, 4})})
		}
	}
}

func (l *caseList) layouts() {
	for _, layout := range []Layout{LayoutBHSD, LayoutBSHD, LayoutPacked, LayoutSubview, LayoutColumns, LayoutReversed, LayoutShared, LayoutRepeated, LayoutMixed, LayoutInterleave} {
		name := string(layout)
		if layout == LayoutBHSD {
			name = "bhsd"
		}
		for _, lq := range []int{33, 1} {
			c := Case{Name: fmt.Sprintf("layout-%s-lq%d", name, lq), Why: "strides are the caller's", Layout: layout,
				Shape: sizes(2, 4, 2, lq, 33, 16, 16), BiasAxes: "hqk", MaskAxes: "bqk", short: lq == 33}
			if layout == LayoutPacked {
				c.Shape.KeyLen = lq
			}
			l.add(c)
			if lq > 1 {
				c.Name += "-bf16"
				c.Types, c.short = AllTypes(attention.BFloat16), false
				l.add(c)
			}
		}
	}
	for n, shape := range []attention.Shape{sizes(1, 2, 2, 5, 9, 16, 16), sizes(2, 1, 1, 5, 9, 16, 16), sizes(2, 2, 2, 1, 1, 16, 16), sizes(2, 2, 2, 5, 9, 1, 1)} {
		l.add(Case{Name: fmt.Sprintf("layout-absurd-%d", n), Why: "the stride of an axis of size 1 means nothing", Layout: LayoutAbsurd,
			Shape: shape, BiasAxes: "k", MaskAxes: "q", short: n == 0})
	}
}

// types are storage types by what they are used for.
func (l *caseList) types() {
	const f32, f16, bf16 = attention.Float32, attention.Float16, attention.BFloat16
	sets := []struct {
		name  string
		types Types
		short bool
	}{
		{"f16", AllTypes(f16), true},
		{"bf16", AllTypes(bf16), true},
		{"f16-cache", Types{Q: f32, K: f16, V: f16, O: f32}, true},
		{"bf16-cache", Types{Q: f32, K: bf16, V: bf16, O: f32}, false},
		{"f16-queries", Types{Q: f16, K: f32, V: f32, O: f16}, false},
		{"mixed", Types{Q: bf16, K: f16, V: f32, O: bf16}, true},
		{"f16-values", Types{Q: f32, K: f32, V: f16, O: f32}, false},
		{"f16-output", Types{Q: f32, K: f32, V: f32, O: f16}, false},
	}
	for _, s := range sets {
		for _, lq := range []int{29, 1} {
			l.add(Case{Name: fmt.Sprintf("type-%s-lq%d", s.name, lq), Why: "storage types, each tensor its own; arithmetic is float32",
				Shape: sizes(2, 4, 2, lq, 71, 64, 64), Types: s.types, short: s.short && lq == 29})
		}
		if s.types.O == f32 {
			continue
		}
		l.add(Case{Name: fmt.Sprintf("type-%s-odd", s.name), Why: "16-bit rows of odd width straddle words", Options: causal(attention.BottomRight),
			Shape: sizes(1, 3, 3, 13, 27, 21, 21), Types: s.types})
	}
	for _, t := range []attention.DType{f16, bf16} {
		l.add(Case{Name: fmt.Sprintf("type-%v-bias", t), Why: "a 16-bit bias on float32 tensors", Shape: sizes(2, 2, 1, 17, 41, 16, 16),
			BiasAxes: "hqk", Types: Types{Bias: t}, short: true})
		l.add(Case{Name: fmt.Sprintf("type-%v-peaked", t), Why: "large scores from 16-bit inputs", Shape: sizes(1, 2, 2, 23, 90, 64, 64),
			Types: AllTypes(t), Fill: Fill{Data: Peaked}})
		l.add(Case{Name: fmt.Sprintf("type-%v-poison", t), Why: "NaN and Inf of 16-bit types behind a mask", Shape: sizes(2, 2, 2, 9, 50, 16, 16),
			Types: AllTypes(t), Lengths: []int{50, 13}, Fill: Fill{Poison: PaddingNaN}, short: true})
	}
}

func (l *caseList) long() {
	why := "many tiles and many dispatches"
	l.add(Case{Name: "long-prefill", Why: why, Shape: sizes(1, 1, 1, 1536, 1536, 64, 64), Options: causal(attention.BottomRight), Long: true})
	l.add(Case{Name: "long-queries", Why: why, Shape: sizes(1, 1, 1, 16384, 33, 16, 16), Long: true})
	l.add(Case{Name: "long-decode", Why: why, Shape: sizes(2, 4, 1, 1, 50021, 64, 64), Lengths: []int{50021, 49999}, Long: true})
}
