//go:build cgo && !nogpu

package dispatch

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/gpu"
	"github.com/glattn/attention/internal/env"
	"github.com/glattn/attention/verify"
)

// TestResidentOnARealDevice has a cache on whatever device there is: by name the device
// computes on it, and where it is a software rasteriser the CPU gets copies.
func TestResidentOnARealDevice(t *testing.T) {
	device, err := gpu.Open(t.Context(), gpu.Options{Device: -1, CacheDir: t.TempDir()})
	if errors.Is(err, attention.ErrUnavailable) && !env.RequireGPU() {
		t.Skipf("NO GPU TESTED: %v", err)
	}
	require.NoError(t, err)
	in := attention.Inputs{Q: attention.Zeros(attention.Float32, 1, 4, 1, 16)}
	for n := range in.Q.Float32s() {
		in.Q.Float32s()[n] = float32(n%7) - 3
	}
	host := in
	for n, side := range []*attention.Tensor{&in.K, &in.V} {
		made, err := device.NewTensor(t.Context(), attention.Float32, 1, 2, 64, 16)
		require.NoError(t, err)
		defer func() { require.NoError(t, made.Close()) }()
		rows := attention.Zeros(attention.Float32, 1, 2, 40, 16)
		for i := range rows.Float32s() {
			rows.Float32s()[i] = float32((i*(n+3))%11)/4 - 1
		}
		*side = made.View().Slice(attention.AxisSequence, 0, 40)
		require.NoError(t, attention.CopyTensor(t.Context(), *side, rows))
		*[]*attention.Tensor{&host.K, &host.V}[n] = rows
	}
	options := attention.Options{Causal: attention.BottomRight}
	for name, opts := range map[string][]Option{"gpu": {WithBackend("gpu")}, "auto": nil} {
		t.Run(name, func(t *testing.T) {
			e, err := Open(t.Context(), append(opts, WithBackends(notClosed{device}, cpu.New(cpu.Options{})))...)
			require.NoError(t, err)
			out := attention.Outputs{O: attention.Zeros(attention.Float32, 1, 4, 1, 16)}
			report, err := e.Attend(t.Context(), options, in, out)
			require.NoError(t, err)
			if name == "gpu" || !device.Software() {
				require.Equal(t, "gpu", report.Backend)
				require.False(t, report.Copied)
			} else {
				require.Equal(t, "cpu", report.Backend)
				require.True(t, report.Copied)
			}
			call, err := attention.NewCall(options, host, out)
			require.NoError(t, err)
			_, err = verify.Check(call)
			require.NoError(t, err)
			require.NoError(t, e.Close())
		})
	}
	require.NoError(t, device.Close())
}

// notClosed is a device that several engines share.
type notClosed struct{ *gpu.Backend }

func (notClosed) Close() error { return nil }
