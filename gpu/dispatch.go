package gpu

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/gl"
)

// The storage bindings, as the shaders' layout qualifiers say; a test asks the
// linked programs.
const (
	bindQueries   = 0
	bindKeys      = 1
	bindValues    = 2
	bindOutputs   = 3
	bindStats     = 4
	bindBias      = 5
	bindMask      = 6
	bindSequences = 7
)

// bound is a range of a buffer at a storage binding, or a view of it at a sampler's.
type bound struct {
	binding      uint32
	buffer       gl.Buffer
	offset, size int64
	texels       gl.Texels
}

// maxGroups is how many work groups every device takes along an axis.
const maxGroups = 65535

// dispatch runs the kernel over some keys of the job.
func (j *job) dispatch(ctx context.Context, in packed, keys span, buffers []bound, on *keysOnDevice) error {
	v := j.variant
	v.Guarded = v.Kernel == KernelRows && !on.finite
	p := j.problem
	p.KeyLen = keys.size()
	numbers := newParams(p, v)
	numbers.keys(on.place)
	numbers.scores("bias", in.bias)
	numbers.scores("mask", in.mask)
	splits := 1
	if v.Partial {
		numbers.ints["split_len"], numbers.ints["splits"] = v.Tile.Split, j.splits
		numbers.ints["split_base"] = keys.low / v.Tile.Split
		splits = v.splits(p.KeyLen)
	}
	walk := cutter{batches: p.Batch, heads: p.KVHeads, rows: p.QueryLen * p.Group(), step: v.Tile.rowsPerGroup(v.Kernel), splits: splits}
	if v.Kernel == KernelDecode {
		walk.step = walk.rows // its work groups find their rows without a base
	}
	walk.mostSplits = maxGroups / max(1, v.Tile.ColumnBlocks)
	walk.groupsPerHead = j.groups(cut{heads: 1, rows: walk.step, splits: min(splits, walk.mostSplits)})[1]
	walk.costPerRow = float64(p.FLOPs(int64(p.KeyLen)))
	return j.walk(ctx, v, walk, numbers, buffers, j.groups, func(c cut) float64 {
		low := keys.low + c.split*v.Tile.Split // 0 without splits
		high := keys.high
		if c.splits < splits {
			high = min(high, low+c.splits*v.Tile.Split)
		}
		return j.allowedFLOPs(c, span{low, high})
	})
}

// sampledQueries is how many queries stand for all of a cut: geometry gives them linearly
// more or fewer keys.
const sampledQueries = 16

// allowedFLOPs returns the operations on the pairs that causal rule, window and lengths
// leave to a cut: what its time says something about. Kernels skip the rest, and a rate
// that counted it would let the next call, which may see all keys, run for far too long.
func (j *job) allowedFLOPs(c cut, keys span) float64 {
	first, queries := c.row/j.problem.Group(), max(1, c.rows/j.problem.Group())
	n := min(queries, sampledQueries)
	pairs := 0.0
	for b := c.batch; b < c.batch+c.batches; b++ {
		mask := j.call.Mask(j.heads.b0+b, 0)
		for s := range n {
			i := j.rows.low + first + (2*s+1)*queries/(2*n)
			low, high := mask.KeyRange(i, i+1)
			pairs += float64(max(0, min(high, keys.high)-max(low, keys.low)))
		}
	}
	return float64(j.problem.FLOPs(1)) * pairs / float64(n) * float64(c.rows*c.heads)
}

