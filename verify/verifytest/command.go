package verifytest

import (
	"flag"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

// seed is the flag by which a fuzz failure is repeated. Tests of a package that
// imports this one accept it: go test ./cpu -run '^TestFuzzSeeds$' -verify.seed=7
var seed = flag.String("verify.seed", "", "run only this seed in verifytest.RunFuzz")

// Command returns the shell command that runs the given test or subtest alone.
func Command(t testing.TB) string {
	pattern := strings.Split(t.Name(), "/")
	for n, name := range pattern {
		pattern[n] = "^" + regexp.QuoteMeta(name) + "$"
	}
	return "go test " + packagePath() + " -count=1 -run '" + strings.Join(pattern, "/") + "'"
}

// packagePath returns the import path of the package under test, or "." when the
// binary does not tell.
func packagePath() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Path == "" || info.Path == "command-line-arguments" {
		return "."
	}
	return strings.TrimSuffix(info.Path, ".test")
}
