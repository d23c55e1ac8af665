package gpu

import (
	"errors"
	"fmt"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/egl"
	"github.com/glattn/attention/internal/gl"
)

// CompileError reports a kernel that the driver refused. It is an
// attention.ErrUnsupported: the problem can run elsewhere.
type CompileError struct {
	Variant Variant
	Stage   string // "compile" or "link"
	Log     string // the driver's words, with lines mapped to shader files
	Source  string // the complete shader
	verbose bool
}

// Error names the variant and quotes the driver; with Options.Sources the shader too.
func (e *CompileError) Error() string {
	s := fmt.Sprintf("gpu: %s of %v failed: %s", e.Stage, e.Variant, e.Log)
	if e.verbose {
		s += "\n" + e.Source
	}
	return s
}

// Is makes errors.Is(err, attention.ErrUnsupported) true.
func (e *CompileError) Is(target error) bool { return target == attention.ErrUnsupported }

// LostMemoryError reports that something lay in the memory of a device that was lost
// meanwhile: a Tensor, or the work of a call that began before. It is an
// attention.ErrDeviceLost, but says nothing of the device as it is now.
type LostMemoryError struct{ What string }

// Error says what was lost.
func (e *LostMemoryError) Error() string { return "gpu: " + e.What + " was lost with the device" }

// Is makes errors.Is(err, attention.ErrDeviceLost) true.
func (e *LostMemoryError) Is(target error) bool { return target == attention.ErrDeviceLost }

// translate wraps the errors of the GL layer in the sentinels of the root package.
// A loss comes first, because a driver may name it along with its consequences. A
// GL error that stands for neither loss nor memory means that the driver does not
// work as it should: for the call it is unavailable.
func translate(err error) error {
	kinds := []struct{ from, to error }{
		{gl.ErrDeviceLost, attention.ErrDeviceLost},
		{gl.ErrOutOfMemory, attention.ErrOutOfMemory},
		{gl.ErrUnsupported, attention.ErrUnsupported},
		{gl.ErrUnavailable, attention.ErrUnavailable},
		{egl.ErrUnavailable, attention.ErrUnavailable},
	}
	for _, kind := range kinds {
		if errors.Is(err, kind.to) {
			return err
		}
		if errors.Is(err, kind.from) {
			return fmt.Errorf("gpu: %w: %w", kind.to, err)
		}
	}
	if other := (*gl.Error)(nil); errors.As(err, &other) {
		return fmt.Errorf("gpu: %w: the driver failed: %w", attention.ErrUnavailable, err)
	}
	return err
}
