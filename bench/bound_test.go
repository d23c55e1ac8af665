package bench

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention/cpu"
)

func TestBinding(t *testing.T) {
	c := ceilings{fma: Roof{RoofFMA, 200, "loop"}, read: Roof{RoofRead, 50, "stream"}} // 4 operations a byte
	for name, one := range map[string]struct {
		c            ceilings
		flops, bytes float64
		want         Roof
	}{
		"few operations":       {c, 3.9e9, 1e9, c.read},
		"many operations":      {c, 4.1e9, 1e9, c.fma},
		"as long":              {c, 4e9, 1e9, c.fma},
		"a quick cache":        {ceilings{c.fma, Roof{RoofRead, 500, "L2"}}, 1e9, 1e9, c.fma},
		"nothing to compute":   {c, 0, 1, c.read},
		"unmeasured, decode":   {ceilings{}, 1e9, 1e9, Roof{Kind: RoofRead}},
		"unmeasured, prefill":  {ceilings{}, 1e11, 1e9, Roof{Kind: RoofFMA}},
		"only one is measured": {ceilings{fma: c.fma}, 1e9, 1e9, Roof{Kind: RoofRead}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, one.want, one.c.binding(one.flops, one.bytes)) })
	}
}

// TestShares completes a record whose share of either roof is known.
func TestShares(t *testing.T) {
	s := series{times: []float64{0.5}, record: Record{FLOPs: 40e9, Bytes: 10e9, Status: StatusOK}}
	for _, c := range []struct {
		kind            string
		fma, read, want float64
	}{{RoofFMA, 100, 50, 0.8}, {RoofRead, 100, 22, 20.0 / 22}, {RoofFMA, 60, 22, 80.0 / 60}} {
		roofs := ceilings{Roof{RoofFMA, c.fma, ""}, Roof{RoofRead, c.read, ""}}
		s.record.RoofKind = roofs.binding(s.record.FLOPs, float64(s.record.Bytes)).Kind
		s.complete(roofs)
		require.Equal(t, c.kind, s.record.RoofKind)
		require.InEpsilon(t, 80/c.fma, *s.record.FMAShare, 1e-9)
		require.InEpsilon(t, 20/c.read, *s.record.ReadShare, 1e-9)
		require.InEpsilon(t, c.want, *s.record.RoofShare, 1e-9)
	}
	require.Equal(t, rates{80, 20}, s.rates())
	s.record.Status = StatusWrong
	require.Zero(t, s.rates(), "a wrong output says nothing about a roof")
}

// TestLowRoofIsMeasuredAgain plants a roof that was measured on a busy machine.
func TestLowRoofIsMeasuredAgain(t *testing.T) {
	key := readKey(1, 1)
	low := measured{Roof: Roof{RoofRead, 1e-6, "low"}, tries: 1}
	for name, c := range map[string]struct {
		seen  rates
		tries int
	}{"not exceeded": {rates{gbs: 1e-7}, 1}, "exceeded": {rates{gbs: 1e-5}, 2}, "exceeded by what no machine does": {rates{gbs: 1e9}, mostTries}} {
		t.Run(name, func(t *testing.T) {
			r := &Roofs{cpu: map[cpuKey]measured{key: low, {kind: RoofFMA, threads: 1}: {Roof: Roof{Kind: RoofFMA, Value: 100}, tries: 1}}}
			got, err := r.of(t.Context(), cpu.NewReference(), 1, 1, c.seen)
			require.NoError(t, err)
			require.Equal(t, c.tries, r.cpu[key].tries)
			require.Equal(t, c.tries > 1, got.read.Value > low.Value)
			require.Equal(t, 100.0, got.fma.Value, "nothing exceeded it")
		})
	}
}

// TestReadRoofsFall has a larger working set that was read faster.
func TestReadRoofsFall(t *testing.T) {
	low := measured{Roof: Roof{RoofRead, 10, "low"}, tries: 1}
	for name, c := range map[string]struct {
		other cpuKey
		value float64
		again bool
	}{
		"a larger one is faster":     {cpuKey{RoofRead, 1, 8}, 1e6, true},
		"about as fast":              {cpuKey{RoofRead, 1, 8}, 10.3, false},
		"a smaller one is faster":    {cpuKey{RoofRead, 1, 2}, 1e6, false},
		"more threads are faster":    {cpuKey{RoofRead, 2, 8}, 1e6, false},
		"multiply-adds are not read": {cpuKey{RoofFMA, 1, 8}, 1e6, false},
	} {
		t.Run(name, func(t *testing.T) {
			key := cpuKey{RoofRead, 1, 4}
			r := &Roofs{cpu: map[cpuKey]measured{key: low, c.other: {Roof: Roof{c.other.kind, c.value, ""}, tries: 1}}}
			_, err := r.CPURead(t.Context(), 1, 4<<20)
			require.NoError(t, err)
			require.Equal(t, c.again, r.cpu[key].tries > 1)
		})
	}
}

func TestRoundMB(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 6, 7: 6, 8: 8, 11: 8, 12: 12, 15: 12, 16: 16, 37: 32, 48: 48, 255: 192, 256: 256} {
		require.Equal(t, want, roundMB(n), "%d MB", n)
	}
	require.Equal(t, cpuKey{RoofRead, 2, 1}, readKey(2, 1), "a megabyte is the least")
	require.Equal(t, cpuKey{RoofRead, 2, 32}, readKey(2, 37<<20))
	require.Equal(t, readKey(2, 0), readKey(2, 1<<40), "more than caches hold")
}

func TestRoofLines(t *testing.T) {
	r := &Roofs{cpu: map[cpuKey]measured{
		{RoofFMA, 2, 0}: {Roof: Roof{RoofFMA, 200, "AVX2, 2 threads"}}, {RoofFMA, 1, 0}: {Roof: Roof{RoofFMA, 100, "AVX2, 1 thread"}},
		{RoofRead, 2, 8}: {Roof: Roof{RoofRead, 80, "AVX2, 2 threads, 8 MB"}}, {RoofRead, 2, 1}: {Roof: Roof{RoofRead, 160, "AVX2, 2 threads, 1 MB"}},
	}}
	require.Equal(t, []string{
		"CPU 100 GFLOP/s of multiply-adds (AVX2, 1 thread)", "CPU 200 GFLOP/s of multiply-adds (AVX2, 2 threads)",
		"CPU GB/s read again and again: 160 of 1 MB, 80 of 8 MB (AVX2, 2 threads)",
	}, r.Lines())
	require.Empty(t, strings.Join(new(Roofs).Lines(), ""))
}
