package attention

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	batch, heads, groups, queries, keys, dim, valueDim = 2, 6, 3, 4, 5, 8, 7
)

// sentinel fills outputs, so that a test sees a write.
const sentinel = 1234.5

// plain returns the operands of a valid call with a bias, a mask and lengths.
func plain() (Options, Inputs, Outputs) {
	in := Inputs{
		Q:       Zeros(Float32, batch, heads, queries, dim),
		K:       Zeros(Float16, batch, groups, keys, dim),
		V:       Zeros(BFloat16, batch, groups, keys, valueDim),
		Bias:    Zeros(Float16, heads, queries, keys),
		Mask:    Zeros(Bool, batch, 1, queries, keys),
		Lengths: []int{5, 0},
	}
	out := Outputs{O: Zeros(Float32, batch, heads, queries, valueDim), LSE: Zeros(Float32, batch, heads, queries, 1)}
	for _, list := range [][]float32{out.O.f32, out.LSE.f32} {
		for n := range list {
			list[n] = sentinel
		}
	}
	return Options{}, in, out
}

func requireUntouched(t *testing.T, out Outputs) {
	t.Helper()
	for _, list := range [][]float32{out.O.Float32s(), out.LSE.Float32s()} {
		for _, v := range list {
			require.Equal(t, float32(sentinel), v, "outputs must be untouched")
		}
	}
}

func TestNewCallMakesTheProblem(t *testing.T) {
	opts, in, out := plain()
	opts.Softcap = 30
	call, err := NewCall(opts, in, out)
	require.NoError(t, err)
	require.Equal(t, Problem{
		Shape:    Shape{Batch: batch, Heads: heads, KVHeads: groups, QueryLen: queries, KeyLen: keys, Dim: dim, ValueDim: valueDim},
		Options:  opts,
		Operands: Operands{Q: Float32, K: Float16, V: BFloat16, O: Float32, Bias: Float16, Masked: true, Lengths: true, LSE: true},
	}, call.Problem)
	require.Equal(t, [4]int{batch, heads, queries, keys}, call.In.Bias.Shape())
	require.Equal(t, [4]int{0, queries * keys, keys, 1}, call.In.Bias.Strides())
	require.Equal(t, [4]int{batch, heads, queries, keys}, call.In.Mask.Shape())
	require.Equal(t, [4]int{queries * keys, 0, keys, 1}, call.In.Mask.Strides())
	require.Equal(t, 2, call.Problem.Group())
	requireUntouched(t, out)
}

