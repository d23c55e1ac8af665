package gpu

import (
	"fmt"
	"math/bits"

	"github.com/glattn/attention/internal/gl"
)

// buffers lends storage buffers in sizes of powers of two and keeps them for the
// next call. It is used on the GL thread only.
type buffers struct {
	c    *gl.Context
	free map[int][]gl.Buffer // by log2 of the size
	held int64               // bytes in free
	cap  int64               // most bytes kept in free
}

// minBuffer is the smallest buffer, so that tiny ones are few kinds.
const minBuffer = 1 << 12

func newBuffers(c *gl.Context) *buffers {
	return &buffers{c: c, free: map[int][]gl.Buffer{}, cap: 512 << 20}
}

func sizeClass(n int64) int { return bits.Len64(uint64(max(n, minBuffer) - 1)) }

// get returns a buffer of at least n bytes with undefined content.
func (p *buffers) get(n int64, label string) (gl.Buffer, error) {
	class := sizeClass(n)
	if list := p.free[class]; len(list) > 0 {
		b := list[len(list)-1]
		p.free[class] = list[:len(list)-1]
		p.held -= 1 << class
		return b, nil
	}
	b, err := p.c.CreateBuffer(1<<class, label, gl.UsageDevice)
	if err != nil && p.held > 0 {
		p.drop() // what is kept for later may be what is missing now
		b, err = p.c.CreateBuffer(1<<class, label, gl.UsageDevice)
	}
	if err != nil {
		return 0, fmt.Errorf("gpu: %s: %w", label, translate(err))
	}
	return b, nil
}

// put takes a buffer back.
func (p *buffers) put(b gl.Buffer) {
	size := p.c.BufferSize(b)
	if size == 0 {
		return
	}
	if p.held+size > p.cap {
		p.c.DeleteBuffer(b)
		return
	}
	class := sizeClass(size)
	p.free[class] = append(p.free[class], b)
	p.held += size
}

// drop deletes everything that is not lent.
func (p *buffers) drop() {
	for class, list := range p.free {
		for _, b := range list {
			p.c.DeleteBuffer(b)
		}
		delete(p.free, class)
	}
	p.held = 0
}
