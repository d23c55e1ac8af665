package gpu

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/glattn/attention/internal/gl"
)

// program is a linked kernel with the layout of its parameters.
type program struct {
	variant Variant
	id      gl.Program
	binding uint32         // of the parameter block
	size    int            // of the parameter block, bytes
	offsets map[string]int // of the parameters by name
	pace    pace           // of its dispatches
}

// programs compiles variants once and keeps them. It is used on the GL thread only.
type programs struct {
	c       *gl.Context
	disk    *binaryCache
	pace    pace // of a program that has not run yet
	verbose bool // errors carry the shader
	made    map[Variant]*program
	failed  map[Variant]error // a driver that refused once is not asked again
}

func newPrograms(c *gl.Context, disk *binaryCache, verbose bool) *programs {
	return &programs{c: c, disk: disk, verbose: verbose, pace: newPace(c.Info().Software), made: map[Variant]*program{}, failed: map[Variant]error{}}
}

// get returns the program of v, compiled now if it must be.
func (p *programs) get(v Variant) (*program, error) {
	if made, ok := p.made[v]; ok {
		return made, nil
	}
	if err, ok := p.failed[v]; ok {
		return nil, err
	}
	made, err := p.make(v)
	if err != nil {
		var compile *CompileError
		if errors.As(err, &compile) {
			p.failed[v] = err
		}
		return nil, err
	}
	p.made[v] = made
	return made, nil
}

func (p *programs) make(v Variant) (*program, error) {
	src, err := v.source()
	if err != nil {
		return nil, err
	}
	id, err := p.compile(v, src)
	if err != nil {
		return nil, err
	}
	made := &program{variant: v, id: id, pace: p.pace}
	made.binding, made.size, made.offsets, err = p.c.UniformBlock(id, "Params")
	if err != nil {
		p.c.DeleteProgram(id)
		return nil, fmt.Errorf("gpu: %v: parameters: %w", v, translate(err))
	}
	return made, nil
}

// compile loads the driver's binary of an earlier run, or compiles and stores it.
func (p *programs) compile(v Variant, src source) (gl.Program, error) {
	info := p.c.Info()
	sum := sha256.Sum256([]byte(info.Vendor + "\x00" + info.Renderer + "\x00" + info.Version + "\x00" + src.text))
	key := hex.EncodeToString(sum[:])
	if format, data, ok := p.disk.load(key); ok {
		if id, err := p.c.LoadBinary(format, data); err == nil {
			return id, nil
		}
		p.disk.remove(key) // stale or corrupt: the driver knows, we compile
	}
	id, err := p.c.CompileCompute(src.text)
	if err != nil {
		var refused *gl.CompileError
		if errors.As(err, &refused) {
			return 0, &CompileError{Variant: v, Stage: refused.Stage, Log: src.locate(refused.Log), Source: src.text, verbose: p.verbose}
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
	for _, made := range p.made {
		p.c.DeleteProgram(made.id)
	}
	clear(p.made)
}

// maxWait is when a device that signals nothing counts as lost. A dispatch is
// bounded to a small fraction of it.
const maxWait = 2 * time.Minute

// finish waits until the device has done everything submitted.
func finish(c *gl.Context) error {
	fence, err := c.Fence()
	if err != nil {
		return translate(err)
	}
	defer c.DeleteSync(fence)
	return translate(c.Await(fence, maxWait))
}
