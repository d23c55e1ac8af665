package cpu

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/kernel"
)

func TestFloat16WidensExactly(t *testing.T) {
	set := kernel.Auto()
	for bits := range 1 << 16 {
		var line [1]float32
		set.ReadElements(line[:], attention.NewFloat16([]uint16{uint16(bits)}, 1), 0, 1)
		got, want := line[0], reference16(uint16(bits))
		if want != want {
			require.True(t, got != got, "%#04x", bits)
			continue
		}
		require.Equal(t, math.Float32bits(want), math.Float32bits(got), "%#04x", bits)
	}
}

// reference16 reads binary16 by its definition.
func reference16(bits uint16) float32 {
	sign, exponent, fraction := 1.0, int(bits>>10&31), float64(bits&1023)
	if bits>>15 == 1 {
		sign = -1
	}
	switch exponent {
	case 0:
		return float32(math.Copysign(math.Ldexp(fraction, -24), sign))
	case 31:
		if fraction != 0 {
			return notANumber32
		}
		return float32(math.Inf(int(sign)))
	}
	return float32(sign * math.Ldexp(1024+fraction, exponent-25))
}
