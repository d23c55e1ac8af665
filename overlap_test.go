package attention

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// callWith makes a call of [1, 2, 3, 4] tensors with the given O and others
// fresh, unless given.
func callWith(o Tensor, change func(*Inputs, *Outputs)) error {
	in := Inputs{Q: Zeros(Float32, 1, 2, 3, 4), K: Zeros(Float32, 1, 2, 3, 4), V: Zeros(Float32, 1, 2, 3, 4)}
	out := Outputs{O: o}
	if change != nil {
		change(&in, &out)
	}
	_, err := NewCall(Options{}, in, out)
	return err
}

func TestOverlapRefused(t *testing.T) {
	shape := [4]int{1, 2, 3, 4}
	data := make([]float32, 100)
	view := NewFloat32(data, 100).WithStrides(shape, [4]int{0, 12, 4, 1}, 0)
	moved := func(offset int) Tensor { return view.WithStrides(shape, [4]int{0, 12, 4, 1}, offset) }
	lse := func(offset int) Tensor {
		return NewFloat32(data, 100).WithStrides([4]int{1, 2, 3, 1}, [4]int{0, 3, 1, 0}, offset)
	}
	for name, c := range map[string]struct {
		o             Tensor
		change        func(*Inputs, *Outputs)
		output, other string
	}{
		"Q":               {view, func(in *Inputs, _ *Outputs) { in.Q = view }, "O", "Q"},
		"K by one":        {view, func(in *Inputs, _ *Outputs) { in.K = moved(23) }, "O", "K"},
		"V by one before": {moved(23), func(in *Inputs, _ *Outputs) { in.V = view }, "O", "V"},
		"another slice": {NewFloat32(data[20:44], 1, 2, 3, 4), func(in *Inputs, _ *Outputs) { in.Q = view },
			"O", "Q"},
		"bias": {view, func(in *Inputs, _ *Outputs) { in.Bias = NewFloat32(data[23:24], 1) }, "O", "bias"},
		"LSE with Q": {moved(30), func(in *Inputs, out *Outputs) { in.Q, out.LSE = view, lse(23) },
			"LSE", "Q"},
		"LSE with O": {view, func(_ *Inputs, out *Outputs) { out.LSE = lse(20) }, "LSE", "O"},
		"LSE with itself": {view, func(_ *Inputs, out *Outputs) {
			out.LSE = NewFloat32(make([]float32, 9), 9).WithStrides([4]int{1, 2, 3, 1}, [4]int{0, 2, 1, 0}, 0)
		}, "LSE", "itself"},
		"broadcast O":   {Zeros(Float32, 1, 1, 3, 4).BroadcastTo(shape), nil, "O", "itself"},
		"O row in row":  {view.WithStrides(shape, [4]int{0, 12, 3, 1}, 0), nil, "O", "itself"},
		"O tiles cross": {view.WithStrides(shape, [4]int{0, 6, 4, 3}, 0), nil, "O", "itself"},
		"woven, one element": {view.WithStrides(shape, [4]int{0, 4, 16, 1}, 0), func(in *Inputs, _ *Outputs) {
			in.Q = view.WithStrides(shape, [4]int{0, 4, 16, 1}, 7)
		}, "O", "Q"},
	} {
		t.Run(name, func(t *testing.T) {
			err := callWith(c.o, c.change)
			var overlap *OverlapError
			require.ErrorAs(t, err, &overlap)
			require.Equal(t, OverlapError{Output: c.output, Other: c.other}, *overlap)
		})
	}
}

