package gpu

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// maskProblem is a call whose mask is compared cell by cell.
type maskProblem struct {
	lq, lk  int
	options attention.Options
	lengths []int
	offsets []int
	bools   [4]int // sizes of the boolean mask; 0 for none
}

const (
	maskBatch = 2
	maskHeads = 3
)

// maskProblems are all alignments of the causal rule with windows of all kinds,
// over lengths and offsets inside, at and beyond the edges, and random ones.
func maskProblems() []maskProblem {
	var list []maskProblem
	windows := []attention.Window{{}, {Left: 2}, {Left: 0, Right: 3}, {Left: -1, Right: 1}, {Left: 5, Right: -1}, {Left: -1, Right: -1}, {Left: 1 << 29, Right: 1 << 29}}
	for _, size := range [][2]int{{1, 1}, {1, 13}, {9, 9}, {7, 19}, {19, 7}} {
		for _, align := range []attention.Align{attention.TopLeft, attention.BottomRight, attention.PerBatch} {
			for n, w := range windows {
				for _, causal := range []attention.Align{attention.Off, align} {
					p := maskProblem{lq: size[0], lk: size[1], options: attention.Options{Causal: causal}}
					if n > 0 {
						w.Align = align
						p.options.Window = w
					}
					if align == attention.PerBatch && (n > 0 || causal != attention.Off) {
						p.offsets = [][]int{{-3, 4}, {0, -30}, {size[1] - size[0], 100}, {1 << 29, -1 << 29}}[len(list)%4]
					}
					if len(list)%3 == 0 {
						p.lengths = []int{size[1], size[1] / 2}
					}
					list = append(list, p)
				}
			}
		}
	}
	for n, bools := range [][4]int{{2, 3, 7, 19}, {1, 1, 7, 19}, {2, 1, 1, 19}, {1, 3, 7, 1}, {1, 1, 1, 1}} {
		p := maskProblem{lq: 7, lk: 19, bools: bools, lengths: []int{19, 11}}
		if n%2 == 0 {
			p.options.Causal = attention.BottomRight
		}
		list = append(list, p)
	}
	return list
}

func (p maskProblem) call(t testing.TB, random *rand.Rand) *attention.Call {
	in := attention.Inputs{
		Q: attention.Zeros(attention.Float32, maskBatch, maskHeads, p.lq, 1),
		K: attention.Zeros(attention.Float32, maskBatch, maskHeads, p.lk, 1),
		V: attention.Zeros(attention.Float32, maskBatch, maskHeads, p.lk, 1), Lengths: p.lengths, Offsets: p.offsets,
	}
	if p.bools[0] > 0 {
		in.Mask = attention.Zeros(attention.Bool, p.bools[:]...)
		for at := range in.Mask.Bools() {
			in.Mask.Bools()[at] = random.IntN(3) > 0
		}
	}
	call, err := attention.NewCall(p.options, in, attention.Outputs{O: attention.Zeros(attention.Float32, maskBatch, maskHeads, p.lq, 1)})
	require.NoError(t, err, "%+v", p)
	return call
}

// TestMaskProbe compares mask_keep of the shaders with attention.Mask.Keep for
// every pair, and mask_full of blocks of three queries by four keys with Cover.
func TestMaskProbe(t *testing.T) {
	b := anyBackend(t)
	random := rand.New(rand.NewPCG(1, 2))
	programs := map[bool]*program{}
	onThread(t, b, func(t require.TestingT) {
		for bools, name := range map[bool]string{false: "probe/mask.comp", true: "probe/mask.comp bool"} {
			src, err := probeSource(name)
			require.NoError(t, err)
			id, err := b.c.CompileCompute(src.text)
			require.NoError(t, err)
			programs[bools] = &program{id: id}
			programs[bools].binding, programs[bools].size, programs[bools].offsets, err = b.c.UniformBlock(id, "Params")
			require.NoError(t, err)
		}
	})
	t.Cleanup(func() {
		onThread(t, b, func(require.TestingT) {
			for _, p := range programs {
				b.c.DeleteProgram(p.id)
			}
		})
	})
	full, cells := 0, 0
	for n, p := range maskProblems() {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			call := p.call(t, random)
			for batch := range maskBatch {
				for head := range maskHeads {
					if head > 0 && p.bools[0] == 0 {
						continue // without a boolean mask all heads are alike
					}
					got := runMaskProbe(t, b, programs[p.bools[0] > 0], call, batch, head)
					m := call.Mask(batch, head)
					for i := range p.lq {
						for j := range p.lk {
							cell := got[i*p.lk+j]
							require.Equal(t, m.Keep(i, j), cell&1 != 0, "%+v: batch %d, head %d, query %d, key %d", p, batch, head, i, j)
							cells++
							if cell&2 != 0 {
								full++
								require.Equal(t, attention.CoverAll, m.Cover(i, min(i+3, p.lq), j, j+4), "%+v: block at query %d, key %d", p, i, j)
							} else if j+4 <= p.lk {
								require.NotEqual(t, attention.CoverAll, m.Cover(i, min(i+3, p.lq), j, j+4), "%+v: block at query %d, key %d is full", p, i, j)
							}
						}
					}
				}
			}
		})
	}
	require.Greater(t, full, 500, "blocks that are full were among them")
	require.Greater(t, cells, 10000)
}

// runMaskProbe returns for each query and key bit 0, kept, and bit 1, the block
// from there is full.
func runMaskProbe(t testing.TB, b *Backend, prog *program, call *attention.Call, batch, head int) []uint32 {
	t.Helper()
	p := call.Problem
	in := packKeys(call, region{0, p.Batch, 0, p.KVHeads}, span{0, p.QueryLen}, span{0, p.KeyLen}, false, false, false, new(scratch))
	numbers := newParams(p, Variant{})
	numbers.scores("mask", in.mask)
	numbers.ints["batch_base"], numbers.ints["kv_base"], numbers.ints["split_len"] = batch, head, p.KeyLen
	out := bytes.Repeat([]byte{0xff}, 4*p.QueryLen*p.KeyLen) // no cell looks like this
	onThread(t, b, func(t require.TestingT) {
		var buffers []bound
		for _, data := range []struct {
			binding uint32
			bytes   []byte
		}{{bindSequences, in.sequences}, {bindMask, in.mask.data}, {bindOutputs, out}} {
			if len(data.bytes) == 0 {
				continue
			}
			buffer, err := b.buffers.get(int64(len(data.bytes)), "probe")
			require.NoError(t, err)
			defer b.buffers.put(buffer)
			require.NoError(t, b.c.Write(buffer, 0, data.bytes))
			buffers = append(buffers, bound{binding: data.binding, buffer: buffer, size: int64(len(data.bytes))})
		}
		require.NoError(t, b.submit(prog, numbers, buffers, [3]int{(p.KeyLen + 7) / 8, (p.QueryLen + 7) / 8, 1}, 1))
		require.NoError(t, b.flights.land())
		require.NoError(t, b.c.Read(buffers[len(buffers)-1].buffer, 0, out))
	})
	cells := make([]uint32, len(out)/4)
	for n := range cells {
		cells[n] = binary.LittleEndian.Uint32(out[4*n:])
		require.Less(t, cells[n], uint32(4), "cell %d was written", n)
	}
	return cells
}
