package attention

import "context"

// Backend computes attention in one way. Programs use a dispatch.Engine; the
// interface is for those who write or test backends.
//
// A backend must be safe for concurrent use.
type Backend interface {
	// Name identifies the backend in reports: "cpu", "gpu", "reference".
	Name() string
	// Supports returns nil if the backend computes p, or an error that is an
	// [UnsupportedError] naming the feature and the limit. p is valid.
	Supports(p Problem) error
	// Plan compiles, sizes and schedules p. The plan serves every call that p.Fits.
	Plan(ctx context.Context, p Problem) (Plan, error)
	// Close releases everything; calls after it return ErrClosed.
	Close() error
}

// Plan is a problem made ready to run, reusable and safe for concurrent use.
type Plan interface {
	// Run computes call. The call is guaranteed to be valid and to fit the plan.
	// It must notice cancellation in bounded time; outputs are then undefined. It
	// must not write to the inputs.
	Run(ctx context.Context, call *Call) error
	// String names the kernel and its parameters, as in reports.
	String() string
	// Close releases the plan's own resources.
	Close() error
}
