package dispatch

import (
	"context"
	"errors"

	"github.com/glattn/attention"
	"github.com/glattn/attention/gpu"
	"github.com/glattn/attention/internal/env"
)

// openGPU opens the device of ATTN_GPU, or the best one.
func openGPU(ctx context.Context) (attention.Backend, error) {
	index, err := env.GPU()
	if err != nil {
		return nil, err
	}
	backend, err := gpu.Open(ctx, gpu.Options{Device: index, Debug: env.Debug().GL, Sources: env.Debug().Shaders})
	if err != nil {
		return nil, err // not backend, whose nil pointer would be an interface that is not nil
	}
	return backend, nil
}

// deviceName returns the renderer of a gpu backend, "" for other backends.
func deviceName(backend attention.Backend) string {
	if b, ok := backend.(*gpu.Backend); ok {
		return b.Device().Renderer
	}
	return ""
}

// lostBefore reports whether a loss is that of memory in a device that was lost earlier.
func lostBefore(err error) bool {
	var memory *gpu.LostMemoryError
	return errors.As(err, &memory)
}
