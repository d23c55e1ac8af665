package gpu

import (
	"context"
	"errors"
	"fmt"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/gl"
)

// job is some queries of some batch entries and heads on the device: a range of keys
// after the other is brought there and computed. All methods run on the GL thread.
type job struct {
	plan    *plan
	device  *gl.Context // that holds what the job has; nil before it has anything
	variant Variant
	call    *attention.Call   // that the job is of
	problem attention.Problem // of the job; its keys are all there are
	splits  int               // partial results of a row
	here    residents         // operands of the whole call that lie on the device
	heads   region            // which the job's are
	rows    span              // of the queries
	queries bound
	results []bound // what the kernel writes: partial results, or the outputs
	outputs []bound
	lent    []gl.Buffer
	texels  []gl.Texels
}

// keysOnDevice are keys and values that serve several jobs.
type keysOnDevice struct {
	buffers []bound
	place   placement
	finite  bool // V holds neither NaN nor Inf
}

// begin brings the queries to the device and reserves room for results.
func (j *job) begin(q []byte) (err error) {
	b := j.plan.backend
	b.messages = b.messages[:0] // of others
	j.device = b.c
	if err := j.here.lost(b.c); err != nil {
		return err
	}
	defer j.clean("begin", &err)
	j.splits = j.variant.splits(j.problem.KeyLen)
	size := jobBytes(j.problem, j.problem.Batch, j.problem.KVHeads).withPartials(j.splits)
	if j.here.q == nil {
		j.queries, err = j.upload(bindQueries, q, "queries")
	} else if j.queries, err = j.buffer(bindQueries, size.q, "queries"); err == nil {
		err = j.here.q.transfer(j.plan.backend, j.queries, j.heads.queryHeads(j.problem.Group()), j.rows, true)
	}
	if err != nil {
		return err
	}
	if j.outputs, err = j.reserve(size.o, size.stats, "outputs"); err != nil {
		return err
	}
	j.results = j.outputs
	if j.splits > 1 {
		j.results, err = j.reserve(size.partialOutput, size.partialStats, "partials")
	}
	return err
}

// load brings keys and values to the device, where they stay until the job is released.
func (j *job) load(in packed, keys span) (on *keysOnDevice, err error) {
	j.device = j.plan.backend.c
	if err := j.here.lost(j.device); err != nil {
		return nil, err
	}
	defer j.clean("load", &err)
	on = &keysOnDevice{place: dense(j.problem, keys.size()), finite: in.finite}
	for _, u := range []struct {
		binding uint32
		data    []byte
		label   string
		here    *located
		place   *slab
	}{{bindKeys, in.k, "keys", j.here.k, &on.place.k}, {bindValues, in.v, "values", j.here.v, &on.place.v}} {
		var b bound
		if u.here != nil {
			b, *u.place = u.here.bind(u.binding, j.heads, keys)
		} else if b, err = j.upload(u.binding, u.data, u.label); err != nil {
			return nil, err
		}
		on.buffers = append(on.buffers, b)
	}
	if j.here.v != nil {
		on.finite = !j.here.v.mixed.Load()
	}
	return on, nil
}

// attend computes the job's queries over some keys.
func (j *job) attend(ctx context.Context, in packed, on *keysOnDevice, keys span) (err error) {
	if err := j.here.lost(j.plan.backend.c); err != nil {
		return err
	}
	defer j.clean("run", &err)
	before := len(j.lent)
	defer func() { // what only these keys need
		j.give(j.lent[before:])
		j.lent = j.lent[:before]
	}()
	buffers := append([]bound{j.queries}, on.buffers...)
	for n := range buffers {
		if err := j.sample(&buffers[n]); err != nil {
			return err
		}
	}
	for _, u := range []struct {
		binding uint32
		data    []byte
		label   string
	}{{bindBias, in.bias.data, "bias"}, {bindMask, in.mask.data, "mask"}, {bindSequences, in.sequences, "sequences"}} {
		if u.data == nil {
			continue
		}
		b, err := j.upload(u.binding, u.data, u.label)
		if err != nil {
			return err
		}
		buffers = append(buffers, b)
	}
	return j.dispatch(ctx, in, keys, append(buffers, j.results...), on)
}

// end merges partial results and queues the way back to the host.
func (j *job) end(ctx context.Context) (back *readback, err error) {
	if err := j.here.lost(j.plan.backend.c); err != nil {
		return nil, err
	}
	defer func() { // after clean, which may find an error
		if err != nil && back != nil {
			j.plan.backend.putBack(back)
			back = nil
		}
	}()
	defer j.clean("end", &err)
	if j.splits > 1 {
		if err := j.merge(ctx); err != nil {
			return nil, err
		}
	}
	size := jobBytes(j.problem, j.problem.Batch, j.problem.KVHeads)
	if j.here.o != nil {
		if err := j.here.o.transfer(j.plan.backend, j.outputs[0], j.heads.queryHeads(j.problem.Group()), j.rows, false); err != nil {
			return nil, err
		}
		j.here.o.mixed.Store(true) // nobody looked at what was computed
		size.o = 0
	}
	if !j.problem.LSE {
		size.stats = 0
	}
	return j.plan.backend.readBack(j.outputs, size)
}

// gone returns an error if the device was lost since the job brought something there.
func (j *job) gone() error {
	if j.device != nil && j.device != j.plan.backend.c {
		return &LostMemoryError{What: "the work of a call"}
	}
	return nil
}

// release gives the job's buffers back. The device runs everything in order, so that
// whoever gets them next does not meet this job's work.
func (j *job) release() {
	j.give(j.lent)
	j.lent = nil
}

// give gives buffers back, and all views.
func (j *job) give(list []gl.Buffer) {
	b := j.plan.backend
	if j.device != b.c { // whose buffers may have the same names
		j.texels = nil
		return
	}
	for _, view := range j.texels {
		b.c.DeleteTexels(view)
	}
	for _, buffer := range list {
		b.buffers.put(buffer)
	}
	j.texels = nil
}

// abandon releases what a job that came to no end still holds.
func (j *job) abandon() error {
	if len(j.lent)+len(j.texels) == 0 || j.device != j.plan.backend.live.Load() {
		return nil // also where a loss took it
	}
	err := j.plan.backend.thread.do(context.Background(), func() error {
		j.release()
		return nil
	})
	if errors.Is(err, attention.ErrClosed) {
		return nil // closing freed it
	}
	return err
}

// clean ends a step: OpenGL's own errors become the step's, and leave no trace.
func (j *job) clean(step string, err *error) {
	b := j.plan.backend
	if glErr := b.c.Check(step + " " + j.variant.String()); *err == nil && glErr != nil {
		*err = translate(glErr)
	}
	if *err == nil && len(b.messages) > 0 {
		*err = fmt.Errorf("gpu: %v: driver says: %s", j.variant, b.messages[0])
	}
	b.messages = b.messages[:0]
	if *err != nil {
		b.flights.abandon()
	}
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

func (j *job) upload(binding uint32, data []byte, label string) (bound, error) {
	b, err := j.buffer(binding, int64(len(data)), label)
	if err != nil {
		return b, err
	}
	if err := j.plan.backend.write(b.buffer, 0, data); err != nil {
		return b, fmt.Errorf("gpu: upload of %s: %w", label, err)
	}
	return b, nil
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
	b.texels, err = j.plan.backend.c.CreateTexels(b.buffer, b.offset, b.size, format)
	if err != nil {
		return fmt.Errorf("gpu: view of storage %d: %w", b.binding, translate(err))
	}
	j.texels = append(j.texels, b.texels)
	return nil
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
