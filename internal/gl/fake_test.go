package gl

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// These tests put a driver underneath that fails as no driver at hand can be
// made to; they need no OpenGL.

func fake(fn functions, info Info) *Context {
	return &Context{fn: &fn, unbind: func() {}, info: info, buffers: map[Buffer]*bufferState{}, now: time.Now}
}

// codes returns a glGetError that answers the codes in turn and then, like a
// driver, the last for ever.
func codes(list ...uint32) func() uint32 {
	return func() uint32 {
		code := list[0]
		if len(list) > 1 {
			list = list[1:]
		}
		return code
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		name  string
		codes []uint32
		text  string
		is    error
		isNot error
	}{
		{"one", []uint32{invalidEnum, 0}, "gl: op: GL_INVALID_ENUM", nil, ErrOutOfMemory},
		{"two", []uint32{invalidValue, outOfMemory, 0}, "gl: op: GL_INVALID_VALUE\ngl: op: GL_OUT_OF_MEMORY", ErrOutOfMemory, ErrDeviceLost},
		{"lost for ever", []uint32{contextLost}, "gl: op: GL_CONTEXT_LOST", ErrDeviceLost, ErrOutOfMemory},
		{"unknown", []uint32{0x9999, 0}, "gl: op: 0x9999", nil, ErrDeviceLost},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := fake(functions{getError: codes(test.codes...)}, Info{}).Check("op")
			require.EqualError(t, err, test.text)
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
			require.NotErrorIs(t, err, test.isNot)
			var failed *Error
			require.ErrorAs(t, err, &failed)
			require.Equal(t, test.codes[0], failed.Code)
		})
	}
	require.NoError(t, fake(functions{getError: codes(0)}, Info{}).Check("op"))
	require.Error(t, fake(functions{getError: codes(invalidOperation)}, Info{}).Check("op"), "errors without end must end")
}

func TestLostContext(t *testing.T) {
	for status, name := range map[uint32]string{
		guiltyContextReset: "GL_GUILTY_CONTEXT_RESET", innocentContextReset: "GL_INNOCENT_CONTEXT_RESET", unknownContextReset: "GL_UNKNOWN_CONTEXT_RESET",
	} {
		for _, wait := range []uint32{alreadySignaled, conditionSatisfied, timeoutExpired} {
			now := uint32(0)
			c := fake(functions{
				getError:               codes(0),
				getGraphicsResetStatus: func() uint32 { return now },
				clientWaitSync:         func(uintptr, uint32, uint64) uint32 { return wait },
				finish:                 func() {},
			}, Info{Robust: true})
			done, err := c.WaitSync(1, time.Second)
			require.NoError(t, err)
			require.Equal(t, wait != timeoutExpired, done)
			require.NoError(t, c.Finish())

			now = status
			done, err = c.WaitSync(1, time.Second)
			require.ErrorIs(t, err, ErrDeviceLost, "the fence of a lost context passes, and must not count")
			require.False(t, done)
			now = 0 // the reset is over, the context is not back
			require.EqualError(t, c.ResetStatus(), "gl: ResetStatus: "+name)
			require.ErrorIs(t, c.Finish(), ErrDeviceLost)
			require.ErrorIs(t, c.Write(1, 0, nil), ErrDeviceLost, "before any other refusal")
		}
	}
}

// TestErrorsAskForTheReset: a driver may answer with any error before it says that
// the context is lost.
func TestErrorsAskForTheReset(t *testing.T) {
	c := fake(functions{
		getError:               codes(outOfMemory, 0),
		getGraphicsResetStatus: func() uint32 { return innocentContextReset },
	}, Info{Robust: true})
	err := c.Check("op")
	require.ErrorIs(t, err, ErrDeviceLost)
	require.ErrorIs(t, err, ErrOutOfMemory)
}

func TestAwaitEnds(t *testing.T) {
	now := time.Unix(0, 0)
	c := fake(functions{
		getError:       codes(0),
		clientWaitSync: func(_ uintptr, _ uint32, ns uint64) uint32 { now = now.Add(time.Duration(ns)); return timeoutExpired },
	}, Info{})
	c.now = func() time.Time { return now }
	require.ErrorIs(t, c.Await(1, time.Minute), ErrDeviceLost)
	require.Equal(t, time.Minute, now.Sub(time.Unix(0, 0)))
	require.ErrorIs(t, c.Write(1, 0, nil), ErrDeviceLost, "and stays lost")
}

