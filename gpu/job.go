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

// packed are the inputs that some keys and values have, in device layout.
type packed struct {
	k, v, sequences []byte // k and v only where they have to be brought to the device
	bias, mask      scores
	finite          bool // V holds neither NaN nor Inf, or nobody wants to know
}

// scratch is the host memory of a call, kept for the next.
type scratch struct{ q, k, v, bias, mask, o, stats []byte }

// packQueries returns the queries of a region in device layout.
func packQueries(call *attention.Call, r region, queries span, s *scratch) []byte {
	q := call.In.Q.Slice(attention.AxisSequence, queries.low, queries.high)
	return packRows(q, r.queryHeads(call.Problem.Group()), true, &s.q)
}

// packKeys returns keys and values of a region in device layout, those that are wanted, and
// all that depends on which keys they are. With guard it looks for NaN and Inf. Positions count from the first of them.
func packKeys(call *attention.Call, r region, queries, keys span, k, v, guard bool, s *scratch) packed {
	p := call.Problem
	rows := r.queryHeads(p.Group())
	var in packed
	if k {
		in.k = packStored(call.In.K.Slice(attention.AxisSequence, keys.low, keys.high), r, &s.k)
	}
	if v {
		in.v = packStored(call.In.V.Slice(attention.AxisSequence, keys.low, keys.high), r, &s.v)
		in.finite = !guard || finiteStored(in.v, p.V, int64(r.slabs())*int64(keys.size()), p.ValueDim)
	}
	for b := r.b0; b < r.b1; b++ {
		m := call.Mask(b, 0) // lengths and offsets are the same for all heads
		length := min(max(m.KeyLen()-keys.low, 0), keys.size())
		in.sequences = binary.LittleEndian.AppendUint32(in.sequences, uint32(int32(length)))
		in.sequences = binary.LittleEndian.AppendUint32(in.sequences, uint32(int32(m.Offset()+queries.low-keys.low)))
	}
	cut := func(t attention.Tensor) attention.Tensor {
		return t.Slice(attention.AxisSequence, queries.low, queries.high).Slice(attention.AxisDim, keys.low, keys.high)
	}
	if call.In.Bias.Present() {
		in.bias = packScores(cut(call.In.Bias), rows, &s.bias)
	}
	if call.In.Mask.Present() {
		in.mask = packScores(cut(call.In.Mask), rows, &s.mask)
	}
	return in
}
