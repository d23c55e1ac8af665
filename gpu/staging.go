package gpu

import (
	"time"

	"github.com/glattn/attention/internal/gl"
)

// The staging memory is a ring of parts, each of which is filled again once the device
// has copied it away.
const (
	stageParts = 4
	stageBytes = 4 << 20 // of a part
)

// staging is memory that stays mapped, through which uploads go: the host writes while
// the device still computes, and the driver makes no copy of its own. It is used on the GL
// thread only. A nil staging hands data to the driver.
type staging struct {
	c      *gl.Context
	buffer gl.Buffer
	memory []byte
	fences [stageParts]gl.Sync
	part   int // that is being filled
	used   int // bytes of it
}

// newStaging returns nil where buffers cannot stay mapped, or there is no room for them:
// uploads then go through the driver.
func newStaging(c *gl.Context) *staging {
	buffer, err := c.CreateBuffer(stageParts*stageBytes, "staging", gl.UsagePersistentUpload)
	if err != nil {
		return nil
	}
	memory, err := c.MapWrite(buffer, 0, stageParts*stageBytes)
	if err != nil {
		c.DeleteBuffer(buffer)
		return nil
	}
	return &staging{c: c, buffer: buffer, memory: memory}
}

// write queues the upload of data to a buffer. Data may change once it returns.
func (s *staging) write(to gl.Buffer, offset int64, data []byte) error {
	for len(data) > 0 {
		if s.used == stageBytes {
			if err := s.turn(); err != nil {
				return err
			}
		}
		at := s.part*stageBytes + s.used
		n := copy(s.memory[at:(s.part+1)*stageBytes], data)
		if err := s.c.Copy(to, offset, s.buffer, int64(at), int64(n)); err != nil {
			return translate(err)
		}
		s.used = min(stageBytes, (s.used+n+15)&^15)
		offset, data = offset+int64(n), data[n:]
	}
	return nil
}

// turn goes on to the next part, once the device is through with it.
func (s *staging) turn() error {
	fence, err := s.c.Fence()
	if err != nil {
		return translate(err)
	}
	s.fences[s.part] = fence
	s.part, s.used = (s.part+1)%stageParts, 0
	last := s.fences[s.part]
	s.fences[s.part] = 0
	if last == 0 {
		return nil
	}
	defer s.c.DeleteSync(last)
	return wait(s.c, last)
}

func (s *staging) close() {
	if s == nil {
		return
	}
	for _, fence := range s.fences {
		s.c.DeleteSync(fence)
	}
	s.c.DeleteBuffer(s.buffer)
}

// stagedFrom is the size from which uploads are staged: less is cheaper to hand over.
const stagedFrom = 1 << 12

// write brings data to a buffer.
func (b *Backend) write(to gl.Buffer, offset int64, data []byte) error {
	b.count.uploaded.Add(int64(len(data)))
	if b.stage != nil && len(data) >= stagedFrom {
		return b.stage.write(to, offset, data)
	}
	return translate(b.c.Write(to, offset, data))
}

// maxWait is when a device that signals nothing counts as lost. A dispatch is
// bounded to a small fraction of it.
const maxWait = 2 * time.Minute
