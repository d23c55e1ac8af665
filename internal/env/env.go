// Package env is the only reader of the environment variables that the library
// knows; they are listed in the documentation of the root package. Nothing is
// kept: each function reads its variable when asked, which is when an engine or
// a device is opened or a test starts.
package env

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/glattn/attention"
)

// The variables.
const (
	backendVar = "ATTN_BACKEND"
	requireVar = "ATTN_REQUIRE"
	debugVar   = "ATTN_DEBUG"
	gpuVar     = "ATTN_GPU"
	vectorsVar = "ATTN_VECTORS"
	cpuVar     = "ATTN_CPU"
)

// Auto is the backend name that leaves the choice to the dispatcher.
const Auto = "auto"

var (
	knownBackends = []string{Auto, "gpu", "cpu", "reference"}
	knownRequires = []string{"gpu"}
	knownDebugs   = []string{"gl", "trace", "shaders"}
	knownCPUs     = []string{"avx512", "avx2", "neon", "go"}
)

// Switches are those of ATTN_DEBUG.
type Switches struct {
	GL      bool // ask for a GL debug context
	Trace   bool // log what dispatch decides
	Shaders bool // put the composed shader into compile errors
}

// Backend returns the value of ATTN_BACKEND, [Auto] if it is not set.
func Backend() (string, error) {
	name := strings.TrimSpace(os.Getenv(backendVar))
	if name == "" {
		return Auto, nil
	}
	return name, known(backendVar, name, knownBackends)
}

// RequireGPU reports whether ATTN_REQUIRE asks that tests fail where they would
// skip for want of a GPU. A value that is not known counts as a yes, so that a
// misspelt one cannot turn failures into skips; [Check] reports it.
func RequireGPU() bool { return strings.TrimSpace(os.Getenv(requireVar)) != "" }

// Debug returns the switches of ATTN_DEBUG. Words that are not known switch
// nothing; [Check] reports them.
func Debug() Switches {
	words := list(os.Getenv(debugVar))
	return Switches{
		GL:      slices.Contains(words, "gl"),
		Trace:   slices.Contains(words, "trace"),
		Shaders: slices.Contains(words, "shaders"),
	}
}

// GPU returns the device index of ATTN_GPU, or −1, the best device, if it is not set.
func GPU() (int, error) {
	value := strings.TrimSpace(os.Getenv(gpuVar))
	if value == "" {
		return -1, nil
	}
	index, err := strconv.Atoi(value)
	if err != nil || index < 0 {
		return -1, &UnknownError{Variable: gpuVar, Value: value, Known: []string{"0", "1", "2", "..."}}
	}
	return index, nil
}

// Vectors returns the folders of ATTN_VECTORS, which are separated as in PATH.
func Vectors() []string {
	var dirs []string
	for _, dir := range filepath.SplitList(os.Getenv(vectorsVar)) {
		if dir != "" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// CPU returns the instruction set that ATTN_CPU asks for, "" if it is not set.
func CPU() (string, error) {
	name := strings.TrimSpace(os.Getenv(cpuVar))
	if name == "" {
		return "", nil
	}
	return name, known(cpuVar, name, knownCPUs)
}

// Check reports every variable with a value that is not known, as a joined
// error of [UnknownError].
func Check() error {
	_, backend := Backend()
	_, gpu := GPU()
	_, cpu := CPU()
	problems := []error{backend, gpu, cpu}
	if value := strings.TrimSpace(os.Getenv(requireVar)); value != "" {
		problems = append(problems, known(requireVar, value, knownRequires))
	}
	for _, word := range list(os.Getenv(debugVar)) {
		problems = append(problems, known(debugVar, word, knownDebugs))
	}
	return errors.Join(problems...)
}

// UnknownError reports a variable whose value is not among the known ones. It is
// an [attention.ErrInvalid].
type UnknownError struct {
	Variable, Value string
	Known           []string
}

// Error names the variable, its value and the values known.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("env: %s=%q is unknown (known: %s)", e.Variable, e.Value, strings.Join(e.Known, ", "))
}

// Is makes errors.Is(err, attention.ErrInvalid) true.
func (e *UnknownError) Is(target error) bool { return target == attention.ErrInvalid }

func known(variable, value string, values []string) error {
	if slices.Contains(values, value) {
		return nil
	}
	return &UnknownError{Variable: variable, Value: value, Known: values}
}

func list(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
}
