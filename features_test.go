package attention

import (
	"math/bits"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

var baseProblem = Problem{
	Shape:    Shape{Batch: 1, Heads: 2, KVHeads: 2, QueryLen: 3, KeyLen: 4, Dim: 8, ValueDim: 8},
	Operands: Operands{Q: Float32, K: Float32, V: Float32, O: Float32},
}

// answers lists, by type, values of an option or operand that change the answer
// or how it is stored. A field of another type needs an entry here.
var answers = map[reflect.Type][]any{
	reflect.TypeFor[float32]():   {float32(0.5)},
	reflect.TypeFor[bool]():      {true},
	reflect.TypeFor[DType]():     {Float16, BFloat16, Q8_0},
	reflect.TypeFor[Residents](): {ResidentQ, ResidentLSE},
	reflect.TypeFor[Align]():     {TopLeft, BottomRight, PerBatch},
	reflect.TypeFor[Window]():    {Window{Align: TopLeft}, Window{Left: 1, Right: -1, Align: BottomRight}, Window{Align: PerBatch}},
}

// TestEveryOptionSetsAFeature is what makes new options safe: a backend that
// does not know a field's bit refuses it. A new field without a bit fails here.
func TestEveryOptionSetsAFeature(t *testing.T) {
	require.Zero(t, baseProblem.Features(), "plain attention needs no feature")
	var seen Features
	for _, part := range []string{"Options", "Operands"} {
		kind := reflect.ValueOf(baseProblem).FieldByName(part).Type()
		for n := range kind.NumField() {
			field := kind.Field(n)
			values := answers[field.Type]
			require.NotEmpty(t, values, "%s.%s has a type that this test cannot set", part, field.Name)
			for _, value := range values {
				p := baseProblem
				reflect.ValueOf(&p).Elem().FieldByName(part).Field(n).Set(reflect.ValueOf(value))
				require.NotZero(t, p.Features(), "%s.%s = %v sets no feature bit", part, field.Name, value)
				seen |= p.Features()
			}
		}
	}
	p := baseProblem
	p.KVHeads, p.ValueDim = 1, 7
	require.Equal(t, FeatureGroups|FeatureValueDim, p.Features())
	p = baseProblem
	p.Bias = Float32
	require.Equal(t, FeatureBias, p.Features())
	require.Equal(t, AllFeatures|FeatureResident, seen|FeatureGroups|FeatureValueDim, "every bit can be set")

	// FeatureWindow stands for exactly these: a new field needs a bit of its own.
	require.Equal(t, 3, reflect.TypeFor[Window]().NumField())
}

// TestEveryTensorSetsAFeature does the same for the data: giving any optional
// input or output must show in the problem that backends see.
func TestEveryTensorSetsAFeature(t *testing.T) {
	optional := map[string]any{
		"Bias": Zeros(Float32, 1), "Mask": Zeros(Bool, 1), "Lengths": []int{4}, "Offsets": []int{1}, "LSE": Zeros(Float32, 1, 2, 3, 1),
	}
	required := map[string]any{
		"Q": Zeros(Float32, 1, 2, 3, 8), "K": Zeros(Float32, 1, 2, 4, 8), "V": Zeros(Float32, 1, 2, 4, 8), "O": Zeros(Float32, 1, 2, 3, 8),
	}
	try := func(name string) Features {
		var in Inputs
		var out Outputs
		var opts Options
		for _, side := range []reflect.Value{reflect.ValueOf(&in).Elem(), reflect.ValueOf(&out).Elem()} {
			for n := range side.NumField() {
				field := side.Type().Field(n).Name
				value, ok := required[field]
				if !ok && field == name {
					value, ok = optional[field]
					require.True(t, ok, "%s is new: add it to this test, and a feature bit", field)
				}
				if ok {
					side.Field(n).Set(reflect.ValueOf(value))
				}
			}
		}
		if name == "Offsets" {
			opts.Causal = PerBatch
		}
		call, err := NewCall(opts, in, out)
		require.NoError(t, err)
		return call.Problem.Features()
	}
	require.Zero(t, try(""))
	for _, side := range []reflect.Type{reflect.TypeFor[Inputs](), reflect.TypeFor[Outputs]()} {
		for n := range side.NumField() {
			if name := side.Field(n).Name; required[name] == nil {
				require.NotZero(t, try(name), "%s sets no feature bit", name)
			}
		}
	}
}

func TestFeatureNames(t *testing.T) {
	require.Equal(t, len(featureNames), bits.OnesCount64(uint64(AllFeatures|FeatureResident)))
	require.Equal(t, "scale,softcap,causal,window,offsets,mask,bias,lengths,lse,groups,value-dim,f16,bf16,q8_0", AllFeatures.String())
	require.Empty(t, Features(0).String())
	require.Equal(t, "bias", (FeatureBias | featureEnd<<3).String(), "bits without a name are left out")
}

func TestMissing(t *testing.T) {
	p := baseProblem
	require.NoError(t, p.Missing("tiny", 0))
	p.Causal, p.LSE = PerBatch, true
	require.NoError(t, p.Missing("tiny", AllFeatures))
	err := p.Missing("tiny", FeatureCausal|FeatureMask)
	var unsupported *UnsupportedError
	require.ErrorAs(t, err, &unsupported)
	require.Equal(t, UnsupportedError{Backend: "tiny", Feature: "feature offsets", Limit: "supports causal,mask"}, *unsupported)
}
