package bench

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/pbnjay/memory"

	"github.com/glattn/attention"
)

// memoryShare is the part of the machine's memory that a call's tensors may take,
// since backends need room of their own beside them.
const memoryShare = 0.6

// checkMemory refuses what this machine cannot hold: inputs once and outputs for
// each of several backends. Running out of memory would end the process.
func (s Spec) checkMemory(outputs int, total uint64) error {
	need := 0.0
	for _, t := range s.tensors() {
		bytes := t.elements * float64(t.dtype.Bytes(attention.Q8_0Block)) / attention.Q8_0Block
		if t.name == "O" || t.name == "LSE" {
			bytes *= float64(outputs)
		}
		need += bytes
	}
	if limit := memoryShare * float64(total); total > 0 && need > limit {
		return fmt.Errorf("bench: %w: %s needs %.3g GB for its tensors, this machine has %.3g GB to give",
			attention.ErrOutOfMemory, s.Title(), need/1e9, limit/1e9)
	}
	return nil
}

// inputs makes random data: Q, K, V and a bias N(0,1), a mask that hides one key
// in ten. The same spec and seed make the same numbers on every machine.
func (s Spec) inputs(seed uint64) attention.Inputs {
	p := s.Problem
	in := attention.Inputs{
		Q: attention.Zeros(p.Q, p.Batch, p.Heads, p.QueryLen, p.Dim),
		K: attention.Zeros(p.K, p.Batch, p.KVHeads, p.KeyLen, p.Dim),
		V: attention.Zeros(p.V, p.Batch, p.KVHeads, p.KeyLen, p.ValueDim),
	}
	fill(in.Q, seed, 0)
	fill(in.K, seed, 1)
	fill(in.V, seed, 2)
	if p.Bias != attention.NoType {
		in.Bias = attention.Zeros(p.Bias, 1, p.Heads, p.QueryLen, p.KeyLen)
		fill(in.Bias, seed, 3)
	}
	if p.Masked {
		in.Mask = attention.Zeros(attention.Bool, 1, 1, p.QueryLen, p.KeyLen)
		fill(in.Mask, seed, 4)
	}
	if p.Causal == attention.PerBatch || p.Window.Align == attention.PerBatch {
		in.Offsets = make([]int, p.Batch)
		for b := range in.Offsets {
			in.Offsets[b] = s.Offset
		}
	}
	return in
}

// outputs makes blank outputs of the spec.
func (s Spec) outputs() attention.Outputs {
	p := s.Problem
	out := attention.Outputs{O: attention.Zeros(p.O, p.Batch, p.Heads, p.QueryLen, p.ValueDim)}
	if p.LSE {
		out.LSE = attention.Zeros(attention.Float32, p.Batch, p.Heads, p.QueryLen, 1)
	}
	return out
}

// fillChunk is how many numbers come from one random source. Chunks are filled
// side by side, and do not depend on how many threads do it.
const fillChunk = 1 << 16

func fill(t attention.Tensor, seed, stream uint64) {
	if t.DType() == attention.Q8_0 {
		fillBlocks(t, seed, stream)
		return
	}
	n := len(t.Float32s()) + len(t.Uint16s()) + len(t.Bools())
	chunks := make(chan int)
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n/fillChunk+1) {
		group.Go(func() {
			for c := range chunks {
				random := rand.New(rand.NewPCG(seed, stream<<48|uint64(c)))
				for i := c * fillChunk; i < min(n, (c+1)*fillChunk); i++ {
					put(t, i, random)
				}
			}
		})
	}
	for c := range (n + fillChunk - 1) / fillChunk {
		chunks <- c
	}
	close(chunks)
	group.Wait()
}

// fillBlocks quantizes what a float32 tensor would be filled with.
func fillBlocks(t attention.Tensor, seed, stream uint64) {
	shape := t.Shape()
	wide := attention.Zeros(attention.Float32, shape[:]...)
	fill(wide, seed, stream)
	width := shape[attention.AxisDim]
	for i := range shape[0] * shape[1] * shape[2] {
		t.SetRow(i/shape[2]/shape[1], i/shape[2]%shape[1], i%shape[2], wide.Float32s()[i*width:(i+1)*width])
	}
}

func put(t attention.Tensor, i int, random *rand.Rand) {
	switch t.DType() {
	case attention.Float32:
		t.Float32s()[i] = float32(random.NormFloat64())
	case attention.Float16:
		t.Uint16s()[i] = attention.Float32ToFloat16(float32(random.NormFloat64()))
	case attention.BFloat16:
		t.Uint16s()[i] = attention.Float32ToBFloat16(float32(random.NormFloat64()))
	case attention.Bool:
		t.Bools()[i] = random.IntN(10) > 0
	}
}

// TotalMemory returns the bytes of this machine's memory, 0 if that is not known.
func TotalMemory() uint64 { return memory.TotalMemory() }
