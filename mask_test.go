package attention

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// allowedByRule is the rule of the package documentation, written down again.
func allowedByRule(p Problem, in Inputs, b, i, j int) bool {
	keys := p.KeyLen
	if in.Lengths != nil {
		keys = in.Lengths[b]
	}
	align := p.Causal
	if align == Off {
		align = p.Window.Align
	}
	position := i
	switch align {
	case BottomRight:
		position = keys - p.QueryLen + i
	case PerBatch:
		position = in.Offsets[b] + i
	}
	allowed := j >= 0 && j < keys
	if p.Causal != Off && j > position {
		allowed = false
	}
	if w := p.Window; w.Align != Off {
		if w.Left != -1 && j < position-w.Left {
			allowed = false
		}
		if w.Right != -1 && j > position+w.Right {
			allowed = false
		}
	}
	return allowed
}

// randomCall makes a small valid call with random masking.
func randomCall(t testing.TB, random *rand.Rand) *Call {
	t.Helper()
	batch, groups, queries, keys := 1+random.IntN(2), 1+random.IntN(2), random.IntN(7), random.IntN(9)
	opts := Options{Causal: Align(random.IntN(4))}
	if random.IntN(2) == 0 {
		align := opts.Causal
		if align == Off {
			align = Align(1 + random.IntN(3))
		}
		opts.Window = Window{Left: random.IntN(7) - 1, Right: random.IntN(7) - 1, Align: align}
	}
	in := Inputs{
		Q: Zeros(Float32, batch, 2*groups, queries, 1), K: Zeros(Float32, batch, groups, keys, 1), V: Zeros(Float32, batch, groups, keys, 1),
	}
	if opts.align() == PerBatch {
		for range batch {
			in.Offsets = append(in.Offsets, random.IntN(31)-15)
		}
	}
	if random.IntN(2) == 0 {
		in.Lengths = []int{}
		for range batch {
			in.Lengths = append(in.Lengths, random.IntN(keys+1))
		}
	}
	if random.IntN(2) == 0 {
		in.Mask = randomMask(random, [4]int{batch, 2 * groups, queries, keys})
	}
	call, err := NewCall(opts, in, Outputs{O: Zeros(Float32, batch, 2*groups, queries, 1)})
	require.NoError(t, err)
	return call
}

// randomMask broadcasts some axes and runs backwards along others.
func randomMask(random *rand.Rand, shape [4]int) Tensor {
	for axis := range shape {
		if random.IntN(3) == 0 {
			shape[axis] = 1
		}
	}
	mask := Zeros(Bool, shape[:]...)
	for n := range mask.bools {
		mask.bools[n] = random.IntN(3) > 0
	}
	for axis, size := range shape {
		if size > 0 && random.IntN(4) == 0 {
			strides := mask.strides
			offset := mask.offset + (size-1)*strides[axis]
			strides[axis] = -strides[axis]
			mask = mask.WithStrides(shape, strides, offset)
		}
	}
	return mask
}

func TestMaskAgainstBruteForce(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 4000 {
		call := randomCall(t, random)
		p := call.Problem
		for b := range p.Batch {
			for h := range p.Heads {
				checkKeep(t, call, b, h)
			}
			checkBlocks(t, call, b, random.IntN(p.Heads))
		}
	}
}

func checkKeep(t *testing.T, call *Call, b, h int) {
	t.Helper()
	p, mask := call.Problem, call.Mask(b, h)
	for i := range p.QueryLen {
		for j := -2; j < p.KeyLen+2; j++ {
			want := allowedByRule(p, call.In, b, i, j)
			if p.Masked && j >= 0 && j < p.KeyLen {
				want = want && call.In.Mask.At(b, h, i, j) != 0
			}
			if mask.Keep(i, j) != want || call.Keep(b, h, i, j) != want {
				t.Fatalf("Keep(%d, %d) is %v in batch %d head %d of %v with %+v", i, j, !want, b, h, p, mask)
			}
		}
	}
}

