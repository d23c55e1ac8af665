//go:build race

package gpu

import "github.com/glattn/attention/verify/verifytest"

// shortUnderRace shortens the list of cases: the race detector slows the oracle
// tenfold and sees nothing of what a kernel does.
func shortUnderRace() verifytest.Option { return verifytest.Short() }