func TestWaitSyncTimeouts(t *testing.T) {
	var asked uint64
	status := uint32(timeoutExpired)
	c := fake(functions{
		getError:       codes(0),
		clientWaitSync: func(_ uintptr, _ uint32, ns uint64) uint32 { asked = ns; return status },
	}, Info{})
	for timeout, want := range map[time.Duration]uint64{-1: 0, 0: 0, time.Second: 1e9, 1<<63 - 1: 1<<63 - 1} {
		done, err := c.WaitSync(1, timeout)
		require.NoError(t, err)
		require.False(t, done)
		require.Equal(t, want, asked)
	}
	status = 0x911D // GL_WAIT_FAILED
	_, err := c.WaitSync(1, 0)
	require.Error(t, err, "a failed wait without a GL error is an error all the same")
}

func TestInject(t *testing.T) {
	c := fake(functions{getError: codes(0), dispatchCompute: func(_, _, _ uint32) {}},
		Info{Limits: Limits{MaxGroupCount: [3]int{1, 1, 1}}})
	planted := errors.New("planted")
	require.NoError(t, c.Dispatch(1, 1, 1))
	for _, op := range []string{"CompileCompute", "CreateBuffer", "Dispatch", "WaitSync", "Finish", "Read", "Write", "Fence", "LoadBinary", "BindStorage", "MapRead", "MapWrite"} {
		c.Inject(op, planted)
	}
	_, err := c.CompileCompute(" ")
	require.ErrorIs(t, err, planted)
	_, err = c.CreateBuffer(1, "", UsageDevice)
	require.ErrorIs(t, err, planted)
	_, err = c.WaitSync(1, 0)
	require.ErrorIs(t, err, planted)
	_, err = c.Fence()
	require.ErrorIs(t, err, planted)
	_, err = c.LoadBinary(1, []byte{1})
	require.ErrorIs(t, err, planted)
	_, err = c.MapRead(1, 0, 1)
	require.ErrorIs(t, err, planted)
	_, err = c.MapWrite(1, 0, 1)
	require.ErrorIs(t, err, planted)
	for _, err := range []error{c.Dispatch(1, 1, 1), c.Finish(), c.Read(1, 0, nil), c.Write(1, 0, nil), c.BindStorage(0, 1, 0, 0)} {
		require.ErrorIs(t, err, planted)
	}
	c.Inject("Dispatch", nil)
	require.NoError(t, c.Dispatch(1, 1, 1))
	require.ErrorIs(t, c.Finish(), planted)
}

func TestSoftwareRenderers(t *testing.T) {
	for renderer, want := range map[string]bool{
		"llvmpipe (LLVM 15.0.6, 256 bits)": true,
		"softpipe":                         true,
		"Software Rasterizer":              true,
		"zink Vulkan 1.3(llvmpipe (LLVM 17.0.6, 256 bits) (MESA_LLVMPIPE))": true,
		"D3D12 (Microsoft Basic Render Driver)":                             true,
		"ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device), SwiftShader)":    true,
		"GDI Generic": true,
		"zink Vulkan 1.3(AMD Radeon RX 6800 (RADV NAVI21) (MESA_RADV))": false,
		"NVIDIA H100 PCIe/PCIe/SSE2":                                    false,
		"Mesa Intel(R) Arc(tm) A770 Graphics (DG2)":                     false,
		"D3D12 (NVIDIA GeForce RTX 4070)":                               false,
		"":                                                              false,
	} {
		require.Equal(t, want, software(renderer), renderer)
	}
}

func TestOptionalFunctionsMissing(t *testing.T) {
	c := fake(functions{
		getError: codes(0), genBuffers: func(_ int32, b *uint32) { *b = 7 },
		bindBuffer: func(_, _ uint32) {}, deleteBuffers: func(int32, *uint32) {},
	}, Info{})
	_, err := c.CreateBuffer(4, "p", UsagePersistentUpload)
	require.ErrorIs(t, err, ErrUnsupported)
	require.ErrorIs(t, c.EnableDebug(func(DebugMessage) {}), ErrUnsupported)
	require.NoError(t, c.ResetStatus())

	timer := c.NewTimer()
	require.Nil(t, timer)
	timer.Begin()
	timer.End()
	_, ok := timer.Elapsed()
	require.False(t, ok)
	timer.Close()
	c.Close()
}
