package verify

import "github.com/glattn/attention"

// blocks are K and V in q8_0, by what they are used for: a quantized cache, read
// for one query or a few, and the edges of a block.
func (l *caseList) blocks() {
	const f16, bf16, q8 = attention.Float16, attention.BFloat16, attention.Q8_0
	cache := Types{K: q8, V: q8}
	const why = "a quantized cache: int8 values with a scale for each 32"
	for _, c := range []Case{
		{Name: "decode", Why: why, Shape: sizes(2, 8, 2, 1, 203, 128, 128), short: true},
		{Name: "decode-long", Why: "a long quantized cache: many partial results are merged", Shape: sizes(1, 4, 1, 1, 5000, 64, 64)},
		{Name: "decode-mha", Why: "one row a KV head", Shape: sizes(1, 3, 3, 1, 77, 64, 64)},
		{Name: "decode-d32", Why: "rows of one block", Shape: sizes(1, 4, 2, 1, 65, 32, 32)},
		{Name: "decode-d80", Why: "rows end in half a block, the rest of which is padding", Shape: sizes(2, 4, 2, 1, 90, 80, 80)},
		{Name: "speculate", Why: "a few queries at the end of a cache", Shape: sizes(2, 4, 1, 4, 150, 64, 64), Options: causal(attention.BottomRight)},
		{Name: "prefill", Why: why, Shape: sizes(1, 4, 2, 37, 131, 64, 64), Options: causal(attention.BottomRight), short: true},
		{Name: "prefill-d128", Why: why, Shape: sizes(1, 2, 1, 65, 129, 128, 128), Options: causal(attention.BottomRight)},
		{Name: "prefill-d80", Why: "rows end in half a block, the rest of which is padding", Shape: sizes(2, 2, 2, 33, 70, 80, 80), short: true},
		{Name: "d1", Why: "a block of which one number counts", Shape: sizes(1, 2, 1, 9, 35, 1, 1)},
		{Name: "d576-dv512", Why: "values narrower than keys, and many blocks", Shape: sizes(1, 4, 1, 1, 67, 576, 512)},
		{Name: "d40-dv96", Why: "values wider than keys", Shape: sizes(1, 2, 1, 19, 45, 40, 96)},
		{Name: "keys", Why: "quantized keys beside float16 values", Shape: sizes(2, 4, 2, 1, 90, 64, 64), Types: Types{K: q8, V: f16}, short: true},
		{Name: "values", Why: "quantized values beside bfloat16 keys", Shape: sizes(2, 4, 2, 23, 90, 64, 64), Types: Types{K: bf16, V: q8}},
		{Name: "f16", Why: "float16 queries and outputs around a quantized cache", Shape: sizes(2, 4, 2, 1, 90, 64, 64), Types: Types{Q: f16, K: q8, V: q8, O: f16}},
		{Name: "bf16", Why: "bfloat16 queries and outputs around a quantized cache", Shape: sizes(2, 4, 2, 29, 71, 72, 72), Types: Types{Q: bf16, K: q8, V: q8, O: bf16}},
		{Name: "bshd", Why: "tokens before heads, as caches are often kept", Layout: LayoutBSHD, Shape: sizes(2, 4, 2, 1, 90, 80, 80)},
		{Name: "subview", Why: "gaps of whole blocks", Layout: LayoutSubview, Shape: sizes(2, 4, 2, 19, 45, 40, 40)},
		{Name: "reversed", Why: "a negative stride", Layout: LayoutReversed, Shape: sizes(2, 2, 1, 19, 45, 64, 64)},
		{Name: "repeated", Why: "one row of blocks many times", Layout: LayoutRepeated, Shape: sizes(2, 2, 1, 3, 45, 64, 64)},
		{Name: "absurd", Why: "the stride of an axis of size 1 means nothing", Layout: LayoutAbsurd, Shape: sizes(1, 1, 1, 1, 9, 1, 40)},
		{Name: "options", Why: "all options at once", Layout: LayoutMixed, Shape: sizes(3, 4, 2, 35, 67, 48, 48), BiasAxes: "hqk", MaskAxes: "bhqk",
			Options: attention.Options{Scale: 0.2, Softcap: 2, Causal: attention.BottomRight, Window: attention.Window{Left: 9, Right: 3, Align: attention.BottomRight}},
			Lengths: []int{67, 0, 34}, Fill: Fill{Poison: MaskedNaN}},
		{Name: "peaked", Why: "large scores from quantized keys", Shape: sizes(1, 2, 2, 23, 90, 64, 64), Fill: Fill{Data: Peaked}},
		{Name: "poison-lengths", Why: "scales of NaN and Inf in the unused part of a cache", Shape: sizes(2, 4, 2, 1, 90, 64, 64), Lengths: []int{41, 90},
			Fill: Fill{Poison: PaddingNaN}, short: true},
		{Name: "poison-mask", Why: "scales of NaN and Inf behind a mask", Shape: sizes(2, 2, 1, 21, 90, 80, 80), MaskAxes: "bk", Fill: Fill{Poison: MaskedNaN}},
		{Name: "poison-decode-d80", Why: "scales of NaN and Inf behind a mask, for one query", Shape: sizes(2, 4, 2, 1, 90, 80, 80), MaskAxes: "bk",
			Fill: Fill{Poison: MaskedNaN}},
		{Name: "seen-nan", Why: "a scale of NaN reaches the queries that see it, and no other", Shape: sizes(2, 4, 2, 40, 70, 64, 64),
			Options: causal(attention.BottomRight), Fill: Fill{Poison: SomeNaN}, short: true},
		{Name: "seen-value-nan", Why: "a scale of NaN in one block of V reaches 32 columns", Shape: sizes(2, 4, 2, 1, 300, 96, 96), Fill: Fill{Poison: OneValueNaN}},
	} {
		c.Name = "q8-" + c.Name
		if c.Types == (Types{}) {
			c.Types = cache
		}
		l.add(c)
	}
}