// checkBlocks checks KeyRange and Cover of all blocks against counting pairs.
func checkBlocks(t *testing.T, call *Call, b, h int) {
	t.Helper()
	p, mask := call.Problem, call.Mask(b, h)
	var allowed [8][10]bool
	for i := range p.QueryLen {
		for j := range p.KeyLen {
			allowed[i][j] = allowedByRule(p, call.In, b, i, j)
		}
	}
	for i0 := range p.QueryLen + 1 {
		for i1 := i0; i1 <= p.QueryLen; i1++ {
			low, high := p.KeyLen, 0
			for i := i0; i < i1; i++ {
				for j := range p.KeyLen {
					if allowed[i][j] {
						low, high = min(low, j), max(high, j+1)
					}
				}
			}
			if high == 0 {
				low = 0
			}
			if j0, j1 := call.KeyRange(b, h, i0, i1); j0 != low || j1 != high {
				t.Fatalf("KeyRange(%d, %d) is [%d, %d), want [%d, %d) in %v with %+v", i0, i1, j0, j1, low, high, p, mask)
			}
			for j0 := range p.KeyLen + 1 {
				for j1 := j0; j1 <= p.KeyLen; j1++ {
					pairs := 0
					for i := i0; i < i1; i++ {
						for j := j0; j < j1; j++ {
							if allowed[i][j] {
								pairs++
							}
						}
					}
					want := CoverSome
					switch {
					case pairs == 0:
						want = CoverNone
					case pairs == (i1-i0)*(j1-j0) && !p.Masked:
						want = CoverAll
					}
					if got := mask.Cover(i0, i1, j0, j1); got != want {
						t.Fatalf("Cover(%d, %d, %d, %d) is %d, want %d in %v with %+v", i0, i1, j0, j1, got, want, p, mask)
					}
				}
			}
		}
	}
}

func TestMaskExamples(t *testing.T) {
	// The picture everyone draws: two queries, four keys.
	shape := Shape{Batch: 1, Heads: 1, KVHeads: 1, QueryLen: 2, KeyLen: 4, Dim: 1, ValueDim: 1}
	for _, c := range []struct {
		name string
		opts Options
		in   Inputs
		want [2]string
	}{
		{"plain", Options{}, Inputs{}, [2]string{"1111", "1111"}},
		{"top left", Options{Causal: TopLeft}, Inputs{}, [2]string{"1000", "1100"}},
		{"bottom right", Options{Causal: BottomRight}, Inputs{}, [2]string{"1110", "1111"}},
		{"per batch", Options{Causal: PerBatch}, Inputs{Offsets: []int{1}}, [2]string{"1100", "1110"}},
		{"before all keys", Options{Causal: PerBatch}, Inputs{Offsets: []int{-1}}, [2]string{"0000", "1000"}},
		{"after all keys", Options{Window: Window{Left: 1, Right: -1, Align: PerBatch}}, Inputs{Offsets: []int{4}}, [2]string{"0001", "0000"}},
		{"three keys", Options{Window: Window{Left: 2, Align: BottomRight}}, Inputs{}, [2]string{"1110", "0111"}},
		{"right only", Options{Window: Window{Left: -1, Right: 1, Align: TopLeft}}, Inputs{}, [2]string{"1100", "1110"}},
		{"limit", Options{Window: Window{Left: limit, Right: limit, Align: PerBatch}}, Inputs{Offsets: []int{-limit}}, [2]string{"1000", "1100"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			mask := (&Call{Problem: Problem{Shape: shape, Options: c.opts}, In: c.in}).Mask(0, 0)
			for i, row := range c.want {
				for j, want := range row {
					require.Equal(t, want == '1', mask.Keep(i, j), "query %d, key %d", i, j)
				}
			}
		})
	}
}

func TestMaskAccessors(t *testing.T) {
	p := Problem{Shape: Shape{QueryLen: 5, KeyLen: 9}, Options: Options{Causal: BottomRight}, Operands: Operands{Lengths: true}}
	mask := (&Call{Problem: p, In: Inputs{Lengths: []int{9, 3}}}).Mask(1, 0)
	require.Equal(t, 3, mask.KeyLen())
	require.Equal(t, -2, mask.Offset(), "a negative offset is not clamped")
}
