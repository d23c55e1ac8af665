package gpu

import (
	"encoding/binary"

	"github.com/glattn/attention"
)

// sizes are the bytes of a job's device buffers.
type sizes struct {
	q, k, v, o, stats           int64
	bias, mask, sequences       int64
	partialOutput, partialStats int64
}

func (s sizes) all() []int64 {
	return []int64{s.q, s.k, s.v, s.o, s.stats, s.bias, s.mask, s.sequences, s.partialOutput, s.partialStats}
}

func (s sizes) largest() int64 {
	var most int64
	for _, n := range s.all() {
		most = max(most, n)
	}
	return most
}

func (s sizes) total() int64 {
	var sum int64
	for _, n := range s.all() {
		sum += n
	}
	return sum
}

// jobBytes returns the buffer sizes for so many batch entries and KV heads of p,
// without partial results. Bias and mask count as if nothing were broadcast.
func jobBytes(p attention.Problem, batch, kvHeads int) sizes {
	heads := int64(batch) * int64(kvHeads)
	rows := heads * int64(p.Group()) * int64(p.QueryLen)
	keys := heads * int64(p.KeyLen)
	s := sizes{
		q: rows * int64(rowBytes(p.Dim, true)), o: rows * int64(rowBytes(p.ValueDim, true)), stats: rows * 8,
		k: storedBytes(p.K, keys, p.Dim), v: storedBytes(p.V, keys, p.ValueDim),
		sequences: int64(batch) * 8,
	}
	if p.Bias != attention.NoType {
		s.bias = rows * int64(p.KeyLen) * 4
	}
	if p.Masked {
		s.mask = rows * int64(p.KeyLen)
	}
	return s
}

// withPartials adds the buffers of so many splits; one split writes the outputs.
func (s sizes) withPartials(splits int) sizes {
	if splits == 1 {
		return s
	}
	s.partialOutput, s.partialStats = s.o*int64(splits), s.stats*int64(splits)
	return s
}

// jobBudget is the device memory a job may take, well within the smallest GPUs.
const jobBudget = 1 << 30

// jobs cuts the batch entries and KV heads of p into regions whose buffers fit
// the limit each and the budget together. The heads of a region are KV heads.
func jobs(p attention.Problem, splits int, limit int64) []region {
	fits := func(batch, kvHeads int) bool {
		s := jobBytes(p, batch, kvHeads).withPartials(splits)
		return s.largest() <= limit && s.total() <= jobBudget
	}
	heads := 1 // one always runs: Supports refused what would not fit
	for heads < p.KVHeads && fits(1, heads+1) {
		heads++
	}
	batch := 1
	for heads == p.KVHeads && batch < p.Batch && fits(batch+1, heads) {
		batch++
	}
	var list []region
	for b := 0; b < p.Batch; b += batch {
		for g := 0; g < p.KVHeads; g += heads {
			list = append(list, region{b, min(b+batch, p.Batch), g, min(g+heads, p.KVHeads)})
		}
	}
	return list
}

// queryHeads returns the region of the query heads that belong to the KV heads of r.
func (r region) queryHeads(group int) region {
	return region{r.b0, r.b1, r.h0 * group, r.h1 * group}
}

// part returns the problem of a region alone.
func part(p attention.Problem, r region) attention.Problem {
	p.Batch, p.KVHeads, p.Heads = r.b1-r.b0, r.h1-r.h0, (r.h1-r.h0)*p.Group()
	return p
}

// packed are the inputs of a job in device layout.
type packed struct {
	q, k, v, sequences []byte
	bias, mask         scores
}

// scratch is the host memory of a call, kept for the next.
type scratch struct{ q, k, v, bias, mask, o, stats []byte }

func pack(call *attention.Call, r region, s *scratch) packed {
	p := call.Problem
	rows := r.queryHeads(p.Group())
	in := packed{
		q: packRows(call.In.Q, rows, true, &s.q),
		k: packStored(call.In.K, r, &s.k),
		v: packStored(call.In.V, r, &s.v),
	}
	for b := r.b0; b < r.b1; b++ {
		m := call.Mask(b, 0) // lengths and offsets are the same for all heads
		in.sequences = binary.LittleEndian.AppendUint32(in.sequences, uint32(int32(m.KeyLen())))
		in.sequences = binary.LittleEndian.AppendUint32(in.sequences, uint32(int32(m.Offset())))
	}
	if call.In.Bias.Present() {
		in.bias = packScores(call.In.Bias, rows, &s.bias)
	}
	if call.In.Mask.Present() {
		in.mask = packScores(call.In.Mask, rows, &s.mask)
	}
	return in
}
