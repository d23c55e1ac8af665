package kernel

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Names lists the sets that a build for some processor has.
var Names = []string{"avx512", "avx2", "neon", "go"}

// Auto is the best set of this processor that passes [Set.Check].
var Auto = sync.OnceValue(func() *Set {
	for _, s := range sets() {
		if s.Check() == nil {
			return s
		}
	}
	return &portable
})

// Available lists the names of the sets that this processor runs and that pass
// [Set.Check], best first.
func Available() []string {
	var names []string
	for _, s := range sets() {
		if s.Check() == nil {
			names = append(names, s.Name)
		}
	}
	return names
}

// Named returns the set with the given name, Auto for "". It fails when the name is not one of
// Names, this processor lacks the instructions, or the set fails its check.
func Named(name string) (*Set, error) {
	if name == "" {
		return Auto(), nil
	}
	for _, s := range sets() {
		if s.Name == name {
			return s, s.Check()
		}
	}
	if slices.Contains(Names, name) {
		return nil, fmt.Errorf("kernel: this processor cannot run %s", name)
	}
	return nil, fmt.Errorf("kernel: %q is unknown (known: %s)", name, strings.Join(Names, ", "))
}
