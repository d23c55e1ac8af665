package attention

import (
	"math/bits"
	"strings"
)

// Features is a set of bits, one for each option or operand that changes the
// answer. A backend that lacks a bit of a problem refuses it.
type Features uint64

// The features.
const (
	FeatureScale Features = 1 << iota
	FeatureSoftcap
	FeatureCausal
	FeatureWindow
	FeatureOffsets // PerBatch alignment
	FeatureMask
	FeatureBias
	FeatureLengths
	FeatureLSE
	FeatureGroups   // Hq ≠ Hkv
	FeatureValueDim // Dv ≠ D
	FeatureFloat16
	FeatureBFloat16
	FeatureQ8_0 // K or V in blocks of int8
	featureEnd
)

// AllFeatures has every bit set but FeatureResident, which changes no answer.
const AllFeatures = featureEnd - 1

// FeatureResident is set by tensors in the [Memory] of a device.
const FeatureResident = featureEnd

var featureNames = []string{"scale", "softcap", "causal", "window", "offsets", "mask", "bias", "lengths", "lse",
	"groups", "value-dim", "f16", "bf16", "q8_0", "resident"}

// Features returns the bits that p sets.
func (p Problem) Features() Features {
	var f Features
	set := func(on bool, bit Features) {
		if on {
			f |= bit
		}
	}
	set(p.Scale != 0, FeatureScale)
	set(p.Softcap != 0, FeatureSoftcap)
	set(p.Causal != Off, FeatureCausal)
	set(p.Window.Align != Off, FeatureWindow)
	set(p.align() == PerBatch, FeatureOffsets)
	set(p.Masked, FeatureMask)
	set(p.Bias != NoType, FeatureBias)
	set(p.Lengths, FeatureLengths)
	set(p.LSE, FeatureLSE)
	set(p.Resident != 0, FeatureResident)
	set(p.Heads != p.KVHeads, FeatureGroups)
	set(p.Dim != p.ValueDim, FeatureValueDim)
	for _, t := range []DType{p.Q, p.K, p.V, p.O, p.Bias} {
		set(t == Float16, FeatureFloat16)
		set(t == BFloat16, FeatureBFloat16)
		set(t == Q8_0, FeatureQ8_0)
	}
	return f
}

// Missing returns an [UnsupportedError] naming the first feature of p that
// supported lacks, or nil.
func (p Problem) Missing(backend string, supported Features) error {
	missing := p.Features() &^ supported
	if missing == 0 {
		return nil
	}
	first := missing & -missing
	return &UnsupportedError{Backend: backend, Feature: "feature " + first.String(), Limit: "supports " + supported.String()}
}

// String lists the names of the bits, separated by commas.
func (f Features) String() string {
	var names []string
	for f != 0 {
		bit := bits.TrailingZeros64(uint64(f))
		if bit >= len(featureNames) {
			break
		}
		names = append(names, featureNames[bit])
		f &= f - 1
	}
	return strings.Join(names, ",")
}
