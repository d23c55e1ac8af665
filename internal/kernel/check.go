package kernel

import (
	"fmt"
	"math"
	"slices"
)

// Check computes small examples with every kernel of the set and compares them
// with the portable twin. It costs microseconds, and keeps a processor or an
// emulator on which a kernel goes wrong from giving wrong answers.
func (s *Set) Check() error {
	if s == &portable {
		return nil
	}
	c := checker{set: s}
	c.panel()
	c.rows()
	if c.err == nil && s.narrower != nil {
		return s.narrower.Check()
	}
	return c.err
}

type checker struct {
	set *Set
	err error
}

// Sizes of the examples: all group widths, whole unrolled loops and rests.
const (
	checkKeys = 6 + 4 + 1
	checkDim  = 4 + 3
)

// numbers returns n numbers between −1 and 1 that look like noise.
func numbers(n int) []float32 {
	list := make([]float32, n)
	state := uint32(12345)
	for i := range list {
		state = state*1664525 + 1013904223
		list[i] = float32(int32(state)) / (1 << 31)
	}
	return list
}

func (c *checker) panel() {
	s, n := c.set, goLanes
	wide := func(list []float32) []float32 { // the twin's lanes, then others
		rows := len(list) / n
		out := make([]float32, rows*s.Lanes)
		for j := range rows {
			for lane := range s.Lanes {
				out[j*s.Lanes+lane] = list[j*n+lane%n]
			}
		}
		return out
	}
	queries, keys := numbers(checkDim*n), numbers(checkKeys*checkDim)
	want, got := make([]float32, checkKeys*n), make([]float32, checkKeys*s.Lanes)
	portable.Scores(want, queries, keys, checkDim, checkDim, checkKeys)
	s.Scores(got, wide(queries), keys, checkDim, checkDim, checkKeys)
	c.compare("scores", wide(want), got)

	want[3*n+2], want[5*n] = negativeInf, -200
	got = wide(want)
	low, high := make([]int32, s.Lanes), make([]int32, s.Lanes)
	for lane := range s.Lanes {
		low[lane], high[lane] = int32(lane%n/5), int32(checkKeys-lane%n/6)
	}
	portable.Fence(want, 0, checkKeys, low, high)
	s.Fence(got, 0, checkKeys, low, high)
	c.compare("fence", wide(want), got)
	top := numbers(n)
	top[4] = negativeInf
	topGot := wide(top)
	var state [4][]float32
	for i := range state {
		state[i] = make([]float32, s.Lanes)
	}
	holes, odd := portable.Weigh(want, checkKeys, 3, top, state[0], state[1])
	holesGot, oddGot := s.Weigh(got, checkKeys, 3, topGot, state[2], state[3])
	c.compare("weights", wide(want), got)
	c.compare("maxima", wide(top), topGot)
	c.compare("factors", wide(state[0][:n]), state[2])
	c.compare("totals", wide(state[1][:n]), state[3])
	if holes != holesGot || odd != oddGot {
		c.fail("flags")
	}
	turned, turnedGot := make([]float32, 19*9), make([]float32, 19*9)
	portable.Transpose(turned, 9, queries, 10, 9, 19-9, 0.5)
	s.Transpose(turnedGot, 9, queries, 10, 9, 19-9, 0.5)
	c.compare("transpose", turned, turnedGot)
	const columns = 16 * 9 // 4 + 4 + 1 vectors of 16
	values, factor := numbers(checkKeys*columns), wide(numbers(n))
	out, outGot := make([]float32, n*columns), make([]float32, s.Lanes*columns)
	portable.Values(out, columns, factor, want, values, columns, checkKeys, columns, nil)
	s.Values(outGot, columns, factor, got, values, columns, checkKeys, columns, nil)
	for lane := 0; lane < s.Lanes; lane += n {
		c.compare("values", out, outGot[lane*columns:][:len(out)])
	}
}

