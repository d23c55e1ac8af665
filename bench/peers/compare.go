package main

import (
	"fmt"
	"math"

	"github.com/glattn/attention/verify"
)

// The errors allowed to others, as a share of the largest magnitude in a row of the
// output. Ours is held against float64 instead.
const (
	singleTolerance = 5e-5 // float32 arithmetic, in any order and with a fast exponential
	halfTolerance   = 2e-3 // float16 inputs, outputs and perhaps sums: four of its roundings
)

// worst returns the largest error of got as a share of the largest magnitude of want in
// the same row of width elements; +Inf for what is not finite. The error is for one
// beyond the tolerance.
func worst(got, want []float32, width int, tolerance float64) (float64, error) {
	if len(got) != len(want) {
		return math.Inf(1), fmt.Errorf("has %d outputs, want %d", len(got), len(want))
	}
	high := 0.0
	for row := 0; row < len(want); row += width {
		scale := 0.0
		for _, v := range want[row : row+width] {
			scale = max(scale, math.Abs(float64(v)))
		}
		for n := row; n < row+width; n++ {
			g, w := float64(got[n]), float64(want[n])
			if !verify.Within(g, w, tolerance*scale) {
				return math.Inf(1), fmt.Errorf("wrong: element %d is %g, want %g within %g of the row's largest, %g", n, g, w, tolerance, scale)
			}
			if scale > 0 {
				high = max(high, math.Abs(g-w)/scale)
			}
		}
	}
	return high, nil
}

// magnitudes returns the sum of |x|, by which every timed output is compared with the one
// that was looked at in full.
func magnitudes(list []float32) float64 {
	sum := 0.0
	for _, v := range list {
		sum += math.Abs(float64(v))
	}
	return sum
}

// sumTolerance is the share by which such sums may differ between runs of one library.
const sumTolerance = 1e-3

// sameSum fails if an output's sum of magnitudes is not that of the verified one.
func sameSum(got, want float64) error {
	if !verify.Within(got, want, sumTolerance*math.Abs(want)) {
		return fmt.Errorf("wrong: the magnitudes of a timed output sum to %g, those of the verified one to %g", got, want)
	}
	return nil
}
