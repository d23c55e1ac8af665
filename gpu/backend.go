package gpu

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/glattn/attention"
	"github.com/glattn/attention/internal/gl"
)

// MaxDim is the largest D and Dv of the backend.
const MaxDim = 576

// Options says which device to open and how.
type Options struct {
	// Device is the index in Devices, or -1 for the best that opens.
	Device int
	// Debug asks for a debug context, whose messages become errors of the call
	// that caused them.
	Debug bool
	// Sources puts the complete shader into the message of a CompileError.
	Sources bool
	// Kernel, unless KernelAuto, is used for every problem. For tests and tuning.
	Kernel Kernel
	// Context, if not nil, is used instead of a headless EGL context.
	Context ContextProvider
	// CacheDir holds program binaries; the user's cache directory if empty.
	CacheDir string
	// Tile, if not nil, replaces the tile of a kernel. For tests and tuning.
	Tile func(v Variant) Tile
}

// Backend computes attention on one OpenGL device. It is safe for concurrent use;
// calls run one after the other.
type Backend struct {
	opt      Options
	info     Info
	limits   gl.Limits
	thread   *thread
	provider ContextProvider
	c        *gl.Context // used on the thread only, as are the next four
	programs *programs
	buffers  *buffers
	uniforms gl.Buffer
	messages []string // what a debug context reported since the last call
}

var _ attention.Backend = (*Backend)(nil)

// Open opens a device. Without a driver, a device or OpenGL 4.3 the error is an
// attention.ErrUnavailable that says what was tried.
func Open(ctx context.Context, opt Options) (*Backend, error) {
	b := &Backend{opt: opt, thread: startThread()}
	started := false
	err := b.thread.do(ctx, func() error {
		started = true
		return b.setUp()
	})
	if err == nil {
		return b, nil
	}
	return nil, errors.Join(err, b.thread.stop(func() error {
		if !started && opt.Context != nil {
			return opt.Context.Close() // setUp, which cleans up after itself, never saw it
		}
		return nil
	}))
}

func (b *Backend) setUp() error {
	var err error
	b.provider, b.c, err = openContext(b.opt)
	if err != nil {
		return err
	}
	info := b.c.Info()
	b.limits = info.Limits
	b.limits.MaxSSBOBytes = min(b.limits.MaxSSBOBytes, math.MaxInt32) // shaders count bytes of masks in ints
	if info.Software || b.opt.Kernel == KernelRows {
		b.limits.MaxSSBOBytes = min(b.limits.MaxSSBOBytes, 8*int64(info.Limits.MaxTexels)) // K and V may be texels of 8 bytes
	}
	b.info = Info{
		Vendor: info.Vendor, Renderer: info.Renderer, Version: info.Version, GLSL: info.GLSL, Software: info.Software,
		MaxSharedBytes: info.Limits.MaxSharedBytes, MaxSSBOBytes: b.limits.MaxSSBOBytes, MaxInvocations: info.Limits.MaxInvocations,
	}
	if b.opt.Debug {
		if err := b.c.EnableDebug(b.note); err != nil {
			return errors.Join(translate(err), b.tearDown())
		}
	}
	b.programs = newPrograms(b.c, openBinaryCache(b.opt.CacheDir), b.opt.Sources)
	b.buffers = newBuffers(b.c)
	b.uniforms, err = b.c.CreateBuffer(minBuffer, "params", gl.UsageUpload)
	if err != nil {
		return errors.Join(translate(err), b.tearDown())
	}
	return nil
}

func (b *Backend) tearDown() error {
	if b.programs != nil {
		b.programs.close()
	}
	if b.buffers != nil {
		b.buffers.drop()
	}
	b.c.DeleteBuffer(b.uniforms)
	b.c.Close()
	return errors.Join(b.provider.Release(), b.provider.Close())
}

// Name returns "gpu".
func (b *Backend) Name() string { return "gpu" }

// Device describes the opened device.
func (b *Backend) Device() Info { return b.info }