func TestNeighboursAccepted(t *testing.T) {
	shape := [4]int{1, 2, 3, 4}
	buffer := Zeros(Float32, 200)
	at := func(strides [4]int, offset int) Tensor { return buffer.WithStrides(shape, strides, offset) }
	row := [4]int{0, 20, 40, 1} // [sequence, head, part, dim] with five parts
	for name, c := range map[string]struct {
		o      Tensor
		change func(*Inputs, *Outputs)
	}{
		"side by side": {at([4]int{0, 12, 4, 1}, 24), func(in *Inputs, _ *Outputs) { in.Q = at([4]int{0, 12, 4, 1}, 0) }},
		"packed with its inputs": {at(row, 12), func(in *Inputs, out *Outputs) {
			in.Q, in.K, in.V = at(row, 0), at(row, 4), at(row, 8)
			out.LSE = buffer.WithStrides([4]int{1, 2, 3, 1}, row, 16)
		}},
		"batch and sequence exchanged": {Zeros(Float32, 1, 3, 2, 4).Transpose(AxisHead, AxisSequence), nil},
		"columns":                      {Zeros(Float32, 1, 2, 4, 3).Transpose(AxisSequence, AxisDim), nil},
		"even and odd elements": {at([4]int{0, 24, 8, 2}, 0), func(in *Inputs, _ *Outputs) {
			in.Q = at([4]int{0, 24, 8, 2}, 1)
		}},
		"columns woven": {at([4]int{0, 3, 1, 12}, 0), func(in *Inputs, _ *Outputs) {
			in.Q = at([4]int{0, 3, 1, 12}, 6)
		}},
		"backwards":            {at([4]int{0, -12, -4, -1}, 23), nil},
		"steps that interlock": {at([4]int{0, 2, 4, 15}, 0), nil},
		"inputs share":         {Zeros(Float32, 1, 2, 3, 4), func(in *Inputs, _ *Outputs) { in.K, in.V = in.Q, in.Q }},
		"broadcast input between": {at([4]int{0, 100, 20, 1}, 0), func(in *Inputs, _ *Outputs) {
			in.K = at([4]int{0, 0, 0, 1}, 50)
		}},
	} {
		t.Run(name, func(t *testing.T) { require.NoError(t, callWith(c.o, c.change)) })
	}
}

// TestOverlapAgainstBruteForce compares random pairs of views byte by byte.
func TestOverlapAgainstBruteForce(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	storage := make([]float32, 4000)
	view := func() (Tensor, map[int]int) {
		var shape, strides [4]int
		for axis := range shape {
			shape[axis], strides[axis] = 1+random.IntN(3), random.IntN(41)-20
			if shape[axis] == 1 {
				strides[axis] = 0
			}
		}
		v := NewFloat32(storage, 4000).WithStrides(shape, strides, 2000+random.IntN(30))
		touched := map[int]int{}
		for b := range shape[0] {
			for h := range shape[1] {
				for i := range shape[2] {
					for d := range shape[3] {
						touched[v.Index(b, h, i, d)]++
					}
				}
			}
		}
		return v, touched
	}
	met := 0
	for range 5000 {
		a, touchedA := view()
		b, touchedB := view()
		folds, shares := false, false
		for at, times := range touchedA {
			folds = folds || times > 1
			shares = shares || touchedB[at] > 0
		}
		require.Equal(t, folds, a.folds(), "%v", a)
		require.Equal(t, shares, overlaps(a, b), "%v at %d and %v at %d", a, a.offset, b, b.offset)
		require.Equal(t, shares, overlaps(b, a))
		if shares {
			met++
		}
	}
	require.Greater(t, met, 500)
	require.Less(t, met, 4500)
}

// TestPackedBuffersAreTold checks that the usual layouts of one buffer for all
// operands are decided by their strides: run by run, such a call took longer to
// check than to compute.
func TestPackedBuffersAreTold(t *testing.T) {
	const length, heads, dim = 1 << 10, 32, 64
	shape, row := [4]int{1, heads, length, dim}, 4*heads*dim
	buffer := NewFloat16(make([]uint16, length*row), length*row)
	for name, part := range map[string]func(n int) Tensor{
		"[L, 4, H, D]": func(n int) Tensor { return buffer.WithStrides(shape, [4]int{0, dim, row, 1}, n*heads*dim) },
		"[L, H, 4, D]": func(n int) Tensor { return buffer.WithStrides(shape, [4]int{0, 4 * dim, row, 1}, n*dim) },
		"[H, L, 4, D]": func(n int) Tensor { return buffer.WithStrides(shape, [4]int{0, length * 4 * dim, 4 * dim, 1}, n*dim) },
		"backwards": func(n int) Tensor {
			return buffer.WithStrides(shape, [4]int{0, dim, -row, 1}, (length-1)*row+n*heads*dim)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for n := range 4 {
				for m := range 4 {
					a, b := part(n), part(m)
					aLow, _, _ := a.addresses()
					bLow, _, _ := b.addresses()
					require.Equal(t, n != m, apart(a, b, aLow, bLow), "parts %d and %d", n, m)
				}
			}
			in, out := Inputs{Q: part(0), K: part(1), V: part(2)}, Outputs{O: part(3)}
			require.Less(t, testing.AllocsPerRun(1, func() { _, _ = NewCall(Options{}, in, out) }), 20.0)
			_, err := NewCall(Options{}, in, out)
			require.NoError(t, err)
		})
	}
}
