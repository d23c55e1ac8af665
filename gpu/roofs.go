package gpu

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/glattn/attention/internal/gl"
)

// Roofs are rates measured on the device: what no kernel can exceed.
type Roofs struct {
	FMAGFLOPs    float64 `json:"fma_gflops"`     // float32 fused multiply-adds, 2 operations each
	ReadGBs      float64 `json:"read_gbs"`       // reading a buffer larger than the caches
	UploadGBs    float64 `json:"upload_gbs"`     // host to device
	DownloadGBs  float64 `json:"download_gbs"`   // device to host
	ReadBufferMB int     `json:"read_buffer_mb"` // size of the buffer that was read
}

// MeasureRoofs runs a loop of fused multiply-adds, a read stream and transfers,
// and returns the best rate of several repetitions of each. It takes about a
// second; other calls wait meanwhile.
func (b *Backend) MeasureRoofs(ctx context.Context) (Roofs, error) {
	var roofs Roofs
	err := b.thread.do(ctx, func() error {
		for _, measure := range []func(context.Context, *Roofs) error{b.measureFMA, b.measureRead, b.measureTransfers} {
			if err := measure(ctx, &roofs); err != nil {
				return err
			}
		}
		return nil
	})
	return roofs, err
}

// Constants of the probes that roof_fma.comp and roof_read.comp take as defines.
const (
	roofThreads = 256
	roofChains  = 4  // independent vec4 chains a thread
	roofSteps   = 64 // fused multiply-adds of each chain per loop
	roofLoads   = 16 // vec4s a thread reads
)

func (b *Backend) measureFMA(ctx context.Context, roofs *Roofs) error {
	return b.probe("probe/roof_fma.comp", 16<<20, func(run func(groups, loops int) (time.Duration, error)) error {
		groups, loops := 1024, 16
		if b.info.Software {
			groups, loops = 16, 4
		}
		best, err := grow2(ctx, run, groups, loops)
		if err != nil {
			return err
		}
		roofs.FMAGFLOPs = best * float64(roofThreads*roofChains*4*2*roofSteps) / 1e9
		return nil
	})
}

// grow2 doubles the loops until a dispatch takes long enough to time, and returns
// the best rate in groups·loops per second.
func grow2(ctx context.Context, run func(groups, loops int) (time.Duration, error), groups, loops int) (float64, error) {
	const enough = 20 * time.Millisecond
	best := 0.0
	for timed := 0; timed < 5; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		took, err := run(groups, loops)
		if err != nil {
			return 0, err
		}
		if took < enough && loops < 1<<20 {
			loops *= 2
			continue
		}
		best = max(best, float64(groups)*float64(loops)/took.Seconds())
		timed++
	}
	return best, nil
}

func (b *Backend) measureRead(ctx context.Context, roofs *Roofs) error {
	size := min(int64(512<<20), b.limits.MaxSSBOBytes)
	if b.info.Software {
		size = min(size, 128<<20)
	}
	roofs.ReadBufferMB = int(size >> 20)
	probe := "probe/roof_read.comp"
	if b.info.Software {
		probe += " texels"
	}
	return b.probe(probe, size, func(run func(groups, loops int) (time.Duration, error)) error {
		groups := int(size / 16 / roofThreads / roofLoads)
		best := time.Duration(0)
		for range 6 {
			if err := ctx.Err(); err != nil {
				return err
			}
			took, err := run(min(groups, 65535), 1)
			if err != nil {
				return err
			}
			if best == 0 || took < best {
				best = took
			}
		}
		bytes := float64(min(groups, 65535)) * roofThreads * roofLoads * 16
		roofs.ReadGBs = bytes / best.Seconds() / 1e9
		return nil
	})
}

// probe compiles a roof probe, gives it a buffer of size bytes and a way to run it.
func (b *Backend) probe(name string, size int64, measure func(run func(groups, loops int) (time.Duration, error)) error) error {
	src, err := probeSource(name)
	if err != nil {
		return err
	}
	id, err := b.c.CompileCompute(src.text)
	if err != nil {
		return fmt.Errorf("gpu: %s: %w", name, translate(err))
	}
	defer b.c.DeleteProgram(id)
	prog := &program{id: id}
	if prog.binding, prog.size, prog.offsets, err = b.c.UniformBlock(id, "Probe"); err != nil {
		return fmt.Errorf("gpu: %s: %w", name, translate(err))
	}
	buffer, err := b.buffers.get(size, name)
	if err != nil {
		return err
	}
	defer b.buffers.put(buffer)
	if err := b.c.ClearBuffer(buffer, 0, size, 0x3f800000); err != nil {
		return translate(err)
	}
	source := bound{binding: 0, buffer: buffer, size: size}
	if strings.HasSuffix(name, "texels") {
		if source.texels, err = b.c.CreateTexels(buffer, 0, size, gl.TexelsFloat4); err != nil {
			return translate(err)
		}
		defer b.c.DeleteTexels(source.texels)
	}
	sink := bound{binding: 3, buffer: buffer, size: minBuffer}
	return measure(func(groups, loops int) (time.Duration, error) {
		numbers := params{ints: map[string]int{"loops": loops}}
		start := time.Now()
		err := b.submit(prog, numbers, []bound{source, sink}, [3]int{groups, 1, 1}, float64(groups)*float64(loops))
		if err == nil {
			err = b.flights.land()
		}
		return time.Since(start), err
	})
}

func (b *Backend) measureTransfers(ctx context.Context, roofs *Roofs) error {
	const size = 64 << 20
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 7)
	}
	buffer, err := b.buffers.get(size, "transfer")
	if err != nil {
		return err
	}
	defer b.buffers.put(buffer)
	rate := func(move func() error) (float64, error) {
		best := 0.0
		for range 4 {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			start := time.Now()
			if err := move(); err != nil {
				return 0, translate(err)
			}
			if err := b.finish(); err != nil {
				return 0, err
			}
			best = max(best, size/time.Since(start).Seconds()/1e9)
		}
		return best, nil
	}
	if roofs.UploadGBs, err = rate(func() error { return b.write(buffer, 0, data) }); err != nil {
		return err
	}
	roofs.DownloadGBs, err = rate(func() error { return b.c.Read(buffer, 0, data) })
	return err
}
