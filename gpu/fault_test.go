package gpu

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/egl"
	"github.com/glattn/attention/internal/gl"
	"github.com/glattn/attention/internal/testclock"
)

func TestTranslate(t *testing.T) {
	for from, to := range map[error]error{
		gl.ErrOutOfMemory: attention.ErrOutOfMemory, gl.ErrDeviceLost: attention.ErrDeviceLost,
		gl.ErrUnavailable: attention.ErrUnavailable, egl.ErrUnavailable: attention.ErrUnavailable,
	} {
		err := translate(fmt.Errorf("amid: %w", from))
		require.ErrorIs(t, err, to)
		require.ErrorIs(t, err, from)
		require.Equal(t, err, translate(err), "translated once")
	}
	plain := errors.New("plain")
	require.Equal(t, plain, translate(plain))
	require.NoError(t, translate(nil))
}

func TestCompileErrorSpeaks(t *testing.T) {
	e := &CompileError{Variant: Variant{Kernel: KernelRows}, Stage: "link", Log: "too long", Source: "text"}
	require.ErrorIs(t, e, attention.ErrUnsupported)
	require.NotErrorIs(t, e, attention.ErrInvalid)
	require.ErrorContains(t, e, "link of attention_rows")
	require.ErrorContains(t, e, "too long")
	require.NotContains(t, e.Error(), "text")
}

// TestPlantedFaults plants each failure of the GL layer in turn: the call fails by
// the right name, and once the cause is gone the same backend works again.
func TestPlantedFaults(t *testing.T) {
	clock := testclock.New(time.Now())
	b := ownBackend(t, Options{clock: clock.Now})
	ctx := context.Background()
	c := newTestCall(t, callSpec{})
	plan, err := b.Plan(ctx, c.Problem)
	require.NoError(t, err)
	for _, tc := range []struct {
		op         string
		fault, err error
	}{
		{"CreateBuffer", gl.ErrOutOfMemory, attention.ErrOutOfMemory},
		{"CreateBuffer", gl.ErrDeviceLost, attention.ErrDeviceLost},
		{"Write", gl.ErrDeviceLost, attention.ErrDeviceLost},
		{"Write", errPlanted, errPlanted},
		{"BindStorage", errPlanted, errPlanted},
		{"BindUniform", errPlanted, errPlanted},
		{"Dispatch", gl.ErrDeviceLost, attention.ErrDeviceLost},
		{"Dispatch", gl.ErrOutOfMemory, attention.ErrOutOfMemory},
		{"Fence", gl.ErrDeviceLost, attention.ErrDeviceLost},
		{"WaitSync", gl.ErrDeviceLost, attention.ErrDeviceLost},
		{"Copy", gl.ErrDeviceLost, attention.ErrDeviceLost},
		{"Copy", gl.ErrOutOfMemory, attention.ErrOutOfMemory},
		{"MapRead", gl.ErrOutOfMemory, attention.ErrOutOfMemory},
	} {
		t.Run(tc.op+" "+tc.fault.Error(), func(t *testing.T) {
			onThread(t, b, func(require.TestingT) { // so that buffers are made, and mapped
				b.buffers.drop()
				b.returns.drop()
			})
			struck := b.c // which a loss replaces
			struck.Inject(tc.op, tc.fault)
			blank(c)
			err := plan.Run(ctx, c)
			struck.Inject(tc.op, nil)
			clock.Advance(lossMemory + time.Second)
			require.ErrorIs(t, err, tc.err)
			require.ErrorIs(t, err, tc.fault)
			require.NotErrorIs(t, err, attention.ErrInvalid, "which would not fall back")
			requireClean(t, b)
			require.NoError(t, plan.Run(ctx, c))
			requireRight(t, c)
		})
	}
}

// requireClean fails if OpenGL recorded an error that nobody asked for.
func requireClean(t testing.TB, b *Backend) {
	t.Helper()
	onThread(t, b, func(t require.TestingT) { require.NoError(t, b.c.Check("test")) })
}

func TestRefusedShaderIsUnsupported(t *testing.T) {
	b := ownBackend(t, Options{Sources: true})
	ctx := context.Background()
	c := newTestCall(t, callSpec{})
	b.c.Inject("CompileCompute", &gl.CompileError{Stage: "compile", Log: "0:1(2): error: planted"})
	for range 2 { // the second time without asking the driver
		_, err := b.Plan(ctx, c.Problem)
		require.ErrorIs(t, err, attention.ErrUnsupported)
		var refused *CompileError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, b.variant(c.Problem), refused.Variant)
		require.Contains(t, refused.Log, "(version):1(2): error: planted")
		require.Contains(t, err.Error(), "#version 430 core", "Options.Sources")
		b.c.Inject("CompileCompute", nil)
	}
	other := newTestCall(t, callSpec{bias: true})
	require.NoError(t, runOn(ctx, b, other), "other variants are not concerned")
	requireRight(t, other)
}

// TestLossWhileCompilingIsNotRemembered: only a refusal by the compiler is.
func TestLossWhileCompilingIsNotRemembered(t *testing.T) {
	b := ownBackend(t, Options{})
	c := newTestCall(t, callSpec{})
	for _, tc := range []struct{ fault, want error }{{gl.ErrOutOfMemory, attention.ErrOutOfMemory}, {gl.ErrDeviceLost, attention.ErrDeviceLost}} {
		struck := b.c
		struck.Inject("CompileCompute", tc.fault)
		err := runOn(context.Background(), b, c)
		require.ErrorIs(t, err, tc.want)
		require.NotErrorIs(t, err, attention.ErrUnsupported)
		struck.Inject("CompileCompute", nil)
	}
	require.NoError(t, runOn(context.Background(), b, c))
	requireRight(t, c)
}

// TestRealCompilerLog gives the driver a shader that is wrong.
func TestRealCompilerLog(t *testing.T) {
	b := anyBackend(t)
	src, err := compose(files(map[string]string{"k.comp": "#include \"a.glsl\"\nvoid main() {}\n", "a.glsl": "int a;\nint b = missing;\n"}), "k.comp", [3]int{1, 1, 1}, nil)
	require.NoError(t, err)
	onThread(t, b, func(t require.TestingT) {
		_, err := b.programs.compile(Variant{}, src)
		var refused *CompileError
		require.ErrorAs(t, err, &refused)
		require.Contains(t, refused.Log, "a.glsl:2", "the line of the part")
	})
	requireClean(t, b)
}