func TestNewCallRefuses(t *testing.T) {
	type change func(opts *Options, in *Inputs, out *Outputs)
	size := func(arg, axis string, got, want int) error {
		return &ShapeError{Arg: arg, Axis: axis, Got: got, Want: want}
	}
	number := func(arg string, got, low, high any) error {
		return &RangeError{Arg: arg, Got: got, Min: low, Max: high}
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		change change
		want   error
	}{
		"no Q":     {func(_ *Options, in *Inputs, _ *Outputs) { in.Q = Tensor{} }, &TypeError{Arg: "Q", Got: NoType}},
		"no K":     {func(_ *Options, in *Inputs, _ *Outputs) { in.K = Tensor{} }, &TypeError{Arg: "K", Got: NoType}},
		"no V":     {func(_ *Options, in *Inputs, _ *Outputs) { in.V = Tensor{} }, &TypeError{Arg: "V", Got: NoType}},
		"no O":     {func(_ *Options, _ *Inputs, out *Outputs) { out.O = Tensor{} }, &TypeError{Arg: "O", Got: NoType}},
		"bool Q":   {func(_ *Options, in *Inputs, _ *Outputs) { in.Q = Zeros(Bool, 1) }, &TypeError{Arg: "Q", Got: Bool}},
		"f32 mask": {func(_ *Options, in *Inputs, _ *Outputs) { in.Mask = Zeros(Float32, 1) }, &TypeError{Arg: "mask", Got: Float32}},
		"bool bias": {func(_ *Options, in *Inputs, _ *Outputs) { in.Bias = Zeros(Bool, 1) },
			&TypeError{Arg: "bias", Got: Bool}},
		"f16 LSE": {func(_ *Options, _ *Inputs, out *Outputs) { out.LSE = Zeros(Float16, batch, heads, queries, 1) },
			&TypeError{Arg: "LSE", Got: Float16}},

		"K batch": {func(_ *Options, in *Inputs, _ *Outputs) { in.K = Zeros(Float32, 3, groups, keys, dim) }, size("K", "batch", 3, batch)},
		"K dim":   {func(_ *Options, in *Inputs, _ *Outputs) { in.K = Zeros(Float32, batch, groups, keys, 9) }, size("K", "dim", 9, dim)},
		"V batch": {func(_ *Options, in *Inputs, _ *Outputs) { in.V = Zeros(Float32, 1, groups, keys, valueDim) }, size("V", "batch", 1, batch)},
		"V heads": {func(_ *Options, in *Inputs, _ *Outputs) { in.V = Zeros(Float32, batch, 6, keys, valueDim) }, size("V", "head", 6, groups)},
		"V keys":  {func(_ *Options, in *Inputs, _ *Outputs) { in.V = Zeros(Float32, batch, groups, 6, valueDim) }, size("V", "sequence", 6, keys)},
		"O batch": {func(_ *Options, _ *Inputs, out *Outputs) { out.O = Zeros(Float32, 1, heads, queries, valueDim) }, size("O", "batch", 1, batch)},
		"O heads": {func(_ *Options, _ *Inputs, out *Outputs) { out.O = Zeros(Float32, batch, 3, queries, valueDim) }, size("O", "head", 3, heads)},
		"O queries": {func(_ *Options, _ *Inputs, out *Outputs) { out.O = Zeros(Float32, batch, heads, 1, valueDim) },
			size("O", "sequence", 1, queries)},
		"O dim": {func(_ *Options, _ *Inputs, out *Outputs) { out.O = Zeros(Float32, batch, heads, queries, dim) },
			size("O", "dim", dim, valueDim)},
		"LSE dim": {func(_ *Options, _ *Inputs, out *Outputs) { out.LSE = Zeros(Float32, batch, heads, queries, 2) },
			size("LSE", "dim", 2, 1)},
		"LSE transposed": {func(_ *Options, _ *Inputs, out *Outputs) { out.LSE = Zeros(Float32, batch, heads, 1, queries) },
			size("LSE", "sequence", 1, queries)},
		"bias heads": {func(_ *Options, in *Inputs, _ *Outputs) { in.Bias = Zeros(Float32, 2, queries, keys) }, size("bias", "head", 2, heads)},
		"bias batch": {func(_ *Options, in *Inputs, _ *Outputs) { in.Bias = Zeros(Float32, 3, 1, 1, 1) }, size("bias", "batch", 3, batch)},
		"mask queries": {func(_ *Options, in *Inputs, _ *Outputs) { in.Mask = Zeros(Bool, keys, keys) },
			size("mask", "sequence", keys, queries)},
		"mask keys": {func(_ *Options, in *Inputs, _ *Outputs) { in.Mask = Zeros(Bool, queries, queries) },
			size("mask", "dim", queries, keys)},
		"groups": {func(_ *Options, in *Inputs, _ *Outputs) {
			in.K, in.V = Zeros(Float32, batch, 4, keys, dim), Zeros(Float32, batch, 4, keys, valueDim)
		}, size("Q", "head", heads, 4)},
		"more groups than heads": {func(_ *Options, in *Inputs, _ *Outputs) {
			in.K, in.V = Zeros(Float32, batch, 12, keys, dim), Zeros(Float32, batch, 12, keys, valueDim)
		}, size("Q", "head", heads, 12)},
		"negative size": {func(_ *Options, in *Inputs, _ *Outputs) {
			in.Q = in.Q.WithStrides([4]int{batch, heads, -4, dim}, in.Q.Strides(), 0)
		}, size("Q", "sequence", -4, 0)},
		"no heads": {func(_ *Options, in *Inputs, _ *Outputs) { in.Q = Zeros(Float32, batch, 0, queries, dim) }, number("heads", 0, 1, limit)},
		"no kv heads": {func(_ *Options, in *Inputs, _ *Outputs) { in.K = Zeros(Float32, batch, 0, keys, dim) },
			number("kv heads", 0, 1, limit)},
		"no dim": {func(_ *Options, in *Inputs, _ *Outputs) { in.Q = Zeros(Float32, batch, heads, queries, 0) }, number("dim", 0, 1, limit)},
		"no value dim": {func(_ *Options, in *Inputs, _ *Outputs) { in.V = Zeros(Float32, batch, groups, keys, 0) },
			number("value dim", 0, 1, limit)},
		"too many keys": {func(_ *Options, in *Inputs, _ *Outputs) {
			in.K = in.K.WithStrides([4]int{batch, groups, limit + 1, dim}, [4]int{0, 0, 0, 1}, 0)
		}, number("key length", limit+1, 0, limit)},

		"few lengths":     {func(_ *Options, in *Inputs, _ *Outputs) { in.Lengths = []int{1} }, size("lengths", "", 1, batch)},
		"empty lengths":   {func(_ *Options, in *Inputs, _ *Outputs) { in.Lengths = []int{} }, size("lengths", "", 0, batch)},
		"long length":     {func(_ *Options, in *Inputs, _ *Outputs) { in.Lengths = []int{5, 6} }, number("lengths[1]", 6, 0, keys)},
		"negative length": {func(_ *Options, in *Inputs, _ *Outputs) { in.Lengths = []int{-1, 6} }, number("lengths[0]", -1, 0, keys)},
		"stray offsets":   {func(_ *Options, in *Inputs, _ *Outputs) { in.Offsets = []int{0, 0} }, size("offsets", "", 2, 0)},
		"no offsets":      {func(o *Options, _ *Inputs, _ *Outputs) { o.Causal = PerBatch }, size("offsets", "", 0, batch)},
		"few offsets": {func(o *Options, in *Inputs, _ *Outputs) { o.Causal, in.Offsets = PerBatch, []int{1} },
			size("offsets", "", 1, batch)},
		"far offset": {func(o *Options, in *Inputs, _ *Outputs) { o.Causal, in.Offsets = PerBatch, []int{0, limit + 1} },
			number("offsets[1]", limit+1, -limit, limit)},

		"scale NaN":        {func(o *Options, _ *Inputs, _ *Outputs) { o.Scale = nan }, number("scale", nan, float32(-maxFloat), float32(maxFloat))},
		"scale Inf":        {func(o *Options, _ *Inputs, _ *Outputs) { o.Scale = -inf }, number("scale", -inf, float32(-maxFloat), float32(maxFloat))},
		"softcap negative": {func(o *Options, _ *Inputs, _ *Outputs) { o.Softcap = -1 }, number("softcap", float32(-1), 0, float32(maxFloat))},
		"softcap NaN":      {func(o *Options, _ *Inputs, _ *Outputs) { o.Softcap = nan }, number("softcap", nan, 0, float32(maxFloat))},
		"softcap Inf":      {func(o *Options, _ *Inputs, _ *Outputs) { o.Softcap = inf }, number("softcap", inf, 0, float32(maxFloat))},
		"causal":           {func(o *Options, _ *Inputs, _ *Outputs) { o.Causal = 9 }, number("causal", Align(9), Off, PerBatch)},
		"window align":     {func(o *Options, _ *Inputs, _ *Outputs) { o.Window.Align = 9 }, number("window.align", Align(9), Off, PerBatch)},
		"window without align": {func(o *Options, _ *Inputs, _ *Outputs) { o.Window.Left = 2 },
			number("window.align", Off, TopLeft, PerBatch)},
		"two aligns": {func(o *Options, _ *Inputs, _ *Outputs) { o.Causal, o.Window = BottomRight, Window{Align: TopLeft} },
			number("window.align", TopLeft, BottomRight, BottomRight)},
		"window left": {func(o *Options, _ *Inputs, _ *Outputs) { o.Window = Window{Left: -2, Align: TopLeft} },
			number("window.left", -2, -1, limit)},
		"window right": {func(o *Options, _ *Inputs, _ *Outputs) { o.Window = Window{Right: limit + 1, Align: TopLeft} },
			number("window.right", limit+1, -1, limit)},
	} {
		t.Run(name, func(t *testing.T) {
			opts, in, out := plain()
			untouched := out
			c.change(&opts, &in, &out)
			call, err := NewCall(opts, in, out)
			require.Nil(t, call)
			require.ErrorIs(t, err, ErrInvalid)
			require.NotErrorIs(t, err, ErrUnsupported)
			requireSameError(t, c.want, err)
			requireUntouched(t, untouched)
		})
	}
}