// Software reports whether the device is a software rasteriser, which no one
// should prefer to a CPU backend.
func (b *Backend) Software() bool { return b.info.Software }

// supported lists the features of the kernels.
const supported = attention.FeatureScale | attention.FeatureSoftcap | attention.FeatureCausal | attention.FeatureWindow |
	attention.FeatureOffsets | attention.FeatureMask | attention.FeatureBias | attention.FeatureLengths |
	attention.FeatureLSE | attention.FeatureGroups | attention.FeatureValueDim | attention.FeatureFloat16 | attention.FeatureBFloat16 |
	attention.FeatureQ8_0

// Supports reports whether the device computes p: its features, D and Dv up to
// MaxDim, and one batch entry and KV head within the device's buffer limit.
func (b *Backend) Supports(p attention.Problem) error {
	if err := b.computes(p); err != nil {
		return err
	}
	splits := b.variant(p).splits(p.KeyLen)
	if largest := jobBytes(p, 1, 1).withPartials(splits).largest(); largest > b.limits.MaxSSBOBytes {
		return &attention.UnsupportedError{
			Backend: b.Name(), Feature: fmt.Sprintf("a tensor of %d bytes per batch entry and KV head", largest),
			Limit: fmt.Sprintf("the device's storage blocks hold %d", b.limits.MaxSSBOBytes),
		}
	}
	if splits > maxGroups {
		return &attention.UnsupportedError{
			Backend: b.Name(), Feature: fmt.Sprintf("key length %d", p.KeyLen), Limit: fmt.Sprintf("at most %d work groups of keys", maxGroups),
		}
	}
	return nil
}

// computes reports whether there are kernels for p, whatever its lengths.
func (b *Backend) computes(p attention.Problem) error {
	if err := p.Missing(b.Name(), supported); err != nil {
		return err
	}
	for _, width := range []struct {
		name string
		n    int
	}{{"dim", p.Dim}, {"value dim", p.ValueDim}} {
		if width.n > MaxDim {
			return &attention.UnsupportedError{Backend: b.Name(), Feature: fmt.Sprintf("%s %d", width.name, width.n), Limit: fmt.Sprintf("at most %d", MaxDim)}
		}
	}
	return nil
}

// Plan compiles the kernels of p. A kernel that the driver refuses makes the error
// a CompileError, which is an attention.ErrUnsupported. The lengths of p may be a
// capacity beyond the device's buffers: what a call needs is checked when it runs.
func (b *Backend) Plan(ctx context.Context, p attention.Problem) (attention.Plan, error) {
	if err := b.computes(p); err != nil {
		return nil, err
	}
	plan := &plan{backend: b, variant: b.variant(p)}
	err := b.thread.do(ctx, func() error {
		if _, err := b.programs.get(plan.variant); err != nil {
			return err
		}
		if plan.variant.Partial {
			_, err := b.programs.get(mergeOf(plan.variant))
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return plan, nil
}

// variant chooses kernel and tile by the problem's rows per KV head and by the
// device, never by batch or head count: the bits of a row must not depend on what
// is computed beside it.
func (b *Backend) variant(p attention.Problem) Variant {
	rows := p.QueryLen * p.Group()
	kernel := b.opt.Kernel
	switch {
	case kernel != KernelAuto:
	case b.info.Software:
		kernel = KernelRows
	case rows <= decodeRows:
		kernel = KernelDecode
	default:
		kernel = KernelTiled
	}
	return chosen(kernel, p, b.opt.Tile)
}

// Close releases the device, after the work in progress. Plans made by it return
// attention.ErrClosed. Closing twice does nothing.
func (b *Backend) Close() error {
	return b.thread.stop(b.tearDown)
}

// note keeps what a debug context calls a mistake. Drivers also chat about where
// buffers lie and how they recompile.
func (b *Backend) note(m gl.DebugMessage) {
	if m.Type == "error" || m.Type == "undefined behaviour" {
		b.messages = append(b.messages, fmt.Sprintf("%v", m))
	}
}
