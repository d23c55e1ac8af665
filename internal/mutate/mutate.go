// Package mutate names the mistakes that tests plant in a backend on purpose, to
// show that the conformance suite would notice them.
package mutate

import "fmt"

// Kind is one mistake. The zero value plants none.
type Kind uint8

// The mistakes.
const (
	None             Kind = iota
	CausalOffByOne        // the causal rule lets each query see one key too many
	WindowOffByOne        // the window reaches one key too far
	ScaleLeftOut          // q·k is not scaled
	SoftcapAfterMask      // softcap is applied last, so it makes masked scores finite
	HeadsTiled            // query head h reads KV head h mod Hkv, not h div (Hq/Hkv)
	LastTileUnmasked      // the last key tile of a row block is not masked
	StaleMaximum          // output and row sum keep the scale of an older maximum
	SumNotRescaled        // the row sum alone does
	end
)

var names = [...]string{"none", "causal off by one", "window off by one", "scale left out", "softcap after mask",
	"heads tiled", "last tile unmasked", "stale maximum", "sum not rescaled"}

// String returns the mistake in words.
func (k Kind) String() string {
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("mutation(%d)", uint8(k))
}

// All returns every mistake, without None.
func All() []Kind {
	var kinds []Kind
	for k := None + 1; k < end; k++ {
		kinds = append(kinds, k)
	}
	return kinds
}
