package bench

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/internal/mutate"
)

func requireNoTimes(t *testing.T, r Record) {
	t.Helper()
	require.False(t, r.Verified)
	require.NotEmpty(t, r.Reason)
	for _, v := range []*float64{r.Median, r.Min, r.Max, r.GFLOPs, r.GBs, r.RoofShare, r.FMAShare, r.ReadShare, r.SpeedUp} {
		require.Nil(t, v, "a measurement without a right output has no numbers")
	}
}

func TestRunOnCPU(t *testing.T) {
	for _, text := range []string{tinyShape, "h=2,lq=1,lk=100,d=16,kv=f16", "h=2,l=33,d=16,dtype=bf16,mask=true,bias=f32", "h=1,l=9,d=4,causal=per-batch,offset=-3"} {
		t.Run(text, func(t *testing.T) {
			var heard []Progress
			c := tiny(cpu.New(cpu.Options{Threads: 1}), cpu.NewReference())
			c.Progress = func(p Progress) { heard = append(heard, p) }
			records, err := Run(t.Context(), c, []Spec{parsed(t, text)})
			require.NoError(t, err)
			require.Len(t, records, 2)
			for _, r := range records {
				require.Equal(t, StatusOK, r.Status, r.Reason)
				require.True(t, r.Verified)
				require.Equal(t, r.Rows, r.VerifiedRows)
				require.LessOrEqual(t, *r.ErrorQuotient, 1.0)
				require.LessOrEqual(t, *r.Min, *r.Median)
				require.LessOrEqual(t, *r.Median, *r.Max)
				require.InEpsilon(t, r.FLOPs/1e6/(*r.Median), *r.GFLOPs, 1e-9)
				require.InEpsilon(t, float64(r.Bytes)/1e6/(*r.Median), *r.GBs, 1e-9)
				require.InEpsilon(t, max(*r.FMAShare, *r.ReadShare), *r.RoofShare, 1e-9, "the binding roof is the one that is nearer")
				require.InEpsilon(t, map[string]float64{RoofFMA: *r.GFLOPs, RoofRead: *r.GBs}[r.RoofKind], *r.RoofShare**r.Roof, 1e-9)
				require.Equal(t, parsed(t, text).String(), r.Shape)
			}
			require.GreaterOrEqual(t, records[0].Reps, 3)
			require.Equal(t, 1, records[0].Threads)
			require.InEpsilon(t, *records[1].Median / *records[0].Median, *records[0].SpeedUp, 1e-9)
			require.Equal(t, Progress{Done: 2, Total: 2}, heard[len(heard)-1])
		})
	}
}

// TestWrongOutputHasNoTime plants mistakes of every kind that a timed output can
// have, in the repetitions that are timed and not in the warm-up.
func TestWrongOutputHasNoTime(t *testing.T) {
	for name, spoil := range map[string]func(run int64, call *attention.Call){
		"one element":       func(_ int64, c *attention.Call) { c.Out.O.Set(1, 1, 7, 3, 5) },
		"nan":               func(_ int64, c *attention.Call) { c.Out.O.Set(0, 0, 0, 0, math.NaN()) },
		"lse":               func(_ int64, c *attention.Call) { c.Out.LSE.Set(0, 1, 2, 0, 0) },
		"second repetition": func(n int64, c *attention.Call) { c.Out.O.Set(0, 0, 0, 0, float64(max(0, n-2))) },
		"another row is late": func(n int64, c *attention.Call) {
			if n == 4 {
				c.Out.O.Set(0, 0, 5, 0, c.Out.O.At(0, 0, 5, 0)*(1+1e-6)) // right, but not the same bits
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := runOne(t, tiny(&fake{name: "fake", spoil: spoil}), tinyShape)
			require.Equal(t, StatusWrong, r.Status)
			require.True(t, r.Failed())
			requireNoTimes(t, r)
		})
	}
	t.Run("a mutated backend", func(t *testing.T) {
		r := runOne(t, tiny(cpu.NewMutated(mutate.CausalOffByOne)), tinyShape)
		require.Equal(t, StatusWrong, r.Status)
		requireNoTimes(t, r)
	})
	t.Run("what is not written shows", func(t *testing.T) {
		f := &fake{name: "fake"}
		f.spoil = func(n int64, c *attention.Call) {
			if n > 1 { // the warm-up left a right output behind, which must not pass for this run's
				blank(c.Out)
			}
		}
		require.Equal(t, StatusWrong, runOne(t, tiny(f), tinyShape).Status)
	})
}

