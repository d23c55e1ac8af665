package bench

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/glattn/attention"
)

// SweepMode says how many queries the problems of a sweep have.
type SweepMode string

// The modes of sweeps.
const (
	SweepPrefill SweepMode = "prefill" // as many queries as keys
	SweepDecode  SweepMode = "decode"  // one query
)

// Sweep is a grid of float32 problems, each width with each length, that shows
// where a backend falls off a [Cliff].
type Sweep struct {
	Mode    SweepMode
	Dims    []int // widths D of queries, keys and values, ascending
	Lengths []int // numbers of keys L, ascending
	Causal  bool  // with the rule bottom-right
}

// SweepDims returns the widths that a sweep has unless told otherwise: those of
// models, and some that are no multiple of a vector.
func SweepDims() []int {
	return []int{8, 16, 21, 32, 40, 48, 59, 64, 72, 80, 96, 111, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576}
}

// SweepLengths returns the lengths that a sweep has unless told otherwise: the
// powers of two up to 8192.
func SweepLengths() []int {
	var list []int
	for length := 1; length <= 8192; length *= 2 {
		list = append(list, length)
	}
	return list
}

// Heads and batch of a sweep's problems grow until these are reached: work that
// takes milliseconds and so can be timed, and tensors that fit the last-level
// cache, since waiting for memory would hide how slow a kernel is.
const (
	sweepFLOPs = 1 << 29
	sweepBytes = 8 << 20
	sweepHeads = 64
)

// Spec returns the problem of a point. Heads times batch is the largest power of
// two with which the problem has at most 2^29 FLOPs and 8 MiB in its tensors, but
// at least 1; up to 64 of it are heads. Every query head has its own KV head.
func (s Sweep) Spec(dim, length int) Spec {
	spec := Spec{Name: fmt.Sprintf("%s D=%d L=%d", s.Mode, dim, length)}
	p := &spec.Problem
	p.Shape = attention.Shape{Batch: 1, Heads: 1, KVHeads: 1, QueryLen: 1, KeyLen: length, Dim: dim, ValueDim: dim}
	p.Q, p.K, p.V, p.O = attention.Float32, attention.Float32, attention.Float32, attention.Float32
	if s.Mode == SweepPrefill {
		p.QueryLen = length
	}
	if s.Causal {
		p.Causal = attention.BottomRight
	}
	flops, _ := spec.FLOPs()
	bytes := float64(p.Bytes())
	for n := 2.0; n*flops <= sweepFLOPs && n*bytes <= sweepBytes; n *= 2 {
		if p.Heads < sweepHeads {
			p.Heads, p.KVHeads = 2*p.Heads, 2*p.KVHeads
		} else {
			p.Batch *= 2
		}
	}
	return spec
}

// specs lists the problems of all points, by width, then by length.
func (s Sweep) specs() ([]Spec, error) {
	if s.Mode != SweepPrefill && s.Mode != SweepDecode {
		return nil, fmt.Errorf("bench: sweep: %w: mode is %q, want prefill or decode", attention.ErrInvalid, s.Mode)
	}
	for _, axis := range []struct {
		name string
		list []int
		most int
	}{{"widths", s.Dims, maxDim}, {"lengths", s.Lengths, maxLength}} {
		if err := checkSizes(axis.list, axis.most); err != nil {
			return nil, fmt.Errorf("bench: sweep: %s: %w", axis.name, err)
		}
	}
	var list []Spec
	for _, dim := range s.Dims {
		for _, length := range s.Lengths {
			list = append(list, s.Spec(dim, length))
		}
	}
	return list, nil
}

func checkSizes(list []int, most int) error {
	if len(list) == 0 {
		return fmt.Errorf("%w: there are none", attention.ErrInvalid)
	}
	for n, v := range list {
		if v < 1 || v > most {
			return fmt.Errorf("%w: %d is not in 1 to %d", attention.ErrInvalid, v, most)
		}
		if n > 0 && v <= list[n-1] {
			return fmt.Errorf("%w: %d does not ascend from %d", attention.ErrInvalid, v, list[n-1])
		}
	}
	return nil
}

