package gpu

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

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
	// Run, if not nil, has its argument called on the thread on which Context is
	// current, and returns afterwards. All OpenGL work of the backend goes through
	// it, one piece at a time, and leaves the state of the context as it was; see
	// ContextProvider. The goroutines that call the backend call Run, so a program
	// that uses the backend on its OpenGL thread alone can call the argument at once.
	// A dispatch.Engine calls it from goroutines of its own: its Run must reach the
	// thread from there, and the thread must not be one that waits for the engine.
	Run func(work func())
	// CacheDir holds program binaries; the user's cache directory if empty.
	CacheDir string
	// Budget is how long a dispatch should take at most; 50 ms if 0. Longer work is cut.
	Budget time.Duration
	// Tile, if not nil, replaces the tile of a kernel. For tests and tuning.
	Tile func(v Variant) Tile
	// SkipSelfTest trusts every kernel without testing it before its first call.
	SkipSelfTest bool

	faults *gl.Faults                            // for tests, as are the next two: what the driver does wrong
	edit   func(v Variant, shader string) string // mistakes in shaders
	clock  func() time.Time                      // of back-off
}

// Backend computes attention on one OpenGL device. It is safe for concurrent use; the
// device runs one dispatch after the other, while other calls upload.
type Backend struct {
	opt      Options
	info     Info
	limits   gl.Limits
	tuned    *tuned
	thread   *thread
	health   health
	provider ContextProvider
	count    counters
	live     atomic.Pointer[gl.Context] // c, for other goroutines to compare with
	lookers  sync.RWMutex               // held for reading by those who look at mapped memory
	c        *gl.Context                // nil while the device is lost; used on the thread only, as is all that follows
	programs *programs
	buffers  *buffers
	returns  *buffers // mapped, for results
	stage    *staging // nil for uploads through the driver
	flights  flights
	uniforms gl.Buffer
	down     bool      // the context is lost and not torn down yet
	found    *gl.State // of a given context, when the backend got it
	messages []string  // what a debug context reported since the last call
}

var _ attention.Backend = (*Backend)(nil)