func TestOutcomes(t *testing.T) {
	refusal := &attention.UnsupportedError{Backend: "fake", Feature: "dim 8", Limit: "4"}
	for name, c := range map[string]struct {
		fake   *fake
		status Status
		failed bool
	}{
		"refused":     {&fake{refuse: refusal}, StatusUnsupported, false},
		"plan":        {&fake{planErr: errors.New("no memory")}, StatusError, true},
		"run":         {&fake{runErr: errors.New("lost")}, StatusError, true},
		"run refuses": {&fake{runErr: refusal}, StatusUnsupported, false},
		"close":       {&fake{closing: errors.New("leak")}, StatusError, true},
	} {
		t.Run(name, func(t *testing.T) {
			c.fake.name = "fake"
			r := runOne(t, tiny(c.fake), tinyShape)
			require.Equal(t, c.status, r.Status)
			require.Equal(t, c.failed, r.Failed())
			requireNoTimes(t, r)
			require.Nil(t, r.Roof, "no roof is known for a backend that is not ours")
		})
	}
	t.Run("too large for the reference", func(t *testing.T) {
		c := tiny(cpu.NewReference())
		c.ReferenceFLOPs = 1
		r := runOne(t, c, tinyShape)
		require.Equal(t, StatusSkipped, r.Status)
		require.False(t, r.Failed())
		requireNoTimes(t, r)
	})
	t.Run("too large for the machine", func(t *testing.T) {
		records, err := Run(t.Context(), tiny(cpu.NewReference()), []Spec{parsed(t, tinyShape), parsed(t, "b=4096,h=64,l=65536,d=256")})
		require.ErrorIs(t, err, attention.ErrOutOfMemory)
		require.ErrorContains(t, err, "GB")
		require.Empty(t, records, "it is found before anything is timed")
	})
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	first := &fake{name: "fake"}
	first.spoil = func(n int64, _ *attention.Call) {
		if n == 30 { // in the second workload
			cancel()
		}
	}
	c := tiny(first)
	c.Reps, c.MinReps = 20, 20
	records, err := Run(ctx, c, []Spec{parsed(t, tinyShape), parsed(t, tinyShape), parsed(t, tinyShape)})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, records, 2, "what was measured comes back")
	require.Equal(t, StatusOK, records[0].Status)
	require.Equal(t, StatusInterrupted, records[1].Status)
	requireNoTimes(t, records[1])
	require.False(t, records[1].Failed())
}

func TestAlternates(t *testing.T) {
	var order []string
	note := func(name string) func(int64, *attention.Call) {
		return func(int64, *attention.Call) { order = append(order, name) }
	}
	c := tiny(&fake{name: "a", spoil: note("a")}, &fake{name: "b", spoil: note("b")})
	c.MinReps, c.Reps, c.Time = 3, 3, time.Nanosecond
	_, err := Run(t.Context(), c, []Spec{parsed(t, tinyShape)})
	require.NoError(t, err)
	require.Equal(t, "a b a b a b a b", strings.Join(order, " "), "warm-ups, then repetitions in turn")
}

