package gpu

import (
	"fmt"
	"math/bits"

	"github.com/glattn/attention/internal/gl"
)

// buffers lends storage buffers in sizes of powers of two and keeps them for the
// next call. It is used on the GL thread only.
type buffers struct {
	c     *gl.Context
	usage gl.Usage
	free  map[int][]gl.Buffer  // by log2 of the size
	maps  map[gl.Buffer][]byte // of buffers that stay mapped
	held  int64                // bytes in free
	cap   int64                // most bytes kept in free
}

// minBuffer is the smallest buffer, so that tiny ones are few kinds.
const minBuffer = 1 << 12

func newBuffers(c *gl.Context, usage gl.Usage, most int64) *buffers {
	return &buffers{c: c, usage: usage, free: map[int][]gl.Buffer{}, maps: map[gl.Buffer][]byte{}, cap: most}
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
	b, err := createBuffer(p.c, 1<<class, label, p.usage, p)
	if err != nil {
		return 0, fmt.Errorf("gpu: %s: %w", label, translate(err))
	}
	return b, nil
}

// createBuffer makes a buffer, at the cost of what pools keep for later if that is what is
// missing.
func createBuffer(c *gl.Context, size int64, label string, usage gl.Usage, pools ...*buffers) (gl.Buffer, error) {
	b, err := c.CreateBuffer(size, label, usage)
	if err == nil {
		return b, nil
	}
	held := int64(0)
	for _, p := range pools {
		held += p.held
		p.drop()
	}
	if held == 0 {
		return 0, err
	}
	return c.CreateBuffer(size, label, usage)
}

// put takes a buffer back.
func (p *buffers) put(b gl.Buffer) {
	size := p.c.BufferSize(b)
	if size == 0 {
		return
	}
	if p.held+size > p.cap {
		p.delete(b)
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
			p.delete(b)
		}
		delete(p.free, class)
	}
	p.held = 0
}

func (p *buffers) delete(b gl.Buffer) {
	delete(p.maps, b)
	p.c.DeleteBuffer(b) // unmaps it too
}

// mapped returns the memory of a buffer that was made to stay mapped for reading.
func (p *buffers) mapped(b gl.Buffer) ([]byte, error) {
	if memory, ok := p.maps[b]; ok {
		return memory, nil
	}
	memory, err := p.c.MapRead(b, 0, p.c.BufferSize(b))
	if err != nil {
		return nil, fmt.Errorf("gpu: mapping: %w", translate(err))
	}
	p.maps[b] = memory
	return memory, nil
}
