package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"image/png"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/internal/mutate"
)

func TestSweepSpec(t *testing.T) {
	for _, c := range []struct {
		sweep  Sweep
		dim, l int
		want   string
		why    string
	}{
		{Sweep{Mode: SweepPrefill}, 64, 1024, "b=1,hq=2,hkv=2,lq=1024,lk=1024,d=64", "2 heads have 2^29 FLOPs"},
		{Sweep{Mode: SweepPrefill}, 64, 8192, "b=1,hq=1,hkv=1,lq=8192,lk=8192,d=64", "one head has more"},
		{Sweep{Mode: SweepPrefill}, 64, 128, "b=1,hq=64,hkv=64,lq=128,lk=128,d=64", "8 MiB"},
		{Sweep{Mode: SweepPrefill}, 8, 1, "b=1024,hq=64,hkv=64,lq=1,lk=1,d=8", "8 MiB of tiny ones, in a batch"},
		{Sweep{Mode: SweepPrefill, Causal: true}, 64, 1024, "b=1,hq=2,hkv=2,lq=1024,lk=1024,d=64,causal=bottom-right", "4 would have more by a diagonal"},
		{Sweep{Mode: SweepDecode}, 128, 4096, "b=1,hq=1,hkv=1,lq=1,lk=4096,d=128", "4 MiB, twice that and Q are more than 8"},
		{Sweep{Mode: SweepDecode}, 21, 64, "b=8,hq=64,hkv=64,lq=1,lk=64,d=21", "D is no power of two, the rest is"},
		{Sweep{Mode: SweepDecode}, 576, 8192, "b=1,hq=1,hkv=1,lq=1,lk=8192,d=576", "one at least"},
	} {
		s := c.sweep.Spec(c.dim, c.l)
		require.Equal(t, parsed(t, c.want).Problem, s.Problem, c.why)
	}
	require.Equal(t, "decode D=21 L=64", Sweep{Mode: SweepDecode}.Spec(21, 64).Title())
}

// TestDefaultSweepIsBounded holds every point to the documented sizes.
func TestDefaultSweepIsBounded(t *testing.T) {
	for _, mode := range []SweepMode{SweepPrefill, SweepDecode} {
		specs, err := Sweep{Mode: mode, Dims: SweepDims(), Lengths: SweepLengths()}.specs()
		require.NoError(t, err)
		require.Len(t, specs, 22*14)
		for _, s := range specs {
			require.NoError(t, s.Problem.Validate(), s.Title())
			flops, _ := s.FLOPs()
			n := s.Problem.Heads * s.Problem.Batch
			require.LessOrEqual(t, s.Problem.Heads, sweepHeads)
			if n > 1 {
				require.LessOrEqual(t, flops, float64(sweepFLOPs), s.Title())
				require.LessOrEqual(t, s.Problem.Bytes(), int64(sweepBytes), s.Title())
			}
			require.True(t, 2*flops > sweepFLOPs || 2*s.Problem.Bytes() > sweepBytes, "%s could be larger", s.Title())
		}
	}
}

func TestSweepRefuses(t *testing.T) {
	one := Config{Backends: []attention.Backend{cpu.NewReference()}}
	good := Sweep{SweepPrefill, []int{8}, []int{4}, false}
	for name, c := range map[string]struct {
		config Config
		change func(s *Sweep)
		want   string
	}{
		"mode":         {one, func(s *Sweep) { s.Mode = "both" }, `"both"`},
		"no widths":    {one, func(s *Sweep) { s.Dims = nil }, "widths"},
		"width":        {one, func(s *Sweep) { s.Dims = []int{577} }, "1 to 576"},
		"length":       {one, func(s *Sweep) { s.Lengths = []int{0} }, "lengths"},
		"descending":   {one, func(s *Sweep) { s.Lengths = []int{4, 2} }, "ascend"},
		"twice":        {one, func(s *Sweep) { s.Dims = []int{4, 4} }, "ascend"},
		"no backend":   {Config{}, func(*Sweep) {}, "0 backends"},
		"two backends": {Config{Backends: append(one.Backends, one.Backends...)}, func(*Sweep) {}, "2 backends"},
	} {
		t.Run(name, func(t *testing.T) {
			s := good
			c.change(&s)
			r, err := RunSweep(t.Context(), c.config, s)
			require.ErrorIs(t, err, attention.ErrInvalid)
			require.ErrorContains(t, err, c.want)
			require.Empty(t, r.Points)
		})
	}
}

func TestParseSizes(t *testing.T) {
	got, err := ParseSizes(" 64, 8,64,21")
	require.NoError(t, err)
	require.Equal(t, []int{8, 21, 64}, got)
	for _, list := range []string{"", "8,", "8;9", "0", "-1", "1e3", "99999999999999999999"} {
		_, err := ParseSizes(list)
		require.ErrorIs(t, err, attention.ErrInvalid, list)
	}
}

