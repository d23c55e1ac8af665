//go:build !race

package gpu

import "github.com/glattn/attention/verify/verifytest"

// shortUnderRace leaves the whole list of cases: the race detector is off.
func shortUnderRace() verifytest.Option { return verifytest.Filter(nil) }