func TestLimits(t *testing.T) {
	l := limits{min: 3, reps: 10, time: time.Second}
	for _, c := range []struct {
		reps    int
		elapsed time.Duration
		want    bool
	}{
		{2, time.Hour, false}, {3, time.Second, true}, {9, 999 * time.Millisecond, false},
		{10, 99 * time.Millisecond, false}, {10, 100 * time.Millisecond, true}, {11, 100 * time.Millisecond, true},
	} {
		require.Equal(t, c.want, l.reached(c.reps, c.elapsed), "%v", c)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		times []float64
		want  float64
	}{{[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}, {[]float64{7}, 7}, {[]float64{1, 2}, 1.5}} {
		s := series{times: c.times}
		s.complete(ceilings{})
		require.InDelta(t, c.want*1e3, *s.record.Median, 1e-9, "%v", c.times)
	}
}

func TestRecordKeys(t *testing.T) {
	text, err := json.Marshal(runOne(t, tiny(&fake{name: "fake", runErr: errors.New("lost")}), tinyShape))
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, json.Unmarshal(text, &got))
	for _, key := range strings.Fields(`workload shape backend ran device driver software threads dtype plan go time ms_median ms_min
		ms_max reps flops flops_customary gflops bytes gbps includes_transfers roof_kind roof roof_how roof_share fma_share read_share error_quotient
		verified verified_rows rows speedup status reason`) {
		require.Contains(t, got, key)
		delete(got, key)
	}
	require.Empty(t, got, "a new key is to be listed here")
}

func TestSampledRows(t *testing.T) {
	p := parsed(t, "b=2,h=3,l=1000,d=8").Problem
	rows := sampleRows(p, 1000*16*100)
	require.Len(t, rows, 100)
	seen := map[[3]int]bool{}
	for _, r := range rows {
		require.False(t, seen[r])
		seen[r] = true
		require.True(t, r[0] >= 0 && r[0] < 2 && r[1] >= 0 && r[1] < 3 && r[2] >= 0 && r[2] < 1000, "%v", r)
	}
	for _, r := range [][3]int{{0, 0, 0}, {0, 0, 999}, {1, 2, 0}, {1, 2, 999}} {
		require.True(t, seen[r], "%v", r)
	}
	require.Len(t, sampleRows(p, 0), leastRows)
	require.Nil(t, sampleRows(p, 1e12), "all rows")
	require.Nil(t, sampleRows(parsed(t, "h=1,l=4,d=8").Problem, 0))
}

// TestSampledCheckLooksEverywhere spoils a row outside the sample.
func TestSampledCheckLooksEverywhere(t *testing.T) {
	for _, dtype := range []string{"f32", "f16", "bf16"} {
		t.Run(dtype, func(t *testing.T) {
			s := parsed(t, "h=2,l=64,d=8,lse=true,dtype="+dtype)
			sampled := map[[3]int]bool{}
			for _, r := range sampleRows(s.Problem, 0) {
				sampled[r] = true
			}
			hidden := 0
			for sampled[[3]int{0, 1, hidden}] {
				hidden++
			}
			c := tiny(&fake{name: "fake", spoil: func(_ int64, call *attention.Call) { call.Out.O.Set(0, 1, hidden, 3, math.NaN()) }})
			c.VerifyWork = 1
			r := runOne(t, c, s.String())
			require.Equal(t, StatusWrong, r.Status)
			require.ErrorContains(t, errors.New(r.Reason), "not written")

			c = tiny(&fake{name: "fake"})
			c.VerifyWork = 1
			r = runOne(t, c, s.String())
			require.Equal(t, StatusOK, r.Status, r.Reason)
			require.Equal(t, leastRows, r.VerifiedRows)
		})
	}
}

func TestInputsAreReproducible(t *testing.T) {
	s := parsed(t, "h=3,lq=7,lk=40000,d=8,kv=f16,mask=true,bias=f32")
	one, two, other := s.inputs(5), s.inputs(5), s.inputs(6)
	require.Equal(t, one, two)
	require.NotEqual(t, one.K.Uint16s(), other.K.Uint16s())
	require.NotEqual(t, one.K.Uint16s()[:100], one.V.Uint16s()[:100], "each tensor has numbers of its own")
	var sum, squares float64
	for _, bits := range one.K.Uint16s() {
		v := float64(attention.Float16ToFloat32(bits))
		sum, squares = sum+v, squares+v*v
	}
	n := float64(len(one.K.Uint16s()))
	require.InDelta(t, 0, sum/n, 0.01)
	require.InDelta(t, 1, squares/n, 0.01)
	kept := 0
	for _, keep := range one.Mask.Bools() {
		if keep {
			kept++
		}
	}
	require.InDelta(t, 0.9, float64(kept)/float64(len(one.Mask.Bools())), 0.01)
}