// quick is the config of a sweep that ends at once, under roofs that are not
// measured.
func quick(backend attention.Backend) Config {
	c := tiny(backend)
	c.Time, c.Reps = time.Nanosecond, 1
	c.Roofs = &Roofs{cpu: map[cpuKey]measured{
		{RoofFMA, 1, 0}: {Roof{RoofFMA, 100, "planted"}, mostTries}, {RoofRead, 1, 6}: {Roof{RoofRead, 50, "planted"}, mostTries},
	}}
	return c
}

func TestRunSweep(t *testing.T) {
	s := Sweep{SweepDecode, []int{24, 48}, []int{128, 256, 512}, false} // of 6 MB each
	r, err := RunSweep(t.Context(), quick(cpu.New(cpu.Options{Threads: 1})), s)
	require.NoError(t, err)
	require.Len(t, r.Points, 6)
	for d, dim := range s.Dims {
		for l, length := range s.Lengths {
			p := r.At(d, l)
			require.Equal(t, [2]int{dim, length}, [2]int{p.Dim, p.Length})
			require.Equal(t, s.Spec(dim, length).String(), p.Shape, "the record is that of the point")
			require.True(t, p.Verified, p.Reason)
			require.Positive(t, *p.RoofShare)
			require.Equal(t, RoofRead, p.RoofKind)
			require.NotNil(t, p.Cliffs)
		}
	}
	for _, at := range [][2]int{{-1, 0}, {0, -1}, {0, 3}, {2, 0}} {
		require.Nil(t, r.At(at[0], at[1]), "%v", at)
	}
	text, err := json.Marshal(r.Points[0])
	require.NoError(t, err)
	var got map[string]any
	require.NoError(t, json.Unmarshal(text, &got))
	for _, key := range []string{"mode", "dim", "length", "cliffs", "roof_share", "fma_share", "read_share", "ms_median", "backend"} {
		require.Contains(t, got, key)
	}
}

// TestSweepOfWrongBackend times a backend with a planted mistake: no point has a share.
func TestSweepOfWrongBackend(t *testing.T) {
	r, err := RunSweep(t.Context(), quick(cpu.NewMutated(mutate.ScaleLeftOut)), Sweep{SweepDecode, []int{24}, []int{256, 512}, false})
	require.NoError(t, err)
	for _, p := range r.Points {
		require.Equal(t, StatusWrong, p.Status)
		requireNoTimes(t, p.Record)
		require.Empty(t, p.Cliffs)
	}
}

// slow is a backend that takes its time, so much for each byte that what the machine
// does beside it hardly counts, and where the test wants a cliff six times as much: for
// so many plans, and then no longer.
type slow struct {
	attention.Backend
	dim, plans int
}

func (s *slow) Plan(ctx context.Context, p attention.Problem) (attention.Plan, error) {
	plan, err := s.Backend.Plan(ctx, p)
	least := time.Duration(10*p.Bytes()) * time.Nanosecond
	if p.Dim == s.dim && s.plans > 0 {
		s.plans--
		least *= 6
	}
	return &slowPlan{plan, least}, err
}

type slowPlan struct {
	attention.Plan
	least time.Duration
}

func (p *slowPlan) Run(ctx context.Context, call *attention.Call) error {
	time.Sleep(p.least)
	return p.Plan.Run(ctx, call)
}

// TestCliffsAreTimedAgain has a point be slow once, by noise, and always.
func TestCliffsAreTimedAgain(t *testing.T) {
	s := Sweep{SweepDecode, []int{16, 32, 48}, []int{128}, false}
	for plans, cliffs := range map[int]int{1: 0, 2: 0, 9: 1} {
		backend := &slow{cpu.New(cpu.Options{Threads: 1}), 32, plans}
		c := quick(backend)
		r, err := RunSweep(t.Context(), c, s)
		require.NoError(t, err)
		require.Len(t, r.Cliffs(), cliffs, "slow %d times", plans)
		if cliffs > 0 {
			require.Equal(t, 9-1-sweepRetries, backend.plans, "it was tried again")
			require.Equal(t, 32, r.Cliffs()[0].Dim)
		}
	}
}

func TestInterruptedSweep(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := quick(cpu.New(cpu.Options{Threads: 1}))
	c.Progress = func(p Progress) {
		if p.Done == 1 {
			cancel()
		}
	}
	r, err := RunSweep(ctx, c, Sweep{SweepDecode, []int{24, 48}, []int{256}, false})
	require.ErrorIs(t, err, context.Canceled)
	require.NotEmpty(t, r.Points)
	require.Equal(t, StatusOK, r.Points[0].Status)
	require.Less(t, len(r.Points), 2)
}

// grid makes a result of shares, NaN for a point without one.
func grid(shares ...[]float64) *SweepResult {
	r := &SweepResult{Sweep: Sweep{Mode: SweepPrefill}}
	for n := range shares[0] {
		r.Lengths = append(r.Lengths, 1<<n)
	}
	for d, row := range shares {
		r.Dims = append(r.Dims, 8*(d+1))
		for l, share := range row {
			p := SweepPoint{Mode: r.Mode, Dim: r.Dims[d], Length: r.Lengths[l], Record: Record{Backend: "cpu", Device: "a processor", Threads: 2, Status: StatusOK}}
			if p.RoofShare = finite(share); p.RoofShare == nil {
				p.Status = StatusWrong
			}
			r.Points = append(r.Points, p)
		}
	}
	r.findCliffs()
	return r
}