// Open opens a device. Without a driver, a device or OpenGL 4.3 the error is an
// attention.ErrUnavailable that says what was tried.
func Open(ctx context.Context, opt Options) (*Backend, error) {
	if opt.Run != nil && opt.Context == nil {
		return nil, fmt.Errorf("gpu: %w: Options.Run without a Context", attention.ErrInvalid)
	}
	b := &Backend{opt: opt, thread: startThread(opt.Run)}
	started := false
	err := b.thread.do(ctx, func() error {
		started = true
		err := b.setUp()
		b.thread.around = b.guarded // from the next work on
		return err
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

// setUp opens the device, for the first time or after a loss.
func (b *Backend) setUp() error {
	var err error
	b.provider, b.c, err = openContext(b.opt)
	if err != nil {
		b.provider, b.c = nil, nil
		return err
	}
	if err := b.describe(); err != nil {
		return errors.Join(err, b.tearDown())
	}
	if b.opt.Debug {
		if err := b.c.EnableDebug(b.note); err != nil {
			return errors.Join(translate(err), b.tearDown())
		}
	}
	if b.opt.Context != nil {
		b.found = b.c.Save()
	} else {
		b.c.AllowCompilerThreads()
	}
	b.programs = newPrograms(b)
	b.buffers = newBuffers(b.c, gl.UsageDevice, 512<<20)
	b.returns = newBuffers(b.c, gl.UsagePersistentReadback, 128<<20)
	b.flights = flights{c: b.c, count: &b.count}
	if b.c.Info().Persistent && !b.info.Software { // whose memory is the host's already
		b.stage = newStaging(b.c)
	}
	b.uniforms, err = b.c.CreateBuffer(minBuffer, "params", gl.UsageUpload)
	if err == nil && b.opt.Run != nil {
		err = b.c.Restore(b.found)
	}
	if err != nil {
		return errors.Join(translate(err), b.tearDown())
	}
	b.live.Store(b.c)
	return nil
}

// describe finds out what the device is and can. After a loss it must be the same
// one: plans and answers of Supports rest on it, and are read without a lock.
func (b *Backend) describe() error {
	info := b.c.Info()
	limits := info.Limits
	limits.MaxSSBOBytes = min(limits.MaxSSBOBytes, math.MaxInt32) // shaders count bytes of masks in ints
	if info.Software || b.opt.Kernel == KernelRows {
		limits.MaxSSBOBytes = min(limits.MaxSSBOBytes, 8*int64(info.Limits.MaxTexels)) // K and V may be texels of 8 bytes
	}
	found := Info{
		Vendor: info.Vendor, Renderer: info.Renderer, Version: info.Version, GLSL: info.GLSL, Software: info.Software,
		MaxSharedBytes: limits.MaxSharedBytes, MaxSSBOBytes: limits.MaxSSBOBytes, MaxInvocations: limits.MaxInvocations,
	}
	if b.info == (Info{}) {
		b.info, b.limits = found, limits
		b.tuned = openTuned(cacheDir(b.opt.CacheDir), found)
	}
	if b.info != found || b.limits != limits {
		return fmt.Errorf("gpu: %w: %s answers instead of %s", attention.ErrUnavailable, found.Renderer, b.info.Renderer)
	}
	return nil
}

// tearDown gives everything back. Without a device it does nothing.
func (b *Backend) tearDown() error {
	if b.c == nil {
		return nil
	}
	b.live.Store(nil)
	b.lookers.Lock() // what they look at is gone with the context, and would end the process
	defer b.lookers.Unlock()
	if b.programs != nil {
		b.programs.close()
	}
	b.flights.abandon()
	for _, pool := range []*buffers{b.buffers, b.returns} { // nil if setUp came to no end
		if pool != nil {
			pool.drop()
		}
	}
	b.stage.close()
	b.c.DeleteBuffer(b.uniforms)
	if b.found != nil {
		_ = b.c.Restore(b.found) // the last that can be done for the owner
	}
	b.c.Close()
	provider := b.provider
	b.provider, b.c, b.found, b.down = nil, nil, nil, false
	b.programs, b.buffers, b.returns, b.stage, b.flights, b.uniforms = nil, nil, nil, nil, flights{}, 0
	return errors.Join(provider.Release(), provider.Close())
}

func (b *Backend) now() time.Time {
	if b.opt.clock != nil {
		return b.opt.clock()
	}
	return time.Now()
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
	attention.FeatureQ8_0 | attention.FeatureResident

// Supports reports whether the device computes p: its features, D and Dv up to
// MaxDim, and a block of rows with a range of keys within the device's buffer limit. A kernel
// that the driver refused or that failed its self-test is not supported from then on.
func (b *Backend) Supports(p attention.Problem) error {
	if err := b.computes(p); err != nil {
		return err
	}
	v := b.variant(p)
	if err := b.runs(p, v); err != nil {
		return err
	}
	if p.Batch > 0 && p.QueryLen > 0 && p.KeyLen > 0 && b.sizer(p, v).cuts() == nil {
		return b.tooLarge(p, v)
	}
	return nil
}

// mostMerged is how many partial results of a row the merge loops over on software: llvmpipe
// ends loops after 65535 iterations, without a word.
const mostMerged = 1 << 14

// runs reports whether the device computes p with the variant v, if it fits.
func (b *Backend) runs(p attention.Problem, v Variant) error {
	if err := b.health.refusal(v); err != nil {
		return err
	}
	if splits := v.splits(p.KeyLen); b.info.Software && splits > mostMerged {
		return &attention.UnsupportedError{
			Backend: b.Name(), Feature: fmt.Sprintf("key length %d", p.KeyLen), Limit: fmt.Sprintf("at most %d partial results of a row on a software rasteriser", mostMerged),
		}
	}
	return nil
}

// tooLarge refuses a problem of which not even a step of queries and of keys fits.
func (b *Backend) tooLarge(p attention.Problem, v Variant) error {
	splits := v.splits(p.KeyLen)
	p.QueryLen = min(p.QueryLen, b.sizer(p, v).queryStep())
	if v.Tile.Split > 0 {
		p.KeyLen = min(p.KeyLen, v.Tile.Split)
	}
	return &attention.UnsupportedError{
		Backend: b.Name(), Feature: fmt.Sprintf("tensors of %d bytes for %d queries and %d keys", jobBytes(p, 1, 1).withPartials(splits).largest(), p.QueryLen, p.KeyLen),
		Limit: fmt.Sprintf("the device's storage blocks hold %d", b.limits.MaxSSBOBytes),
	}
}

func (b *Backend) sizer(p attention.Problem, v Variant) sizer {
	return sizer{problem: p, variant: v, limit: b.limits.MaxSSBOBytes}
}

// computes reports whether there are kernels for p, whatever its lengths.
func (b *Backend) computes(p attention.Problem) error {
	if err := p.Missing(b.Name(), supported); err != nil {
		return err
	}
	if err := b.reaches(p); err != nil {
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
	return b.plan(ctx, p, nil)
}

func (b *Backend) plan(ctx context.Context, p attention.Problem, tile *Tile) (attention.Plan, error) {
	if err := b.computes(p); err != nil {
		return nil, err
	}
	made := &plan{backend: b, tile: tile}
	made.variant = made.variantOf(p)
	err := b.thread.do(ctx, func() error {
		for _, v := range made.variants(p) {
			if _, err := b.programs.get(v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// variant chooses kernel and tile by the problem's rows per KV head, its keys and the
// device, never by batch or head count: the bits of a row must not depend on what
// is computed beside it.
func (b *Backend) variant(p attention.Problem) Variant {
	kernel := b.kernel(p)
	if b.opt.Tile == nil {
		bare := variantOf(kernel, p, Tile{}, false)
		if tile, ok := b.tuned.tile(bare, p); ok {
			bare.Tile = tile
			v := b.tiled(p, tile)
			if bare.runs(b.info.MaxSharedBytes, b.info.MaxInvocations) && b.health.refusal(v) == nil {
				return v
			}
		}
	}
	return b.fitted(p, chosen(kernel, p, b.opt.Tile))
}

// tiled is the variant of p with a given tile.
func (b *Backend) tiled(p attention.Problem, tile Tile) Variant {
	return b.fitted(p, chosen(b.kernel(p), p, func(Variant) Tile { return tile }))
}

// fitted splits the keys of a variant where they would not fit a storage block.
func (b *Backend) fitted(p attention.Problem, v Variant) Variant {
	if size := jobBytes(p, 1, 1); v.Kernel == KernelTiled && !v.Partial && max(size.k, size.v, size.bias, size.mask) > b.limits.MaxSSBOBytes {
		v.Tile.Split, v.Partial = v.Tile.longSplit(), true
	}
	return v
}

func (b *Backend) kernel(p attention.Problem) Kernel {
	switch {
	case b.opt.Kernel != KernelAuto:
		return b.opt.Kernel
	case b.info.Software:
		return KernelRows
	case p.QueryLen*p.Group() <= decodeRows:
		return KernelDecode
	}
	return KernelTiled
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