// ParseSizes reads a comma-separated list of numbers and returns them ascending,
// each once. The error is an [attention.ErrInvalid] naming what is no number.
func ParseSizes(list string) ([]int, error) {
	var sizes []int
	for item := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(item))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("bench: %w: %q in %q is no number of 1 or more", attention.ErrInvalid, item, list)
		}
		sizes = append(sizes, n)
	}
	slices.Sort(sizes)
	return slices.Compact(sizes), nil
}

// SweepPoint is a point of a sweep and what was measured there.
type SweepPoint struct {
	Mode   SweepMode `json:"mode"`
	Dim    int       `json:"dim"`
	Length int       `json:"length"`
	Cliffs []Cliff   `json:"cliffs"` // empty unless the point is one
	Record
}

// SweepResult is a sweep with the points that were measured, by width, then by
// length. Points that an interrupt left out are missing at the end.
type SweepResult struct {
	Sweep
	Points []SweepPoint
}

// At returns the point of the width and length with these indices, nil if it was
// not measured.
func (r *SweepResult) At(dim, length int) *SweepPoint {
	n := dim*len(r.Lengths) + length
	if dim < 0 || length < 0 || length >= len(r.Lengths) || n >= len(r.Points) {
		return nil
	}
	return &r.Points[n]
}

// Cliffs returns the points that are cliffs.
func (r *SweepResult) Cliffs() []SweepPoint {
	var list []SweepPoint
	for _, p := range r.Points {
		if len(p.Cliffs) > 0 {
			list = append(list, p)
		}
	}
	return list
}

// Limits of a sweep's measurements, of which there are hundreds: a long repetition
// averages by itself, and few rows verified at each point are many in all.
const (
	sweepTime       = 100 * time.Millisecond
	sweepVerifyWork = 4e6
	sweepRetries    = 2
)

// RunSweep times all points of a sweep by [Run], on the one backend of c. Unless c
// says otherwise, a point is repeated for 100 ms, or 10 times once 10 ms have
// passed, and at least once. A point that looks like a cliff is timed again, up to
// twice, and the better time counts: noise makes cliffs, too. Errors are those of
// Run, or an [attention.ErrInvalid] for a wrong sweep; an interrupted sweep comes
// with the points so far.
func RunSweep(ctx context.Context, c Config, s Sweep) (*SweepResult, error) {
	result := &SweepResult{Sweep: s}
	specs, err := s.specs()
	if err != nil {
		return result, err
	}
	if len(c.Backends) != 1 {
		return result, fmt.Errorf("bench: sweep: %w: %d backends, want one", attention.ErrInvalid, len(c.Backends))
	}
	c.steady = true
	if c.Time <= 0 {
		c.Time = sweepTime
	}
	if c.VerifyWork <= 0 {
		c.VerifyWork = sweepVerifyWork
	}
	c.MinReps = max(1, c.MinReps)
	c = c.withDefaults() // so that all runs share their roofs
	records, err := Run(ctx, c, specs)
	for n, r := range records {
		result.Points = append(result.Points, SweepPoint{
			Mode: s.Mode, Dim: s.Dims[n/len(s.Lengths)], Length: s.Lengths[n%len(s.Lengths)], Record: r,
		})
	}
	result.findCliffs()
	for again := 0; again < sweepRetries && err == nil; again++ {
		err = result.retry(ctx, c, specs)
	}
	return result, err
}

// retry times the points again that look like cliffs.
func (r *SweepResult) retry(ctx context.Context, c Config, specs []Spec) error {
	var suspects []Spec
	var at []int
	for n, p := range r.Points {
		if len(p.Cliffs) > 0 {
			suspects, at = append(suspects, specs[n]), append(at, n)
		}
	}
	if len(suspects) == 0 {
		return nil
	}
	records, err := Run(ctx, c, suspects)
	for n, second := range records {
		first := &r.Points[at[n]].Record
		// A mistake must show, also one that the first try did not make.
		if second.Failed() || second.Median != nil && *second.Median < *first.Median {
			*first = second
		}
	}
	r.findCliffs()
	return err
}
