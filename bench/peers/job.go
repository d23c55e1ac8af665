package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"

	"github.com/glattn/attention"
	"github.com/glattn/attention/bench"
)

// job is a workload with its data, which all libraries get.
type job struct {
	spec    bench.Spec
	problem attention.Problem
	in      attention.Inputs
	threads int
	dir     string // for files of this job only

	want []float32 // our output, [batch, head, query, dim]
}

// newJob makes random inputs. A directory for its files is made in dir; close removes it.
func newJob(spec bench.Spec, threads int, dir string) (*job, error) {
	if err := plain(spec.Problem); err != nil {
		return nil, err
	}
	own, err := os.MkdirTemp(dir, "job")
	if err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	p := spec.Problem
	j := &job{spec: spec, problem: p, threads: threads, dir: own, in: attention.Inputs{
		Q: attention.Zeros(p.Q, p.Batch, p.Heads, p.QueryLen, p.Dim),
		K: attention.Zeros(p.K, p.Batch, p.KVHeads, p.KeyLen, p.Dim),
		V: attention.Zeros(p.V, p.Batch, p.KVHeads, p.KeyLen, p.ValueDim),
	}}
	var group sync.WaitGroup
	for stream, t := range []attention.Tensor{j.in.Q, j.in.K, j.in.V} {
		group.Go(func() { fill(t, uint64(stream)) })
	}
	group.Wait()
	return j, nil
}

func (j *job) close() error { return os.RemoveAll(j.dir) }

// plain refuses what the libraries beside us have no words for.
func plain(p attention.Problem) error {
	half := p.K == attention.Float16 && p.V == attention.Float16
	switch {
	case p.Q != attention.Float32 || p.O != attention.Float32 || !half && (p.K != attention.Float32 || p.V != attention.Float32):
		return fmt.Errorf("peers: %w: %v: want float32, K and V also float16", attention.ErrUnsupported, p)
	case p.Softcap != 0 || p.Window.Align != attention.Off || p.Causal == attention.PerBatch,
		p.Bias != attention.NoType || p.Masked || p.Lengths || p.LSE:
		return fmt.Errorf("peers: %w: %v: want no more than a scale and a causal rule", attention.ErrUnsupported, p)
	}
	return nil
}

// fill writes N(0,1), the same numbers on every machine.
func fill(t attention.Tensor, stream uint64) {
	random := rand.New(rand.NewPCG(1, stream))
	for i := range t.Float32s() {
		t.Float32s()[i] = float32(random.NormFloat64())
	}
	for i := range t.Uint16s() {
		t.Uint16s()[i] = attention.Float32ToFloat16(float32(random.NormFloat64()))
	}
}

// half reports whether keys and values are float16.
func (j *job) half() bool { return j.problem.K == attention.Float16 }

// scale is the factor of q·k, the default spelled out.
func (j *job) scale() float32 {
	if j.problem.Scale != 0 {
		return j.problem.Scale
	}
	return float32(1 / math.Sqrt(float64(j.problem.Dim)))
}

// offset is where query 0 stands among the keys under the causal rule.
func (j *job) offset() int {
	if j.problem.Causal == attention.BottomRight {
		return j.problem.KeyLen - j.problem.QueryLen
	}
	return 0
}

// layout is an order of the axes of a tensor in a file.
type layout string

// The layouts: batch, head, sequence, dim as they are here, and as models often have it.
const (
	byHead     layout = "bhsd"
	bySequence layout = "bshd"
)

// file writes an input for a child to read and returns the path. The same file is
// written once only.
func (j *job) file(name string, t attention.Tensor, l layout, kind attention.DType) (string, error) {
	path := filepath.Join(j.dir, fmt.Sprintf("%s.%s.%v", name, l, kind))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	s := t.Shape()
	data := make([]byte, 0, s[0]*s[1]*s[2]*s[3]*kind.Size())
	outer, inner := s[1], s[2]
	if l == bySequence {
		outer, inner = inner, outer
	}
	for b := range s[0] {
		for x := range outer {
			for y := range inner {
				head, at := x, y
				if l == bySequence {
					head, at = y, x
				}
				data = appendRow(data, t, t.Index(b, head, at, 0), s[3], kind)
			}
		}
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return "", fmt.Errorf("peers: %w", err)
	}
	return path, nil
}

// appendRow appends n elements from an index of the storage on, as float32 or float16.
func appendRow(data []byte, t attention.Tensor, at, n int, kind attention.DType) []byte {
	switch {
	case t.DType() == attention.Float16:
		for _, bits := range t.Uint16s()[at : at+n] {
			data = binary.LittleEndian.AppendUint16(data, bits)
		}
	case kind == attention.Float16:
		for _, v := range t.Float32s()[at : at+n] {
			data = binary.LittleEndian.AppendUint16(data, attention.Float32ToFloat16(v))
		}
	default:
		for _, v := range t.Float32s()[at : at+n] {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
	}
	return data
}

// ordered returns an output in the layout as [batch, head, query, dim].
func (j *job) ordered(out []float32, l layout) ([]float32, error) {
	p := j.problem
	if want := p.Batch * p.Heads * p.QueryLen * p.ValueDim; len(out) != want {
		return nil, fmt.Errorf("has %d outputs, want %d", len(out), want)
	}
	if l == byHead {
		return out, nil
	}
	list := make([]float32, 0, len(out))
	for b := range p.Batch {
		for h := range p.Heads {
			for i := range p.QueryLen {
				at := ((b*p.QueryLen+i)*p.Heads + h) * p.ValueDim
				list = append(list, out[at:at+p.ValueDim]...)
			}
		}
	}
	return list, nil
}
