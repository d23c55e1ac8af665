package dispatch

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
)

// far is memory of a device that keeps a tensor out of sight.
type far struct {
	data             attention.Tensor
	fetched, stored  int
	failGet, failPut error
}

func newFar(t *testing.T, from attention.Tensor) (*far, attention.Tensor) {
	t.Helper()
	shape := from.Shape()
	m := &far{data: attention.Zeros(from.DType(), shape[:]...)}
	require.NoError(t, attention.CopyTensor(t.Context(), m.data, from))
	return m, attention.NewResident(m, from.DType(), shape[0]*m.data.Strides()[0], shape, m.data.Strides(), 0)
}

func (m *far) Backend() string { return "owner" }

func (m *far) Download(ctx context.Context, dst, src attention.Tensor) error {
	m.fetched++
	if m.failGet != nil {
		return m.failGet
	}
	return attention.CopyTensor(ctx, dst, m.data.WithStrides(src.Shape(), src.Strides(), src.Offset()))
}

func (m *far) Upload(ctx context.Context, dst, src attention.Tensor) error {
	m.stored++
	if m.failPut != nil {
		return m.failPut
	}
	return attention.CopyTensor(ctx, m.data.WithStrides(dst.Shape(), dst.Strides(), dst.Offset()), src)
}

// farCall is a call whose keys and outputs lie on a device.
func farCall(t *testing.T) (in attention.Inputs, out attention.Outputs, keys, outputs *far) {
	t.Helper()
	zeros := func(n int) attention.Tensor { return attention.Zeros(attention.Float32, 1, 1, n, 4) }
	in = attention.Inputs{Q: zeros(2), K: zeros(6), V: zeros(5)}
	in.K.Float32s()[4] = 7
	keys, in.K = newFar(t, in.K)
	in.K = in.K.Slice(attention.AxisSequence, 1, 6)
	outputs, out.O = newFar(t, zeros(2))
	return in, out, keys, outputs
}

// owner is a fake that reaches the memory, other one that does not.
func ownerAndOther() (owner, other *fake) {
	owner, other = newFake("owner", 1), newFake("other", 2)
	other.supports = func(p attention.Problem) error { return p.Missing("other", attention.AllFeatures) }
	return owner, other
}

func TestResidentGoesToItsOwner(t *testing.T) {
	owner, other := ownerAndOther()
	e := open(t, []*fake{other, owner}, WithEstimator(&fixed{times: map[string]time.Duration{"owner": time.Second, "other": time.Millisecond}}))
	in, out, keys, _ := farCall(t)
	report, err := e.Attend(t.Context(), attention.Options{}, in, out)
	require.NoError(t, err)
	require.Equal(t, "owner", report.Backend, "though it is slower: copies would cost")
	require.False(t, report.Copied)
	require.Zero(t, keys.fetched)

	call, err := attention.NewCall(attention.Options{}, in, out)
	require.NoError(t, err)
	x := e.Explain(call.Problem)
	require.Equal(t, "owner", x.Chosen)
	require.True(t, x.Candidates[1].Copies)
	require.Contains(t, x.Candidates[1].Reason, "copies to the host")
}

func TestResidentTensorsAreNotTransferred(t *testing.T) {
	p := attention.Problem{Shape: attention.Shape{Batch: 1, Heads: 8, KVHeads: 8, QueryLen: 1, KeyLen: 4096, Dim: 64, ValueDim: 64}}
	p.Q, p.K, p.V, p.O = attention.Float32, attention.Float16, attention.Float16, attention.Float32
	host := workOf(p)
	p.Resident = attention.ResidentK | attention.ResidentV
	resident := workOf(p)
	require.Equal(t, host.FLOPs, resident.FLOPs)
	require.Equal(t, 8*64*2*4.0, resident.Bytes, "Q and O")
	require.Greater(t, host.Bytes, 100*resident.Bytes)
}

func TestResidentFallsBackToCopies(t *testing.T) {
	owner, other := ownerAndOther()
	owner.run = func(context.Context, *attention.Call) error { return attention.ErrOutOfMemory }
	other.run = func(_ context.Context, call *attention.Call) error {
		require.Nil(t, call.In.K.Memory())
		require.Equal(t, 7.0, call.In.K.At(0, 0, 0, 0))
		require.Zero(t, call.Problem.Resident)
		return nil
	}
	e := open(t, []*fake{owner, other})
	in, out, keys, outputs := farCall(t)
	report, err := e.Attend(t.Context(), attention.Options{}, in, out)
	require.NoError(t, err)
	require.Equal(t, "other", report.Backend)
	require.True(t, report.FellBack)
	require.True(t, report.Copied)
	require.Equal(t, 1, keys.fetched)
	require.Equal(t, 2.0, outputs.data.At(0, 0, 1, 3), "the result is where it was asked for")
}

// TestResidentCopiesFail has a device that is gone with all that lay on it: no backend is
// to blame for that but the one that ran.
func TestResidentCopiesFail(t *testing.T) {
	for name, fail := range map[string]func(keys, outputs *far){
		"fetching": func(keys, _ *far) { keys.failGet = attention.ErrDeviceLost },
		"storing":  func(_, outputs *far) { outputs.failPut = attention.ErrDeviceLost },
	} {
		t.Run(name, func(t *testing.T) {
			owner, other := ownerAndOther()
			owner.run = func(context.Context, *attention.Call) error { return attention.ErrDeviceLost }
			e := open(t, []*fake{owner, other})
			in, out, keys, outputs := farCall(t)
			fail(keys, outputs)
			_, err := e.Attend(t.Context(), attention.Options{}, in, out)
			require.ErrorIs(t, err, attention.ErrDeviceLost)
			require.ErrorContains(t, err, name)
			require.NoError(t, e.members[1].health.peek(e.clock()), "the other backend is well")
		})
	}
}