func TestCliffs(t *testing.T) {
	none := math.NaN()
	for name, c := range map[string]struct {
		r     *SweepResult
		lines []string
	}{
		"flat":                                 {grid([]float64{0.8, 0.8, 0.8}, []float64{0.8, 0.8, 0.8}), nil},
		"half is no cliff":                     {grid([]float64{0.8}, []float64{0.4}, []float64{0.8}), nil},
		"less is":                              {grid([]float64{0.8}, []float64{0.39}, []float64{0.9}), []string{"prefill D=16, against its neighbours along D, at L=1; worst at L=1: 39 % where they have 80 or more"}},
		"a neighbour is as low":                {grid([]float64{0.8}, []float64{0.2}, []float64{0.3}), nil},
		"an edge has one neighbour along D":    {grid([]float64{0.2}, []float64{0.5}, []float64{0.8}), []string{"prefill D=8, against its neighbours along D, at L=1; worst at L=1: 20 % where they have 50 or more"}},
		"the last, too":                        {grid([]float64{0.8}, []float64{0.5}, []float64{0.2}), []string{"prefill D=24, against its neighbours along D, at L=1; worst at L=1: 20 % where they have 50 or more"}},
		"growth along L is none":               {grid([]float64{0.01, 0.05, 0.2, 0.8}), nil},
		"nor is a fall at the end":             {grid([]float64{0.8, 0.8, 0.1}), nil},
		"a dip along L is":                     {grid([]float64{0.6, 0.25, 0.8}), []string{"prefill L=2, against its neighbours along L, at D=8; worst at D=8: 25 % where they have 60 or more"}},
		"nothing to compare with":              {grid([]float64{0.1}), nil},
		"a wrong neighbour does not count":     {grid([]float64{none}, []float64{0.3}, []float64{0.7}), []string{"prefill D=16, against its neighbours along D, at L=1; worst at L=1: 30 % where they have 70 or more"}},
		"between two wrong ones":               {grid([]float64{none}, []float64{0.3}, []float64{none}), nil},
		"beside a wrong one along L":           {grid([]float64{none, 0.1, 0.8}), nil},
		"a wrong one is none":                  {grid([]float64{0.8}, []float64{none}, []float64{0.8}), nil},
		"diagonals are no neighbours":          {grid([]float64{0.8, 0.3}, []float64{0.3, 0.8}), []string{"prefill D=8, against its neighbours along D, at L=2; worst at L=2: 30 % where they have 80 or more", "prefill D=16, against its neighbours along D, at L=1; worst at L=1: 30 % where they have 80 or more"}},
		"one line for a width, with the worst": {grid([]float64{0.8, 0.8}, []float64{0.3, 0.012}, []float64{0.8, 0.9}), []string{"prefill D=16, against its neighbours along D, at L=1,2; worst at L=2: 1.2 % where they have 80 or more"}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.lines, c.r.CliffLines()) })
	}
}

func TestHeatmap(t *testing.T) {
	results := []*SweepResult{
		grid([]float64{0.01, 0.2, 0.5}, []float64{0.02, math.NaN(), 0.1}, []float64{0.03, 0.6, 1.2}),
		grid([]float64{0.5}), // one point has no neighbours to measure a cell by
	}
	results[0].Points = results[0].Points[:8] // interrupted
	var picture bytes.Buffer
	require.NoError(t, WriteHeatmap(&picture, "png", results))
	image, err := png.Decode(&picture)
	require.NoError(t, err)
	require.Greater(t, image.Bounds().Dx(), image.Bounds().Dy(), "side by side")

	var drawing bytes.Buffer
	require.NoError(t, WriteHeatmap(&drawing, "svg", results))
	for _, word := range []string{"prefill, cpu, 2 threads, a processor", "log2 scale", "width D (elements a head)", ">24<", ">4<", ">1.0<", ">60<"} {
		require.Contains(t, drawing.String(), word)
	}
	require.Equal(t, 1, strings.Count(drawing.String(), "#E01010"), "one frame, for the cliff")

	require.ErrorIs(t, WriteHeatmap(&drawing, "gif", results), attention.ErrInvalid)
	require.ErrorIs(t, WriteHeatmap(&drawing, "png", nil), attention.ErrInvalid)
}

func TestHeatmapFormat(t *testing.T) {
	for path, want := range map[string]string{"a.png": "png", "b/c.d.SVG": "svg", "a.gif": "", "png": "", "": ""} {
		got, err := HeatmapFormat(path)
		require.Equal(t, want, got, path)
		require.Equal(t, want == "", err != nil, path)
	}
}

func TestShareText(t *testing.T) {
	for share, want := range map[float64]string{0: "0.0", 0.0123: "1.2", 0.0994: "9.9", 0.0996: "10", 0.5: "50", 1.214: "121"} {
		require.Equal(t, want, ShareText(share))
	}
}
