package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/klauspost/cpuid/v2"
)

//go:embed native
var nativeSources embed.FS

// natives builds the C programs, one a library, when first asked for. They are C because
// cgo would link the libraries into this program, which is to run without them.
type natives struct {
	dir   string
	mu    sync.Mutex
	built map[string]error
}

func newNatives(dir string) *natives { return &natives{dir: dir, built: map[string]error{}} }

// nativeLibrary is how one is compiled in, and with which settings it is tried.
type nativeLibrary struct {
	pkgConfig, link string
	packages        string // on Debian
	settings        func() []setting
}

// setting is a choice that a library reads from its environment.
type setting struct{ name, value string }

var nativeLibraries = map[string]nativeLibrary{
	"openblas": {pkgConfig: "openblas", link: "-lopenblas", packages: "libopenblas-dev", settings: openBLASKernels},
	"onednn":   {pkgConfig: "dnnl", link: "-ldnnl", packages: "libdnnl-dev", settings: func() []setting { return []setting{{}} }},
}

// openBLASKernels returns the kernels to try. OpenBLAS takes processors younger than
// itself for old ones, so they are named. AMD's cores run the AVX-512 kernels, too, but
// not always faster than their own.
func openBLASKernels() []setting {
	kernels := func(names ...string) (list []setting) {
		for _, name := range names {
			list = append(list, setting{"OPENBLAS_CORETYPE", name})
		}
		return list
	}
	wide := cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512DQ, cpuid.AVX512VL)
	amd := cpuid.CPU.IsVendor(cpuid.AMD)
	switch {
	case wide && amd:
		return kernels("SkylakeX", "Zen")
	case wide:
		return kernels("SkylakeX")
	case amd && cpuid.CPU.Supports(cpuid.AVX2):
		return kernels("Zen")
	case cpuid.CPU.Supports(cpuid.AVX2):
		return kernels("Haswell")
	}
	return []setting{{}} // its own choice
}

// peer returns a peer named LIBRARY-blocked or LIBRARY-unfused.
func (n *natives) peer(name string) *native {
	library, form, _ := strings.Cut(name, "-")
	return &native{natives: n, library: library, blocked: form == "blocked"}
}

// program compiles a library's program and returns its path, or why that fails.
func (n *natives) program(ctx context.Context, library string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	path, err := filepath.Abs(filepath.Join(n.dir, library))
	if err != nil {
		return "", err
	}
	err, known := n.built[library]
	if !known {
		err = n.compile(ctx, library, path)
		if ctx.Err() == nil {
			n.built[library] = err
		}
	}
	return path, err
}

func (n *natives) compile(ctx context.Context, library, path string) error {
	if err := copySources(nativeSources, n.dir); err != nil {
		return err
	}
	l := nativeLibraries[library]
	// What pkg-config does not know, the compiler may still find.
	flags, _ := exec.CommandContext(ctx, "pkg-config", "--cflags", "--libs", l.pkgConfig).Output()
	sources := filepath.Join(n.dir, "native")
	err := compileChild(ctx, path, sources, filepath.Join(sources, library+".c"), append(strings.Fields(string(flags)), l.link)...)
	if err != nil {
		return fmt.Errorf("cannot be compiled in (Debian has it as %s): %w", l.packages, err)
	}
	return nil
}

// compileChild compiles main.c and attention.c of a folder, with the products of a source
// file, into a program. Its fast mathematics are for the exponential, which so becomes
// vector code.
func compileChild(ctx context.Context, path, folder, products string, flags ...string) error {
	arguments := []string{"-O3", "-march=native", "-ffast-math", "-fopenmp", "-I" + folder, "-o", path}
	if runtime.GOARCH == "amd64" {
		arguments = append(arguments, "-mprefer-vector-width=512")
	}
	arguments = append(arguments, filepath.Join(folder, "main.c"), filepath.Join(folder, "attention.c"), products)
	out, err := exec.CommandContext(ctx, "cc", append(append(arguments, flags...), "-lm")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w%s", err, firstError(string(out)))
	}
	return nil
}

// firstError returns the line of a compiler's output that tells most.
func firstError(out string) string {
	for line := range strings.Lines(out) {
		if _, why, ok := strings.Cut(line, "error: "); ok {
			return ": " + strings.TrimSpace(why)
		}
		if strings.Contains(line, "cannot find") {
			return ": " + strings.TrimSpace(line)
		}
	}
	return ""
}

// copySources writes embedded files below dir.
func copySources(sources embed.FS, dir string) error {
	return fs.WalkDir(sources, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(path))
		if entry.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		data, err := sources.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o600)
	})
}