// requireSameError compares the facts of typed errors; the reasons in words are free.
func requireSameError(t *testing.T, want any, got error) {
	t.Helper()
	switch want := want.(type) {
	case *ShapeError:
		var e *ShapeError
		require.ErrorAs(t, got, &e)
		require.NotEmpty(t, e.Why)
		require.Equal(t, *want, ShapeError{Arg: e.Arg, Axis: e.Axis, Got: e.Got, Want: e.Want})
	case *TypeError:
		var e *TypeError
		require.ErrorAs(t, got, &e)
		require.NotEmpty(t, e.Want)
		require.Equal(t, *want, TypeError{Arg: e.Arg, Got: e.Got})
	case *RangeError:
		var e *RangeError
		require.ErrorAs(t, got, &e)
		require.Equal(t, want.Error(), e.Error()) // in words, since NaN equals nothing
	default:
		t.Fatalf("no comparison for %T", want)
	}
}

func TestErrorTexts(t *testing.T) {
	for want, err := range map[string]error{
		"attention: K: dim is 9, want 8 (dim of Q)":                              &ShapeError{Arg: "K", Axis: "dim", Got: 9, Want: 8, Why: "dim of Q"},
		"attention: lengths: length is 1, want 2 (batch of Q)":                   &ShapeError{Arg: "lengths", Got: 1, Want: 2, Why: "batch of Q"},
		"attention: mask: dtype is f32, want bool":                               &TypeError{Arg: "mask", Got: Float32, Want: "bool"},
		"attention: softcap is -1, want 0 to 5":                                  &RangeError{Arg: "softcap", Got: -1, Min: 0, Max: 5},
		"attention: V: view touches elements -1 to 9 of a slice of 5":            &StorageError{Arg: "V", Low: -1, High: 9, Len: 5},
		"attention: K: stride of sequence is 40 elements, want a multiple of 32": &StrideError{Arg: "K", Axis: "sequence", Got: 40, Want: "a multiple of 32"},
		"attention: V: offset is 8 elements, want a multiple of 32":              &StrideError{Arg: "V", Got: 8, Want: "a multiple of 32"},
		"attention: output O overlaps Q in memory":                               &OverlapError{Output: "O", Other: "Q"},
	} {
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, ErrInvalid)
		require.NotErrorIs(t, err, ErrUnsupported)
	}
	err := error(&UnsupportedError{Backend: "gpu", Feature: "dim 600", Limit: "at most 576"})
	require.EqualError(t, err, "gpu: dim 600 is unsupported: at most 576")
	require.ErrorIs(t, err, ErrUnsupported)
	require.NotErrorIs(t, err, ErrInvalid)
}

