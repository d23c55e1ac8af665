//go:build linux && cgo && !nogpu

package gl

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention/internal/egl"
)

// openFaulty returns a context behind a layer of faults, on the best device, for
// the caller to close.
func openFaulty(t *testing.T, faults *Faults) (c *Context, closer func()) {
	t.Helper()
	devices, err := egl.Devices()
	if err != nil {
		open(t, egl.Options{}) // skips or fails
	}
	provider, err := egl.Open(devices[0], egl.Options{Robust: true})
	require.NoError(t, err)
	runtime.LockOSThread()
	require.NoError(t, provider.MakeCurrent())
	c, err = LoadFaulty(provider.ProcAddress, faults)
	require.NoError(t, err)
	return c, func() {
		c.Close()
		require.NoError(t, provider.Close())
		runtime.UnlockOSThread()
	}
}

// everything uses all operations once that talk to the driver, and frees all.
func everything(c *Context) (err error) {
	b, err := c.CreateBuffer(64, "b", UsageUpload)
	if err != nil {
		return err
	}
	defer c.DeleteBuffer(b)
	mapped, err := c.MapWrite(b, 0, 64)
	if err != nil {
		return err
	}
	mapped[0] = 1
	if err := c.Unmap(b); err != nil {
		return err
	}
	if _, err := c.MapRead(b, 0, 4); err != nil {
		return err
	}
	if err := c.Unmap(b); err != nil {
		return err
	}
	timer := c.NewTimer()
	defer timer.Close()
	timer.Begin()
	view, err := c.CreateTexels(b, 0, 64, TexelsFloat4)
	defer c.DeleteTexels(view)
	p, compileErr := c.CompileCompute(double)
	defer c.DeleteProgram(p)
	to, bufferErr := c.CreateBuffer(64, "to", UsageDevice)
	defer c.DeleteBuffer(to)
	if err := errors.Join(err, compileErr, bufferErr); err != nil {
		return err
	}
	if _, err := c.StorageBlocks(p); err != nil {
		return err
	}
	c.Use(p)
	err = errors.Join(c.BindStorage(1, to, 0, 64), c.BindUniform(2, b, 0, 64), c.Dispatch(1, 1, 1))
	timer.End()
	c.Barrier()
	s, fenceErr := c.Fence()
	defer c.DeleteSync(s)
	if err := errors.Join(err, fenceErr); err != nil {
		return err
	}
	if err := c.Await(s, time.Minute); err != nil {
		return err
	}
	err = errors.Join(c.Copy(to, 0, b, 0, 64), c.ClearBuffer(b, 0, 64, 1), c.Write(b, 0, make([]byte, 8)), c.Read(to, 0, make([]byte, 64)))
	timer.Elapsed()
	return errors.Join(err, c.Finish(), c.Check("everything"))
}

// TestEveryCallFails fails each call of everything in each way: no fault but that of
// a timer, a label or a deletion goes unnoticed, none leaks, and none stays.
func TestEveryCallFails(t *testing.T) {
	faults := NewFaults()
	c, closer := openFaulty(t, faults)
	cells := 0
	for _, kind := range AllFaults() {
		faults.Plant(kind, -1)
		require.NoError(t, everything(c))
		require.Empty(t, faults.Live())
		for at, name := range faults.Calls() {
			faults.Plant(kind, at)
			err := everything(c)
			require.Equal(t, name, faults.Struck())
			if name == "beginQuery" {
				_ = c.Check(name) // the timer ends what it could not begin
			}
			switch {
			case err == nil && (kind != FaultNoObject || name == "genQueries"):
				require.Contains(t, []string{"genQueries", "deleteBuffers", "deleteTextures", "deleteSync", "deleteProgram", "deleteQueries"}, name, kind)
				_ = c.Check(name) // nobody asks after these
			case kind == FaultOutOfMemory:
				require.ErrorIs(t, err, ErrOutOfMemory, name)
			case kind.loses() || kind == FaultWaitForever:
				require.ErrorIs(t, err, ErrDeviceLost, "%v %s", kind, name)
				require.ErrorIs(t, c.Write(0, 0, nil), ErrDeviceLost)
			case kind == FaultCompile || kind == FaultLink:
				var refused *CompileError
				require.ErrorAs(t, err, &refused)
				require.Equal(t, kind.String(), refused.Stage)
				require.Equal(t, FaultLog, refused.Log)
			default:
				var failed *Error
				require.ErrorAs(t, err, &failed, "%v %s", kind, name)
			}
			faults.Plant(FaultNone, 0)
			require.Empty(t, faults.Live(), "%v %s", kind, name)
			cells++
			if c.ResetStatus() != nil { // which the last deletions do not ask for
				closer()
				c, closer = openFaulty(t, faults)
			}
		}
	}
	closer()
	t.Logf("%d cells", cells)
}
