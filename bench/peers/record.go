package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/cpuid/v2"
	"gonum.org/v1/gonum/stat"

	"github.com/glattn/attention/bench"
)

// report is the file that a run writes.
type report struct {
	Time    string            `json:"time"` // when it was written, RFC 3339
	Machine machine           `json:"machine"`
	Threads int               `json:"threads"`  // of each library
	Peers   map[string]string `json:"versions"` // what ran, by library; without those that did not
	Roofs   []string          `json:"roofs"`
	Records []record          `json:"records"`
}

// machine is what the numbers hold for.
type machine struct {
	CPU      string   `json:"cpu"`
	Features []string `json:"features"`
	Cores    int      `json:"cores"`
	OS       string   `json:"os"`
	Arch     string   `json:"arch"`
	Go       string   `json:"go"`
	Load     string   `json:"load"` // averages at the start, where the system tells
	Memory   uint64   `json:"memory_bytes"`
}

// record is one library on one workload. Numbers that were not measured are null.
type record struct {
	Workload string    `json:"workload"`
	Shape    string    `json:"shape"` // as bench.ParseSpec reads it
	Peer     string    `json:"peer"`
	How      string    `json:"how"`    // operator, kernels, blocks
	About    string    `json:"about"`  // library and version
	Note     string    `json:"note"`   // what to know about the number
	Reason   string    `json:"reason"` // why there is no number
	Median   *float64  `json:"ms_median"`
	Min      *float64  `json:"ms_min"`
	Max      *float64  `json:"ms_max"`
	Spread   *float64  `json:"spread"` // of the middle half, as a share of the median
	Reps     int       `json:"reps"`
	Ratio    *float64  `json:"ratio"` // its median over ours, in this run
	GFLOPs   *float64  `json:"gflops"`
	GBs      *float64  `json:"gbps"`
	RoofKind string    `json:"roof_kind"` // of the workload: fma or read
	Roof     float64   `json:"roof"`
	Share    *float64  `json:"roof_share"`
	Error    *float64  `json:"error"` // worst, of the row's largest magnitude; 0 for ours, which the others are held against
	Tried    []attempt `json:"tried"` // all ways that were looked at, the best of which is How
}

// recordsOf makes records of what was measured. The first entry is the measure of the ratios.
func recordsOf(j *job, roof bench.Roof, entries []*entry) []record {
	flops, _ := j.spec.FLOPs()
	bytes := float64(j.problem.Bytes())
	base := 0.0
	var list []record
	for n, e := range entries {
		r := record{Workload: j.spec.Title(), Shape: j.spec.String(), Peer: e.name, RoofKind: roof.Kind, Roof: roof.Value, Tried: e.tried}
		if e.chosen != nil {
			r.How, r.About, r.Note, r.Error = e.chosen.how, e.chosen.runner.about(), e.chosen.note, finite(e.chosen.err)
		}
		if e.failure != nil {
			r.Reason, r.Error = oneLine(e.failure), nil
			list = append(list, r)
			continue
		}
		times := make([]float64, 0, len(e.times))
		for _, t := range e.times {
			times = append(times, t.Seconds())
		}
		slices.Sort(times)
		median := quantile(times, 0.5)
		if n == 0 {
			base = median
		}
		r.Reps = len(times)
		r.Median, r.Min, r.Max = finite(median*1e3), finite(times[0]*1e3), finite(times[len(times)-1]*1e3)
		r.Spread = finite((quantile(times, 0.75) - quantile(times, 0.25)) / median)
		r.GFLOPs, r.GBs = finite(flops/1e9/median), finite(bytes/1e9/median)
		r.Share = finite(flops / 1e9 / median / roof.Value)
		if roof.Kind == bench.RoofRead {
			r.Share = finite(bytes / 1e9 / median / roof.Value)
		}
		if base > 0 {
			r.Ratio = finite(median / base)
		}
		list = append(list, r)
	}
	return list
}

// quantile returns a quantile of sorted times, between two of them in proportion.
func quantile(sorted []float64, p float64) float64 {
	if len(sorted) == 1 {
		return sorted[0]
	}
	if p == 0.5 && len(sorted)%2 == 0 {
		return stat.Mean(sorted[len(sorted)/2-1:len(sorted)/2+1], nil)
	}
	at := p * float64(len(sorted)-1)
	low := int(at)
	if low+1 == len(sorted) {
		return sorted[low]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// finite returns v, nil if JSON has no word for it.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func describeMachine() machine {
	m := machine{CPU: strings.TrimSpace(cpuid.CPU.BrandName), Cores: runtime.NumCPU(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Go: runtime.Version(), Memory: bench.TotalMemory(), Features: []string{}}
	if m.CPU == "" {
		m.CPU = runtime.GOARCH + " processor"
	}
	for _, f := range []cpuid.FeatureID{cpuid.FMA3, cpuid.AVX2, cpuid.F16C, cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512VNNI, cpuid.AVX512BF16, cpuid.AMXTILE, cpuid.ASIMD} {
		if cpuid.CPU.Supports(f) {
			m.Features = append(m.Features, f.String())
		}
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load = strings.Join(strings.Fields(string(load))[:3], " ")
	}
	return m
}

// write makes the file and the folders that it stands in.
func (r report) write(path string) error {
	r.Time = time.Now().UTC().Format(time.RFC3339)
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("peers: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("peers: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("peers: %w", err)
	}
	return nil
}

// versions returns what each library said it is, once for each way in which it ran.
func versions(records []record) map[string]string {
	seen := map[string][]string{}
	for _, r := range records {
		if r.Median != nil && !slices.Contains(seen[r.Peer], r.About) {
			seen[r.Peer] = append(seen[r.Peer], r.About)
		}
	}
	list := map[string]string{}
	for name, all := range seen {
		if name != ourName {
			list[name] = strings.Join(all, "; ")
		}
	}
	return list
}
