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

// job is the part of a call that the device's buffers hold at once.
type job struct {
	plan    *plan
	variant Variant
	problem attention.Problem // of this part
	in      packed
	splits  int
	host    *scratch
	lent    []gl.Buffer
	texels  []gl.Texels
}

// run uploads, dispatches and downloads. It runs on the GL thread.
func (j *job) run(ctx context.Context) (err error) {
	b := j.plan.backend
	b.messages = b.messages[:0]
	defer func() {
		for _, view := range j.texels {
			b.c.DeleteTexels(view)
		}
		for _, buffer := range j.lent {
			b.buffers.put(buffer)
		}
		if glErr := b.c.Check("run " + j.variant.String()); err == nil && glErr != nil {
			err = translate(glErr)
		}
		if err == nil && len(b.messages) > 0 {
			err = fmt.Errorf("gpu: %v: driver says: %s", j.variant, b.messages[0])
		}
	}()
	size := jobBytes(j.problem, j.problem.Batch, j.problem.KVHeads).withPartials(j.splits)
	uploads, err := j.upload()
	if err != nil {
		return err
	}
	outputs, err := j.reserve(size.o, size.stats, "outputs")
	if err != nil {
		return err
	}
	partials := outputs
	if j.splits > 1 {
		if partials, err = j.reserve(size.partialOutput, size.partialStats, "partials"); err != nil {
			return err
		}
	}
	if err := j.dispatch(ctx, append(uploads, partials...)); err != nil {
		return err
	}
	if j.splits > 1 {
		if err := j.merge(ctx, partials, outputs); err != nil {
			return err
		}
	}
	return j.download(outputs, size)
}

// bound is a buffer at a storage binding, or a view of it at a sampler's.
type bound struct {
	binding uint32
	buffer  gl.Buffer
	size    int64
	texels  gl.Texels
}

func (j *job) buffer(binding uint32, size int64, label string) (bound, error) {
	size = max(size, 16) // OpenGL binds no empty range
	buffer, err := j.plan.backend.buffers.get(size, label)
	if err != nil {
		return bound{}, err
	}
	j.lent = append(j.lent, buffer)
	return bound{binding: binding, buffer: buffer, size: size}, nil
}

func (j *job) upload() ([]bound, error) {
	var list []bound
	for _, u := range []struct {
		binding uint32
		data    []byte
		label   string
	}{
		{bindQueries, j.in.q, "queries"}, {bindKeys, j.in.k, "keys"}, {bindValues, j.in.v, "values"},
		{bindBias, j.in.bias.data, "bias"}, {bindMask, j.in.mask.data, "mask"}, {bindSequences, j.in.sequences, "sequences"},
	} {
		if u.data == nil {
			continue
		}
		b, err := j.buffer(u.binding, int64(len(u.data)), u.label)
		if err != nil {
			return nil, err
		}
		if err := j.plan.backend.c.Write(b.buffer, 0, u.data); err != nil {
			return nil, fmt.Errorf("gpu: upload of %s: %w", u.label, translate(err))
		}
		if err := j.sample(&b); err != nil {
			return nil, fmt.Errorf("gpu: upload of %s: %w", u.label, translate(err))
		}
		list = append(list, b)
	}
	return list, nil
}

// sample makes the view of Q, K or V that the row-per-lane kernel reads.
func (j *job) sample(b *bound) (err error) {
	if j.variant.Kernel != KernelRows || b.binding > bindValues {
		return nil
	}
	format := gl.TexelsFloat4
	if b.binding == bindKeys && j.variant.K != attention.Float32 || b.binding == bindValues && j.variant.V != attention.Float32 {
		format = gl.TexelsUint2
	}
	b.texels, err = j.plan.backend.c.CreateTexels(b.buffer, b.size, format)
	j.texels = append(j.texels, b.texels)
	return err
}

func (j *job) reserve(output, stats int64, label string) ([]bound, error) {
	o, err := j.buffer(bindOutputs, output, label)
	if err != nil {
		return nil, err
	}
	s, err := j.buffer(bindStats, stats, label+" stats")
	if err != nil {
		return nil, err
	}
	return []bound{o, s}, nil
}

// maxGroups is how many work groups every device takes along an axis.
const maxGroups = 65535