// walk runs a variant over the job in cuts of bounded time.
// Learnt from is what cost says of a cut, which is at most what the cutter planned.
func (j *job) walk(ctx context.Context, v Variant, walk cutter, numbers params, buffers []bound, groups func(cut) [3]int, cost func(cut) float64) error {
	b := j.plan.backend
	prog, err := b.programs.get(v)
	if err != nil {
		return err
	}
	for {
		c, more := walk.next(prog.pace.allowed(b.budget()))
		if !more {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		numbers.ints["batch_base"], numbers.ints["kv_base"], numbers.ints["row_base"] = c.batch, c.head, c.row
		numbers.ints["split_first"], numbers.ints["split_count"] = c.split, c.splits
		if err := b.submit(prog, numbers, buffers, groups(c), cost(c)); err != nil {
			return err
		}
	}
}

// groups returns the work groups of a cut along x, y and z.
func (j *job) groups(c cut) [3]int {
	tile, step := j.variant.Tile, j.variant.Tile.rowsPerGroup(j.variant.Kernel)
	blocks := ceilDiv(c.rows, step)
	switch j.variant.Kernel {
	case KernelDecode:
		return [3]int{c.splits, c.heads * blocks, c.batches}
	case KernelTiled:
		return [3]int{blocks, c.heads * c.splits * tile.ColumnBlocks, c.batches}
	}
	return [3]int{blocks, c.heads * c.splits, c.batches}
}

// merge joins the partial results into the outputs.
func (j *job) merge(ctx context.Context) error {
	p, v := j.problem, mergeOf(j.variant)
	numbers := newParams(p, v)
	numbers.ints["splits"] = j.splits
	partials := j.results
	buffers := append([]bound{partials[0].at(0), partials[1].at(1)}, j.outputs...)
	walk := cutter{batches: p.Batch, heads: p.KVHeads, rows: p.QueryLen * p.Group(), step: 1, splits: 1, groupsPerHead: 1}
	walk.costPerRow = 2 * float64(j.splits) * float64(p.ValueDim)
	return j.walk(ctx, v, walk, numbers, buffers, func(c cut) [3]int { return [3]int{c.rows, c.heads, c.batches} }, walk.cost)
}

// at returns the range at another binding.
func (b bound) at(binding uint32) bound {
	b.binding = binding
	return b
}

// submit queues one dispatch. At most one is under way: the one before is waited for,
// and teaches its program's pace.
func (b *Backend) submit(prog *program, numbers params, buffers []bound, groups [3]int, cost float64) error {
	c := b.c
	if err := b.flights.land(); err != nil {
		return err
	}
	if err := c.Write(b.uniforms, 0, numbers.pack(prog.size, prog.offsets)); err != nil {
		return translate(err)
	}
	c.Use(prog.id)
	errs := []error{c.BindUniform(prog.binding, b.uniforms, 0, int64(prog.size))}
	for _, buffer := range buffers {
		if buffer.texels != 0 {
			c.BindTexels(buffer.binding, buffer.texels)
			continue
		}
		errs = append(errs, c.BindStorage(buffer.binding, buffer.buffer, buffer.offset, buffer.size))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("gpu: %v: bind: %w", prog.variant, translate(err))
	}
	began := time.Now()
	if err := c.Dispatch(uint32(groups[0]), uint32(groups[1]), uint32(groups[2])); err != nil {
		return fmt.Errorf("gpu: %v: dispatch: %w", prog.variant, translate(err))
	}
	c.Barrier()
	return b.flights.start(prog, cost, began)
}

func (p params) scores(name string, s scores) {
	p.ints[name+"_batch"], p.ints[name+"_head"], p.ints[name+"_query"], p.ints[name+"_key"] = s.batch, s.head, s.query, s.key
}

// placement is where K and V lie in their buffers, in vec4s.
type placement struct{ k, v slab }

// dense is the placement of keys that were packed for the job.
func dense(p attention.Problem, keys int) placement {
	slabOf := func(width int) slab {
		pitch := keys * vec4s(width)
		return slab{entry: p.KVHeads * pitch, pitch: pitch}
	}
	return placement{slabOf(p.Dim), slabOf(p.ValueDim)}
}

func (p params) keys(place placement) {
	p.ints["k_base"], p.ints["k_batch"], p.ints["k_pitch"] = place.k.base, place.k.entry, place.k.pitch
	p.ints["v_base"], p.ints["v_batch"], p.ints["v_pitch"] = place.v.base, place.v.entry, place.v.pitch
	if place.k.scales > 0 { // else they lie behind what was packed, as newParams says
		p.ints["k_scales"] = place.k.scales
	}
	if place.v.scales > 0 {
		p.ints["v_scales"] = place.v.scales
	}
}
