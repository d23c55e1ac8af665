package attention

import (
	"slices"
	"unsafe"
)

// checkOverlap refuses outputs that share memory with an input, with each other
// or with themselves, since their order of writing is not defined.
func (c *Call) checkOverlap() error {
	outputs := []operand{{"O", &c.Out.O}, {"LSE", &c.Out.LSE}}
	for n, out := range outputs {
		if !out.tensor.Present() {
			continue
		}
		if out.tensor.folds() {
			return &OverlapError{Output: out.name, Other: "itself"}
		}
		others := []operand{{"Q", &c.In.Q}, {"K", &c.In.K}, {"V", &c.In.V}, {"bias", &c.In.Bias}, {"mask", &c.In.Mask}}
		for _, other := range append(others, outputs[:n]...) {
			if other.tensor.Present() && overlaps(*out.tensor, *other.tensor) {
				return &OverlapError{Output: out.name, Other: other.name}
			}
		}
	}
	return nil
}

// folds reports whether two elements of the view share storage.
func (t Tensor) folds() bool {
	if _, _, empty, _ := t.span(); empty {
		return false
	}
	order := []int{0, 1, 2, 3}
	slices.SortFunc(order, func(a, b int) int { return abs(t.strides[a]) - abs(t.strides[b]) })
	reach := 0 // highest distance from the base that the axes so far can make
	for _, axis := range order {
		if t.shape[axis] == 1 {
			continue
		}
		if abs(t.strides[axis]) <= reach {
			return t.foldsExactly()
		}
		reach += (t.shape[axis] - 1) * abs(t.strides[axis])
	}
	return false
}

// foldsExactly compares all elements; only views whose strides interleave get here.
func (t Tensor) foldsExactly() bool {
	if slices.ContainsFunc([]int{0, 1, 2, 3}, func(axis int) bool { return t.shape[axis] > 1 && t.strides[axis] == 0 }) {
		return true
	}
	seen := make(map[int]struct{})
	for b := range t.shape[0] {
		for h := range t.shape[1] {
			for i := range t.shape[2] {
				for d := range t.shape[3] {
					at := t.Index(b, h, i, d)
					if _, again := seen[at]; again {
						return true
					}
					seen[at] = struct{}{}
				}
			}
		}
	}
	return false
}

type interval struct {
	low, high uintptr // [low, high) in bytes
	second    bool
}

// overlaps reports whether two views share a byte. The spans decide almost
// always, and the period of their strides for views woven into one buffer in the
// usual way; what is left is compared run by run.
func overlaps(a, b Tensor) bool {
	if a.memory != b.memory {
		return false
	}
	a, b = a.inBlocks(), b.inBlocks()
	aLow, aHigh, ok := a.addresses()
	if !ok {
		return false
	}
	bLow, bHigh, ok := b.addresses()
	if !ok || aHigh <= bLow || bHigh <= aLow || apart(a, b, aLow, bLow) {
		return false
	}
	rows := append(a.rows(false), b.rows(true)...)
	slices.SortFunc(rows, func(x, y interval) int {
		switch {
		case x.low < y.low:
			return -1
		case x.low > y.low:
			return 1
		}
		return 0
	})
	var end [2]uintptr // how far the runs of each view have reached
	for _, r := range rows {
		mine, other := 0, 1
		if r.second {
			mine, other = 1, 0
		}
		if r.low < end[other] {
			return true
		}
		end[mine] = max(end[mine], r.high)
	}
	return false
}

// apart reports whether two views that start at aLow and bLow fill different
// parts of a common period, as the parts of a packed [B, L, 4, H, D] buffer do: all
// runs of a view then start at the same place modulo the greatest common divisor
// of the strides between runs. False says nothing.
func apart(a, b Tensor, aLow, bLow uintptr) bool {
	aRun, aPeriod := a.runs()
	bRun, bPeriod := b.runs()
	period := gcd(aPeriod, bPeriod)
	if period == 0 {
		return false
	}
	ahead := bLow % period
	ahead = (ahead + period - aLow%period) % period // of a, by b, within the period
	return ahead >= aRun && ahead+bRun <= period
}

// runs returns the bytes of each longest run of neighbouring elements and the
// greatest common divisor of the distances between runs, 0 if there is one run.
func (t Tensor) runs() (run, period uintptr) {
	order := []int{0, 1, 2, 3}
	slices.SortFunc(order, func(a, b int) int { return abs(t.strides[a]) - abs(t.strides[b]) })
	size := t.dtype.unit()
	run = size
	for _, axis := range order {
		stride := uintptr(abs(t.strides[axis])) * size
		switch {
		case t.shape[axis] == 1:
		case stride <= run:
			run += uintptr(t.shape[axis]-1) * stride
		default:
			period = gcd(period, stride)
		}
	}
	return run, period
}

// inBlocks returns a Q8_0 view counted in blocks, and others as they are: a block
// is the least that is read of it, scale and padding included.
func (t Tensor) inBlocks() Tensor {
	if t.dtype != Q8_0 {
		return t
	}
	t.shape[AxisDim] = blocksOf(t.shape[AxisDim])
	for axis := range AxisDim {
		t.strides[axis] /= Q8_0Block
	}
	t.offset /= Q8_0Block
	return t
}

// unit returns the bytes of what a view from inBlocks counts.
func (t DType) unit() uintptr { return uintptr(t.Bytes(1)) }

func gcd(a, b uintptr) uintptr {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// base returns the address of the storage; memory of a device counts from 0.
func (t Tensor) base() uintptr {
	if t.memory != nil {
		return 0
	}
	switch t.dtype {
	case Float32:
		return uintptr(unsafe.Pointer(unsafe.SliceData(t.f32)))
	case Float16, BFloat16:
		return uintptr(unsafe.Pointer(unsafe.SliceData(t.u16)))
	case Bool:
		return uintptr(unsafe.Pointer(unsafe.SliceData(t.bools)))
	case Q8_0:
		return uintptr(unsafe.Pointer(unsafe.SliceData(t.u8)))
	}
	return 0
}

func (t Tensor) addresses() (low, high uintptr, ok bool) {
	first, last, empty, fits := t.span()
	if empty || !fits {
		return 0, 0, false
	}
	size := t.dtype.unit()
	return t.base() + uintptr(first)*size, t.base() + uintptr(last+1)*size, true
}

// rows returns the bytes of each run of neighbouring elements.
func (t Tensor) rows(second bool) []interval {
	run := AxisDim
	for axis, stride := range t.strides {
		if stride == 0 { // a broadcast reads the same bytes again
			t.shape[axis] = 1
		}
		if t.shape[axis] > 1 && (t.shape[run] == 1 || abs(stride) < abs(t.strides[run])) {
			run = axis
		}
	}
	t = t.Transpose(run, AxisDim)
	length := t.shape[AxisDim]
	if abs(t.strides[AxisDim]) > 1 {
		length = 1 // what lies in the gaps belongs to others
	}
	var list []interval
	for b := range t.shape[0] {
		for h := range t.shape[1] {
			for i := range t.shape[2] {
				for d := 0; d < t.shape[3]; d += length {
					row := t.WithStrides([4]int{1, 1, 1, length}, t.strides, t.Index(b, h, i, d))
					low, high, _ := row.addresses()
					list = append(list, interval{low, high, second})
				}
			}
		}
	}
	return list
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