func TestNewCallAcceptsEmptyProblems(t *testing.T) {
	for _, shape := range [][3]int{{0, 4, 5}, {2, 0, 5}, {2, 4, 0}, {0, 0, 0}} {
		b, lq, lk := shape[0], shape[1], shape[2]
		in := Inputs{Q: Zeros(Float32, b, 2, lq, 3), K: Zeros(Float32, b, 1, lk, 3), V: Zeros(Float32, b, 1, lk, 3),
			Mask: Zeros(Bool, b, 1, lq, lk), Bias: Zeros(Float32, lq, lk)}
		call, err := NewCall(Options{}, in, Outputs{O: Zeros(Float32, b, 2, lq, 3), LSE: Zeros(Float32, b, 2, lq, 1)})
		require.NoError(t, err, "%v", shape)
		require.Zero(t, call.Pairs())
	}
}

func TestFirstMistakeOfAViewIsReported(t *testing.T) {
	for name, view := range map[string]func(Tensor) Tensor{
		"transpose axis": func(t Tensor) Tensor { return t.Transpose(0, 4) },
		"slice axis":     func(t Tensor) Tensor { return t.Slice(-1, 0, 1) },
		"slice bounds":   func(t Tensor) Tensor { return t.Slice(AxisSequence, 2, queries+1) },
		"slice order":    func(t Tensor) Tensor { return t.Slice(AxisSequence, 2, 1) },
		"broadcast":      func(t Tensor) Tensor { return t.BroadcastTo([4]int{batch, heads, 9, dim}) },
		"too many axes":  func(Tensor) Tensor { return Zeros(Float32, 1, 2, 3, 4, 5) },
		"no axes":        func(Tensor) Tensor { return NewFloat32(nil) },
		"negative size":  func(Tensor) Tensor { return Zeros(Float32, 3, -1) },
		"huge sizes":     func(Tensor) Tensor { return Zeros(Float32, math.MaxInt, 3) },
		"huge product":   func(Tensor) Tensor { return NewFloat32(nil, 1<<40, 1<<40) },
	} {
		t.Run(name, func(t *testing.T) {
			opts, in, out := plain()
			in.Q = view(in.Q).Slice(AxisBatch, 0, 0) // what comes later hides nothing
			_, err := NewCall(opts, in, out)
			require.ErrorIs(t, err, ErrInvalid)
			require.ErrorContains(t, err, "attention: Q: ")
			requireUntouched(t, out)
		})
	}
}
