package gl

import (
	"maps"
	"sync/atomic"
	"time"
	"unsafe"
)

// Context is the OpenGL context that is current on the thread that called
// [Load].
type Context struct {
	fn       *functions
	unbind   func()
	info     Info
	buffers  map[Buffer]*bufferState
	handlers []func() // free the debug handlers
	lost     error    // set for good when the driver first tells of a loss
	now      func() time.Time
	// injected is nil unless a test planted failures; that check is all it costs.
	injected atomic.Pointer[map[string]error]
}

// Load finds the functions of the context that is current on the calling thread
// and asks it for its limits. The proc function is asked for entry points by
// name, as [github.com/glattn/attention/internal/egl.Context.ProcAddress] answers
// them. The error wraps [ErrUnavailable] where OpenGL is older than 4.3.
//
// The function table is shared by all contexts of the process; contexts of two
// providers with different functions cannot be loaded at once. Close the Context
// when done with it.
func Load(proc func(name string) unsafe.Pointer) (*Context, error) { return LoadFaulty(proc, nil) }

// LoadFaulty is [Load] with a layer between the Context and the driver, for tests;
// nil is none.
func LoadFaulty(proc func(name string) unsafe.Pointer, faults *Faults) (*Context, error) {
	fn, unbind, err := bind(proc)
	if err != nil {
		return nil, err
	}
	c := &Context{fn: fn, unbind: unbind, buffers: map[Buffer]*bufferState{}, now: time.Now}
	if faults != nil {
		c.fn, c.now = faults.wrap(fn), faults.now
	}
	c.Forget()
	if err := c.query(); err != nil {
		unbind()
		return nil, err
	}
	return c, nil
}

// Close gives the functions back, while the OpenGL context is still current. The
// context and its objects are the provider's to destroy. Closing twice does
// nothing; no other method may be called afterwards.
func (c *Context) Close() {
	c.DisableDebug()
	c.unbind()
}

// Info returns what the driver said of itself.
func (c *Context) Info() Info { return c.info }

// Inject is for tests: from now on the operation fails with the error before it
// reaches the driver; nil lets it through again. Operations are named like the
// methods, "CreateBuffer" or "WaitSync". Unlike the other methods it may be
// called from any thread.
func (c *Context) Inject(op string, err error) {
	for {
		old := c.injected.Load()
		planted := map[string]error{}
		if old != nil {
			maps.Copy(planted, *old)
		}
		if err == nil {
			delete(planted, op)
		} else {
			planted[op] = err
		}
		next := &planted
		if len(planted) == 0 {
			next = nil
		}
		if c.injected.CompareAndSwap(old, next) {
			return
		}
	}
}

// fault returns the failure that a test planted for the operation, or the loss of
// the context: a driver may tell of that once and answer with garbage afterwards.
func (c *Context) fault(op string) error {
	if c.lost != nil {
		return c.lost
	}
	if planted := c.injected.Load(); planted != nil {
		return (*planted)[op]
	}
	return nil
}
