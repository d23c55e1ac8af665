package gpu

import "github.com/glattn/attention"

// stored returns the type in which the device keeps K or V of type t and width n.
// Rows of q8_0 that end within a vec4 are widened: there the numbers beyond n would
// be 0 times the scale of their block, which is NaN where the scale is infinite.
func stored(t attention.DType, n int) attention.DType {
	if t == attention.Q8_0 && n%4 != 0 {
		return attention.Float32
	}
	return t
}

// storedBytes returns the bytes of so many rows of K or V in device layout.
func storedBytes(t attention.DType, rows int64, n int) int64 {
	switch stored(t, n) {
	case attention.Float32:
		return rows * int64(rowBytes(n, true))
	case attention.Q8_0:
		return scalesAt(rows, n) + wholeVec4s(2*rows*int64(blocks(n)))
	}
	return rows * int64(rowBytes(n, false))
}

// scalesAt returns where the scales begin behind the numbers of so many rows of q8_0.
func scalesAt(rows int64, n int) int64 { return wholeVec4s(rows * 4 * int64(vec4s(n))) }

// rowsOfKeys returns the rows of K and of V.
func rowsOfKeys(p attention.Problem) int64 {
	return int64(p.Batch) * int64(p.KVHeads) * int64(p.KeyLen)
}

func wholeVec4s(bytes int64) int64 { return (bytes + 15) / 16 * 16 }

func blocks(n int) int { return ceilDiv(n, attention.Q8_0Block) }

// packStored returns K or V of a region in device layout, in the type that stored says.
func packStored(t attention.Tensor, r region, scratch *[]byte) []byte {
	if t.DType() != attention.Q8_0 {
		return packRows(t, r, false, scratch)
	}
	if n := t.Shape()[attention.AxisDim]; stored(t.DType(), n) != attention.Q8_0 {
		return packRows(t, r, true, scratch)
	}
	return packBlocks(t, r, scratch)
}

// packBlocks parts the blocks of q8_0 into numbers and scales, as tensors.glsl has them.
func packBlocks(t attention.Tensor, r region, scratch *[]byte) []byte {
	shape := t.Shape()
	n := shape[attention.AxisDim]
	rows := int64(r.slabs()) * int64(shape[attention.AxisSequence])
	out := grow(scratch, int(storedBytes(attention.Q8_0, rows, n)))
	number, scale := 0, int(scalesAt(rows, n))
	for b := r.b0; b < r.b1; b++ {
		for h := r.h0; h < r.h1; h++ {
			for i := range shape[attention.AxisSequence] {
				row := t.Uint8s()[t.Index(b, h, i, 0)/attention.Q8_0Block*attention.Q8_0BlockBytes:]
				for left := n; left > 0; left -= attention.Q8_0Block {
					copy(out[scale:], row[:2])
					number += copy(out[number:], row[2:2+min(left, attention.Q8_0Block)])
					scale += 2
					row = row[attention.Q8_0BlockBytes:]
				}
			}
		}
	}
	clear(out[number:scalesAt(rows, n)])
	clear(out[scale:])
	return out
}

// unpackBlocks is packBlocks backwards, for rows of whole blocks.
func unpackBlocks(t attention.Tensor, packed []byte) {
	shape := t.Shape()
	n := shape[attention.AxisDim]
	scales := packed[scalesAt(rowsOf(shape), n):]
	for b := range shape[0] {
		for h := range shape[1] {
			for i := range shape[2] {
				row := t.Uint8s()[t.Index(b, h, i, 0)/attention.Q8_0Block*attention.Q8_0BlockBytes:]
				for range blocks(n) {
					copy(row, scales[:2])
					copy(row[2:attention.Q8_0BlockBytes], packed)
					row, packed, scales = row[attention.Q8_0BlockBytes:], packed[attention.Q8_0Block:], scales[2:]
				}
			}
		}
	}
}

// finiteStored reports whether so many rows of K or V in device layout hold neither NaN nor Inf.
func finiteStored(packed []byte, t attention.DType, rows int64, n int) bool {
	t = stored(t, n)
	if t == attention.Q8_0 { // a number is finite if its scale is
		return allFinite(packed[scalesAt(rows, n):], attention.Float16)
	}
	return allFinite(packed, t)
}
