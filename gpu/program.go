package gpu

import (
	"errors"
	"fmt"

	"github.com/glattn/attention/internal/gl"
)

// program is a linked kernel with the layout of its parameters.
type program struct {
	variant Variant
	key     string // of what belongs to it on disk
	id      gl.Program
	binding uint32         // of the parameter block
	size    int            // of the parameter block, bytes
	offsets map[string]int // of the parameters by name
	pace    pace           // of its dispatches
}

// programs compiles variants once and keeps them. It is used on the GL thread only.
type programs struct {
	b    *Backend
	c    *gl.Context
	disk *binaryCache
	pace pace // of a program that has not run yet
	made map[Variant]*program
	// started are compilations that Warmup began and nobody asked for yet.
	started map[Variant]*gl.Compilation
}

func newPrograms(b *Backend) *programs {
	return &programs{b: b, c: b.c, disk: openBinaryCache(b.opt.CacheDir), pace: newPace(b.info.Software), made: map[Variant]*program{}, started: map[Variant]*gl.Compilation{}}
}

// start has the driver begin to compile v, unless it is made, refused or on disk.
func (p *programs) start(v Variant) error {
	if p.made[v] != nil || p.started[v] != nil || p.b.health.refusal(v) != nil {
		return nil
	}
	src, err := p.source(v)
	if err != nil {
		return err
	}
	if p.disk.has(p.key(src.text)) {
		return nil
	}
	k, err := p.c.StartCompile(src.text)
	if err != nil {
		return fmt.Errorf("gpu: %v: %w", v, translate(err))
	}
	p.started[v] = k
	return nil
}

// ready reports whether get need not wait for the compiler, as far as the driver tells.
func (p *programs) ready(v Variant) bool { return p.started[v] == nil || p.started[v].Done() }

// get returns the program of v, compiled and tested now if it must be. A variant
// that was refused once stays refused.
func (p *programs) get(v Variant) (*program, error) {
	if made, ok := p.made[v]; ok {
		return made, nil
	}
	if err := p.b.health.refusal(v); err != nil {
		return nil, err
	}
	made, err := p.make(v)
	if err == nil {
		p.made[v] = made // before the trial, which runs it
		if err = p.b.trial(v); err != nil {
			p.c.DeleteProgram(made.id)
			delete(p.made, v)
		}
	}
	if err != nil {
		if isRefusal(err) {
			p.b.health.refuse(v, err)
		}
		return nil, err
	}
	return made, nil
}

// source composes the shader of v.
func (p *programs) source(v Variant) (source, error) {
	src, err := v.source()
	if err == nil && p.b.opt.edit != nil {
		src.text = p.b.opt.edit(v, src.text)
	}
	return src, err
}

func (p *programs) make(v Variant) (*program, error) {
	src, err := p.source(v)
	if err != nil {
		return nil, err
	}
	id, err := p.compile(v, src)
	if err != nil {
		return nil, err
	}
	made := &program{variant: v, key: p.key(src.text), id: id, pace: p.pace}
	made.binding, made.size, made.offsets, err = p.c.UniformBlock(id, "Params")
	if err != nil {
		p.c.DeleteProgram(id)
		return nil, fmt.Errorf("gpu: %v: parameters: %w", v, translate(err))
	}
	return made, nil
}

// compile loads the driver's binary of an earlier run, or compiles and stores it.
func (p *programs) compile(v Variant, src source) (gl.Program, error) {
	key := p.key(src.text)
	k := p.started[v]
	delete(p.started, v)
	if format, data, ok := p.disk.load(key); ok && k == nil {
		if id, err := p.c.LoadBinary(format, data); err == nil {
			return id, nil
		}
		p.disk.remove(key) // stale or corrupt: the driver knows, we compile
	}
	var err error
	if k == nil {
		k, err = p.c.StartCompile(src.text)
	}
	var id gl.Program
	if err == nil {
		id, err = k.Finish()
	}
	if err != nil {
		var refused *gl.CompileError
		if errors.As(err, &refused) {
			return 0, &CompileError{Variant: v, Stage: refused.Stage, Log: src.locate(refused.Log), Source: src.text, verbose: p.b.opt.Sources}
		}
		return 0, fmt.Errorf("gpu: %v: %w", v, translate(err))
	}
	if format, data, err := p.c.Binary(id); err == nil {
		p.disk.store(key, format, data)
	}
	return id, nil
}

// close deletes all programs.
func (p *programs) close() {
	for _, k := range p.started {
		k.Cancel()
	}
	clear(p.started)
	for _, made := range p.made {
		p.c.DeleteProgram(made.id)
	}
	clear(p.made)
}

// wait waits until the device has passed the fence.
func wait(c *gl.Context, fence gl.Sync) error { return translate(c.Await(fence, maxWait)) }

// finish waits until the device has done everything submitted.
func (b *Backend) finish() error {
	fence, err := b.c.Fence()
	if err != nil {
		return translate(err)
	}
	defer b.c.DeleteSync(fence)
	return wait(b.c, fence)
}
