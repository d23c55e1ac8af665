package bench

import (
	"math"
	"time"
)

// Status says what became of a measurement.
type Status string

// The outcomes. Only StatusOK has times.
const (
	StatusOK          Status = "ok"
	StatusWrong       Status = "wrong"       // the output failed verification
	StatusError       Status = "error"       // the backend returned an error
	StatusUnsupported Status = "unsupported" // the backend refused the problem
	StatusSkipped     Status = "skipped"     // too large to time on this backend
	StatusInterrupted Status = "interrupted" // the run ended before it was done
)

// Record is one workload on one backend. Numbers that were not measured, or must
// not be shown since the output was wrong, are null in JSON.
type Record struct {
	Workload string `json:"workload"` // name, or the shape again
	Shape    string `json:"shape"`    // as ParseSpec reads it
	Backend  string `json:"backend"`
	Ran      string `json:"ran"` // the backend that auto chose, else Backend again
	Device   string `json:"device"`
	Driver   string `json:"driver"`
	Software bool   `json:"software"` // a software rasteriser
	Threads  int    `json:"threads"`  // of the processor; 0 for a GPU
	DType    string `json:"dtype"`    // of Q/K/V/O
	Plan     string `json:"plan"`
	Go       string `json:"go"`
	Time     string `json:"time"` // when the measurement ended, RFC 3339

	Median *float64 `json:"ms_median"` // wall-clock milliseconds; for a GPU, transfers included
	Min    *float64 `json:"ms_min"`
	Max    *float64 `json:"ms_max"`
	Reps   int      `json:"reps"`

	FLOPs          float64  `json:"flops"`           // of the allowed pairs
	FLOPsCustomary float64  `json:"flops_customary"` // of all pairs, halved for a causal rule
	GFLOPs         *float64 `json:"gflops"`          // a second, from FLOPs
	Bytes          int64    `json:"bytes"`           // Q, K, V, O and log-sum-exp, once each
	GBs            *float64 `json:"gbps"`
	Transfers      bool     `json:"includes_transfers"` // the time holds upload and download

	RoofKind  string   `json:"roof_kind"` // the roof that binds: fma or read, whichever takes longer
	Roof      *float64 `json:"roof"`      // GFLOP/s or GB/s
	RoofHow   string   `json:"roof_how"`
	RoofShare *float64 `json:"roof_share"` // time at the roof as a share of Median; 1 is all of it
	FMAShare  *float64 `json:"fma_share"`  // of the multiply-add roof, binding or not
	ReadShare *float64 `json:"read_share"` // of the read roof, binding or not

	ErrorQuotient *float64 `json:"error_quotient"` // worst error as a share of its bound; null if infinite or unknown
	Verified      bool     `json:"verified"`
	VerifiedRows  int      `json:"verified_rows"` // rows recomputed in float64
	Rows          int      `json:"rows"`          // rows of the output
	SpeedUp       *float64 `json:"speedup"`       // over the reference, in this run

	Status Status `json:"status"`
	Reason string `json:"reason"` // unless ok
}

// Failed reports whether the record tells of a mistake of the backend.
func (r Record) Failed() bool { return r.Status == StatusWrong || r.Status == StatusError }

// compare fills in the speed-ups over the reference on the same workload.
func compare(records []Record) {
	base := map[string]float64{}
	for _, r := range records {
		if r.Backend == "reference" && r.Median != nil {
			base[r.Shape] = *r.Median
		}
	}
	for n := range records {
		if r := &records[n]; r.Median != nil && base[r.Shape] > 0 {
			r.SpeedUp = ratio(base[r.Shape], *r.Median)
		}
	}
}

// ratio returns a/b, nil where that is no finite number.
func ratio(a, b float64) *float64 {
	if !(b > 0) {
		return nil
	}
	q := a / b
	return finite(q)
}

func stamp() string { return time.Now().UTC().Format(time.RFC3339) }

// finite returns v, nil if JSON has no word for it.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
