package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/glattn/attention"
	"github.com/glattn/attention/gpu"
)

// ceilings are the two roofs over a problem on a backend. Those of a backend that
// is not ours have no values.
type ceilings struct{ fma, read Roof }

// rates are what a program reached, in the units of the ceilings.
type rates struct{ gflops, gbs float64 }

// of returns the ceilings of a backend, measured unless they are known, or known
// and lower than the rates seen under them; reading is that of so many bytes. On a
// GPU they are read from its memory, however few they are.
func (r *Roofs) of(ctx context.Context, backend attention.Backend, threads int, bytes int64, seen rates) (c ceilings, err error) {
	if b, ok := backend.(*gpu.Backend); ok {
		roofs, err := r.GPU(ctx, b)
		return ceilings{
			fma:  Roof{RoofFMA, roofs.FMAGFLOPs, "compute shader"},
			read: Roof{RoofRead, roofs.ReadGBs, fmt.Sprintf("compute shader, %d MB", roofs.ReadBufferMB)},
		}, err
	}
	if threads == 0 {
		return c, nil
	}
	fma, errFMA := r.atLeast(ctx, cpuKey{kind: RoofFMA, threads: threads}, seen.gflops)
	read, errRead := r.atLeast(ctx, readKey(threads, bytes), seen.gbs)
	return ceilings{fma, read}, errors.Join(errFMA, errRead)
}

// binding returns the roof that limits so many operations and bytes. No program is
// faster than either
//
//	flops / fma roof    or    bytes / read roof,
//
// and the longer of these two times binds. Without measured roofs it is the one
// that binds on most devices.
func (c ceilings) binding(flops, bytes float64) Roof {
	if c.fma.Value <= 0 || c.read.Value <= 0 {
		return Roof{Kind: likelyBound(flops, bytes)}
	}
	if flops*c.read.Value < bytes*c.fma.Value {
		return c.read
	}
	return c.fma
}

// balance is about how many operations current processors and GPUs do in the time
// in which they read a byte of memory: 5 to 20.
const balance = 8

func likelyBound(flops, bytes float64) string {
	if flops < balance*bytes {
		return RoofRead
	}
	return RoofFMA
}

// Bound names the roof, RoofFMA or RoofRead, that limits the problem on most
// devices, by its operations per byte. Records have the roof of the device itself.
func (s Spec) Bound() string {
	flops, _ := s.FLOPs()
	return likelyBound(flops, float64(s.Problem.Bytes()))
}
