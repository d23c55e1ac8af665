// Package verifytest makes Go tests of package verify: one line gives a backend
// the whole conformance suite.
//
//	func TestConformance(t *testing.T) { verifytest.Run(t, open) }
//	func TestLifecycle(t *testing.T)   { verifytest.RunLifecycle(t, open) }
//	func TestRepeat(t *testing.T)      { verifytest.RunRepeat(t, open, 250) }
//	func TestFuzzSeeds(t *testing.T)   { verifytest.RunFuzz(t, open, 300) }
//	func FuzzBackend(f *testing.F)     { verifytest.Fuzz(f, open) }
//
// Every failure ends with a command that repeats it alone.
package verifytest

import (
	"errors"
	"testing"

	"github.com/glattn/attention"
	"github.com/glattn/attention/verify"
)

// Option is a choice of [Run].
type Option func(*settings)

type settings struct {
	short, requireAll bool
	refusable         attention.Features
	filter            func(verify.Case) bool
}

// Short runs [verify.ShortCases] instead of all cases: for slow devices.
func Short() Option { return func(s *settings) { s.short = true } }

// RequireAll makes an unsupported case a failure.
func RequireAll() Option { return func(s *settings) { s.requireAll = true } }

// RequireAllBut is RequireAll, except for cases that set any of the given features: a
// backend that lacks them may refuse those, and no other.
func RequireAllBut(refusable attention.Features) Option {
	return func(s *settings) { s.requireAll, s.refusable = true, refusable }
}

// Filter leaves out the cases for which keep is false.
func Filter(keep func(verify.Case) bool) Option { return func(s *settings) { s.filter = keep } }

// Run runs the conformance cases on the backend that open returns, each as a
// subtest with the case's name. What a case checks is said at [verify.RunCase].
// Unsupported cases are skipped by name and counted in the log; under -short so
// are the long ones.
func Run(t *testing.T, open func(t *testing.T) attention.Backend, opts ...Option) {
	t.Helper()
	var s settings
	for _, o := range opts {
		o(&s)
	}
	cases := verify.Cases()
	if s.short {
		cases = verify.ShortCases()
	}
	backend := open(t)
	var summary verify.Summary
	long, filtered := 0, 0
	for _, c := range cases {
		if s.filter != nil && !s.filter(c) {
			filtered++
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			if c.Long && testing.Short() {
				long++
				t.Skip("long case, left out by -short")
			}
			report, err := verify.Measure(t.Context(), backend, c)
			summary.Add(c, report, err)
			if errors.Is(err, attention.ErrUnsupported) && s.mayRefuse(c) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatalf("%v\nwhy this case: %s\nrepeat: %s", err, c.Why, Command(t))
			}
		})
	}
	t.Logf("%s: %v; %d long cases and %d by the test's filter left out", backend.Name(), summary, long, filtered)
}

// mayRefuse reports whether a backend need not compute c.
func (s settings) mayRefuse(c verify.Case) bool {
	if !s.requireAll {
		return true
	}
	data, err := verify.Build(c)
	return err == nil && data.Call.Problem.Features()&s.refusable != 0
}