func (c *checker) rows() {
	s := c.set
	const rows, count, width = 7, 7, 16 * 10 // 4 + 2 + 1 rows; 4 + 3 keys
	const dim = width - 5
	halves := make([]uint16, count*width)
	for i, x := range numbers(len(halves)) {
		halves[i] = uint16(math.Float32bits(x) >> 16) // as binary16 it is some other finite number
	}
	blocks := make([]byte, count*width/Block*BlockBytes)
	for i := range blocks {
		blocks[i] = byte(halves[i%len(halves)]) &^ 0x40 // no scale is Inf or NaN
	}
	for _, from := range []Rows{{Float32s: numbers(count * width)}, {Uint16s: halves}, {Uint16s: halves, Brain: true}, {Blocks: blocks}} {
		from.Stride = width
		queries, weights := numbers(rows*width), numbers(rows*count)
		want, got := make([]float32, rows*count), make([]float32, rows*count)
		for r := range rows {
			clear(queries[r*width+dim : (r+1)*width])
		}
		portable.Dots(want, count, queries, width, rows, from, dim, count)
		s.Dots(got, count, queries, width, rows, from, dim, count)
		c.compare("dots", want, got)
		out, outGot := numbers(rows*width), numbers(rows*width)
		portable.Mix(out, width, weights, count, rows, from, width, count)
		s.Mix(outGot, width, weights, count, rows, from, width, count)
		c.compare("mix", out, outGot)
		line, lineGot := make([]float32, 61), make([]float32, 61)
		portable.Widen(line, from, 1)
		s.Widen(lineGot, from, 1)
		c.compare("widen", line, lineGot)
		if from.Blocks == nil && s.Finite(from, count, width) != portable.Finite(from, count, width) {
			c.fail("finite")
		}
	}
	c.scores(numbers(64), numbers(64))
	want, got := numbers(64), numbers(64)
	want[7], got[7] = negativeInf, negativeInf
	state := []float32{0.25, 0, 0}
	stateGot := []float32{0.25, 0, 0}
	portable.WeighRow(want, state[:1], state[1:2], state[2:])
	s.WeighRow(got, stateGot[:1], stateGot[1:2], stateGot[2:])
	c.compare("weights of a row", want, got)
	c.compare("state of a row", state, stateGot)
}

// scores checks what follows products, on two copies of the same scores.
func (c *checker) scores(want, got []float32) {
	keep := make([]bool, len(want))
	for i := range keep {
		keep[i] = i%3 > 0
	}
	bias, biasGot := make([]float32, len(want)), make([]float32, len(want))
	portable.Expand(bias, keep)
	c.set.Expand(biasGot, keep)
	c.compare("expand", bias, biasGot)
	portable.Softcap(want, 0.75)
	c.set.Softcap(got, 0.75)
	c.compare("softcap", want, got)
	factor := []float32{0.5, 3}
	portable.Scale(want, 32, factor, 32)
	c.set.Scale(got, 32, factor, 32)
	c.compare("scale", want, got)
	copied, copiedGot := make([]float32, 80), make([]float32, 80)
	portable.Store(copied, 40, want, 32, factor, 27)
	c.set.Store(copiedGot, 40, got, 32, factor, 27)
	c.compare("store", copied, copiedGot)
	portable.AddBias(want, bias)
	c.set.AddBias(got, bias)
	c.compare("bias", want, got)
	for _, brain := range []bool{false, true} {
		half, halfGot := make([]uint16, len(want)), make([]uint16, len(want))
		portable.Narrow(half, want, brain)
		c.set.Narrow(halfGot, want, brain)
		if !slices.Equal(half, halfGot) {
			c.fail("narrow")
		}
	}
}

// compare allows rounding: sums have 300 terms of size 1 at most. Signs of zeros count.
func (c *checker) compare(what string, want, got []float32) {
	for i, w := range want {
		size := max(1, math.Abs(float64(w)))
		close := math.Abs(float64(w)-float64(got[i])) <= 1e-4*size || w == got[i]
		if !close || w == 0 && math.Signbit(float64(w)) != math.Signbit(float64(got[i])) {
			c.fail(fmt.Sprintf("%s: element %d is %v, not %v", what, i, got[i], w))
			return
		}
	}
}

func (c *checker) fail(why string) {
	if c.err == nil {
		c.err = fmt.Errorf("kernel: %s is wrong on this processor: %s", c.set.Name, why)
	}
}
