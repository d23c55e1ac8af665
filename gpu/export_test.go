package gpu

import (
	"testing"
	"time"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/gl"
)

// What tests of the whole, which import packages that import this one, need of it.

// FaultyOptions are those of a backend that compiles fast, on a driver that fails.
func FaultyOptions(t testing.TB, faults *gl.Faults, clock func() time.Time) Options {
	opt := matrixOptions(t, faults, nil)
	opt.clock = clock
	return opt
}

// MistakenOptions plants a mistake in shaders.
func MistakenOptions(opt Options, edit func(v Variant, shader string) string) Options {
	opt.edit = edit
	return opt
}

// MatrixCall is a call that uses every kind of tensor, filled, with NaN in its outputs.
func MatrixCall(t testing.TB) *attention.Call { return matrixCall(t) }

// RequireRight compares the outputs of a call with the oracle.
func RequireRight(t testing.TB, c *attention.Call, what ...any) { requireRight(t, c, what...) }

// Blank fills the outputs with NaN.
func Blank(c *attention.Call) { blank(c) }

// NoDevice ends a test for which no device could be opened.
func NoDevice(t testing.TB, err error) { noDevice(t, err) }

// Indices returns the calls to fail.
func Indices(calls []string, stride int) []int { return indices(calls, stride) }
