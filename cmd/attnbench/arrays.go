package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/glattn/attention"
	"github.com/glattn/attention/bench"
	"github.com/glattn/attention/internal/npy"
)

// shaped is the array of Q: its sizes as in the file, its type, and whether the
// sequence stands before the heads.
type shaped struct {
	shape   []int
	dtype   attention.DType
	swapped bool
}

// readInputs reads the files of the command line.
func readInputs(c *cli.Command) (in attention.Inputs, q shaped, err error) {
	switch c.String("layout") {
	case "bhsd":
	case "bshd":
		q.swapped = true
	default:
		return in, q, fmt.Errorf("run: -layout is %q, want bhsd or bshd", c.String("layout"))
	}
	for _, one := range []struct {
		flag string
		to   *attention.Tensor
	}{{"q", &in.Q}, {"k", &in.K}, {"v", &in.V}} {
		t, a, err := read(one.flag, c.String(one.flag), false)
		if err != nil {
			return in, q, err
		}
		rank := len(a.Shape)
		if one.flag == "q" {
			q.shape, q.dtype = a.Shape, t.DType()
			if rank < 2 || rank > 4 {
				return in, q, fmt.Errorf("run: -q: rank is %d, want 2 [S,D], 3 [H,S,D] or 4 [B,H,S,D]", rank)
			}
		}
		if rank != len(q.shape) {
			return in, q, fmt.Errorf("run: -%s: rank is %d, want %d, that of -q", one.flag, rank, len(q.shape))
		}
		if q.swapped && rank > 2 {
			t = t.Transpose(attention.AxisHead, attention.AxisSequence)
		}
		*one.to = t
	}
	if path := c.String("mask"); path != "" {
		if in.Mask, _, err = read("mask", path, true); err != nil {
			return in, q, err
		}
	}
	if path := c.String("bias"); path != "" {
		in.Bias, _, err = read("bias", path, false)
	}
	return in, q, err
}

// results are the outputs of a run and where they go.
type results struct {
	out    attention.Outputs
	o, lse string // paths; lse may be empty
	oMade  attention.Tensor
	oShape []int
	lShape []int
}

// newResults checks where the outputs are to go, before anything is computed.
func newResults(o, lse string) (*results, error) {
	for _, target := range []struct{ flag, path string }{{"o", o}, {"lse", lse}} {
		if target.path == "" {
			continue
		}
		// A file takes the place of what is there, which must not be a device or a folder.
		if info, err := os.Stat(target.path); err == nil && !info.Mode().IsRegular() {
			return nil, fmt.Errorf("run: -%s: %s is not a regular file", target.flag, target.path)
		}
		if info, err := os.Stat(filepath.Dir(target.path)); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("run: -%s: %s is not in a folder that is there", target.flag, target.path)
		}
	}
	if lse != "" && samePlace(o, lse) {
		return nil, fmt.Errorf("run: -o and -lse are both %s", o)
	}
	return &results{o: o, lse: lse}, nil
}

// samePlace reports whether two paths, whose folders are there, name one file,
// however they are spelt.
func samePlace(a, b string) bool {
	if filepath.Base(a) != filepath.Base(b) {
		return false
	}
	first, errFirst := os.Stat(filepath.Dir(a))
	second, errSecond := os.Stat(filepath.Dir(b))
	return errFirst == nil && errSecond == nil && os.SameFile(first, second)
}

// allocate makes the outputs in Q's type, rank and order of axes.
func (r *results) allocate(in attention.Inputs, q shaped) error {
	r.oShape = append([]int(nil), q.shape...)
	r.oShape[len(r.oShape)-1] = in.V.Shape()[attention.AxisDim]
	size := float64(q.dtype.Size())
	for _, n := range r.oShape {
		size *= float64(n)
	}
	if total := float64(bench.TotalMemory()); total > 0 && size > total/2 {
		return fmt.Errorf("run: O of shape %v takes %s, this machine has %s", r.oShape, bytesText(size), bytesText(total))
	}
	r.oMade = attention.Zeros(q.dtype, r.oShape...)
	r.out.O = r.oMade
	if q.swapped && len(q.shape) > 2 {
		r.out.O = r.oMade.Transpose(attention.AxisHead, attention.AxisSequence)
	}
	if r.lse != "" {
		s := in.Q.Shape()
		r.lShape = s[4-len(q.shape) : 3]
		r.out.LSE = attention.Zeros(attention.Float32, s[0], s[1], s[2], 1)
	}
	return nil
}

// write puts the files in place, all or none: each is written whole beside its
// place first.
func (r *results) write() (err error) {
	type file struct {
		path   string
		tensor attention.Tensor
		shape  []int
	}
	files := []file{{r.o, r.oMade, r.oShape}}
	if r.lse != "" {
		files = append(files, file{r.lse, r.out.LSE, r.lShape})
	}
	staged := make([]string, 0, len(files))
	defer func() {
		for _, path := range staged { // those that were not renamed
			err = errors.Join(err, os.Remove(path))
		}
	}()
	for _, f := range files {
		path := fmt.Sprintf("%s.partial-%d", f.path, os.Getpid())
		if err := npy.Write(path, f.tensor, f.shape...); err != nil {
			return err
		}
		staged = append(staged, path)
	}
	for _, f := range files {
		if err := os.Rename(staged[0], f.path); err != nil {
			return err
		}
		staged = staged[1:]
	}
	return nil
}