// dispatch runs the kernel over the job.
func (j *job) dispatch(ctx context.Context, buffers []bound) error {
	v, p := j.variant, j.problem
	numbers := newParams(p, v)
	numbers.split(v.Tile.Split, j.splits)
	numbers.scores("bias", j.in.bias)
	numbers.scores("mask", j.in.mask)
	walk := cutter{batches: p.Batch, heads: p.KVHeads, rows: p.QueryLen * p.Group(), step: v.Tile.rowsPerGroup(v.Kernel)}
	if v.Kernel == KernelDecode {
		walk.step = walk.rows // its work groups find their rows without a base
	}
	walk.groupsPerHead = j.groups(cut{heads: 1, rows: walk.step})[1]
	walk.costPerRow = float64(p.FLOPs(int64(p.KeyLen)))
	return j.walk(ctx, v, walk, numbers, buffers, j.groups)
}

// walk runs a variant over the job in cuts of bounded time.
func (j *job) walk(ctx context.Context, v Variant, walk cutter, numbers params, buffers []bound, groups func(cut) [3]int) error {
	b := j.plan.backend
	prog, err := b.programs.get(v)
	if err != nil {
		return err
	}
	for {
		c, more := walk.next(prog.pace.allowed())
		if !more {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		numbers.ints["batch_base"], numbers.ints["kv_base"], numbers.ints["row_base"] = c.batch, c.head, c.row
		start := time.Now()
		if err := b.submit(prog, numbers, buffers, groups(c)); err != nil {
			return err
		}
		prog.pace.learn(walk.costPerRow*float64(c.rows*c.heads*c.batches), time.Since(start))
	}
}

// groups returns the work groups of a cut along x, y and z.
func (j *job) groups(c cut) [3]int {
	tile, step := j.variant.Tile, j.variant.Tile.rowsPerGroup(j.variant.Kernel)
	blocks := (c.rows + step - 1) / step
	switch j.variant.Kernel {
	case KernelDecode:
		return [3]int{j.splits, c.heads * blocks, c.batches}
	case KernelTiled:
		return [3]int{blocks, c.heads * j.splits * tile.ColumnBlocks, c.batches}
	}
	return [3]int{blocks, c.heads * j.splits, c.batches}
}

// merge joins the partial results into the outputs.
func (j *job) merge(ctx context.Context, partials, outputs []bound) error {
	p, v := j.problem, mergeOf(j.variant)
	numbers := newParams(p, v)
	numbers.split(j.variant.Tile.Split, j.splits)
	buffers := append([]bound{{binding: 0, buffer: partials[0].buffer, size: partials[0].size}, {binding: 1, buffer: partials[1].buffer, size: partials[1].size}}, outputs...)
	walk := cutter{batches: p.Batch, heads: p.KVHeads, rows: p.QueryLen * p.Group(), step: 1, groupsPerHead: 1}
	walk.costPerRow = 2 * float64(j.splits) * float64(p.ValueDim)
	return j.walk(ctx, v, walk, numbers, buffers, func(c cut) [3]int { return [3]int{c.rows, c.heads, c.batches} })
}

// submit runs one dispatch and waits for it.
func (b *Backend) submit(prog *program, numbers params, buffers []bound, groups [3]int) error {
	c := b.c
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
		errs = append(errs, c.BindStorage(buffer.binding, buffer.buffer, 0, buffer.size))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("gpu: %v: bind: %w", prog.variant, translate(err))
	}
	if err := c.Dispatch(uint32(groups[0]), uint32(groups[1]), uint32(groups[2])); err != nil {
		return fmt.Errorf("gpu: %v: dispatch: %w", prog.variant, translate(err))
	}
	c.Barrier()
	return finish(c)
}

func (j *job) download(outputs []bound, size sizes) error {
	c := j.plan.backend.c
	if err := c.Read(outputs[0].buffer, 0, grow(&j.host.o, int(size.o))); err != nil {
		return fmt.Errorf("gpu: download of outputs: %w", translate(err))
	}
	if !j.problem.LSE {
		return nil
	}
	if err := c.Read(outputs[1].buffer, 0, grow(&j.host.stats, int(size.stats))); err != nil {
		return fmt.Errorf("gpu: download of statistics: %w", translate(err))
	}
	return nil
}

func (p params) split(length, count int) {
	p.ints["splits"] = count
	if length > 0 {
		p.ints["split_len"] = length
	}
}

func (p params) scores(name string, s scores) {
	p.ints[name+"_batch"], p.ints[name+"_head"], p.ints[name+"_query"], p.ints[name+"_key"] = s.batch, s.head, s.query, s.key
}
