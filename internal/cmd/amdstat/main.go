// Command amdstat compiles every shader that the GPU backend ships for AMD GPUs
// that need not be present, with Mesa's RADV, and writes what its compiler says of
// registers, memory, occupancy and instructions. scripts/amdstat.sh calls it.
//
//	amdstat -radv HELPER -o DIR       writes DIR/amdstat.md and DIR/amdstat.csv
//	amdstat -radv HELPER -check DIR   fails on spills, on inner loops with few FMAs
//	                                  and, with the same compilers, on old files
package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/glattn/attention/gpu"
)

// families are the GPUs of the table; those of strict must have no faults, and
// -check compiles for them alone.
var (
	families = []string{"polaris10", "navi10", "navi21", "gfx1100"}
	strict   = []string{"navi21", "gfx1100"}
)

// otherNames are what other versions of Mesa call a family.
var otherNames = map[string]string{"navi10": "gfx1010", "navi21": "gfx1030", "gfx1100": "navi31"}

// uniformBinding is the binding of the block of params.glsl.
const uniformBinding = "8"

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "amdstat:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("amdstat", flag.ContinueOnError)
	helper := flags.String("radv", "", "the program built from internal/cmd/amdstat/radv")
	write := flags.String("o", "", "folder to write the files to")
	check := flags.String("check", "", "folder of the files to check")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *helper == "" || (*write == "") == (*check == "") || flags.NArg() > 0 {
		return errors.New("want -radv HELPER and either -o DIR or -check DIR")
	}
	wanted := families
	if *check != "" {
		wanted = strict
	}
	versions, rows, err := measure(*helper, wanted)
	if err != nil {
		return err
	}
	var faults []string
	for _, r := range rows {
		if slices.Contains(strict, r.family) {
			faults = append(faults, r.faults()...)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%d faults:\n%s", len(faults), strings.Join(faults, "\n"))
	}
	if *check != "" {
		return compare(*check, versions, rows, out)
	}
	if err := os.WriteFile(filepath.Join(*write, "amdstat.csv"), []byte(csv(versions, rows)), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(*write, "amdstat.md"), []byte(markdown(versions, rows)), 0o644)
}

// compare fails if the lines of rows are not those of the file in dir, which other
// versions of the compilers may have written.
func compare(dir, versions string, rows []row, out io.Writer) error {
	data, err := os.ReadFile(filepath.Join(dir, "amdstat.csv"))
	if err != nil {
		return err
	}
	old := strings.Split(string(data), "\n")
	if old[0] != "# "+versions {
		_, err := fmt.Fprintf(out, "amdstat: %d compilations without spills; numbers not compared, as they are from other compilers: %s, here %s\n",
			len(rows), strings.TrimPrefix(old[0], "# "), versions)
		return err
	}
	of := func(lines []string) []string {
		return slices.DeleteFunc(lines, func(line string) bool {
			family, _, _ := strings.Cut(line, ",")
			return !slices.Contains(strict, family)
		})
	}
	if now := of(strings.Split(csv(versions, rows), "\n")); !slices.Equal(now, of(old)) {
		for _, line := range now {
			if !slices.Contains(old, line) {
				return fmt.Errorf("%s is out of date: run make amdstat; first new line: %s", filepath.Join(dir, "amdstat.csv"), line)
			}
		}
		return fmt.Errorf("%s lists other variants than are shipped: run make amdstat", filepath.Join(dir, "amdstat.csv"))
	}
	_, err = fmt.Fprintf(out, "amdstat: %d compilations without spills, as listed\n", len(rows))
	return err
}

// measure compiles all variants for the families, two compilers at a time.
func measure(helper string, families []string) (versions string, rows []row, err error) {
	dir, err := os.MkdirTemp("", "amdstat")
	if err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	// Software rasterisers alone get KernelRows, and nobody KernelNaive.
	variants := slices.DeleteFunc(gpu.Variants(), func(v gpu.Variant) bool { return v.Kernel == gpu.KernelRows || v.Kernel == gpu.KernelNaive })
	slices.SortFunc(variants, func(a, b gpu.Variant) int {
		return cmp.Or(cmp.Compare(a.Kernel, b.Kernel), cmp.Compare(a.Dim4, b.Dim4), cmp.Compare(a.Value4, b.Value4), strings.Compare(a.String(), b.String()))
	})
	paths := make([]string, len(variants))
	for n := range variants {
		paths[n] = fmt.Sprintf("%d.spv", n)
	}
	if err := parallel(len(variants), func(n int) error { return assemble(variants[n], filepath.Join(dir, paths[n])) }); err != nil {
		return "", nil, err
	}
	drivers, lists := make([]string, len(families)), make([][]row, len(families))
	err = parallel(len(families), func(n int) (err error) {
		drivers[n], lists[n], err = compile(helper, dir, families[n], variants, paths)
		return err
	})
	if err != nil {
		return "", nil, err
	}
	validator, err := exec.Command("glslangValidator", "--version").Output()
	if err != nil {
		return "", nil, fmt.Errorf("glslangValidator --version: %w", err)
	}
	line, _, _ := strings.Cut(string(validator), "\n")
	_, version, _ := strings.Cut(line, ": ")
	return fmt.Sprintf("%s, glslang %s", drivers[0], strings.TrimPrefix(version, "11:")), slices.Concat(lists...), nil
}

// assemble compiles a variant to SPIR-V.
func assemble(v gpu.Variant, path string) error {
	text, err := v.Source()
	if err != nil {
		return err
	}
	source := path + ".comp"
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		return err
	}
	if log, err := exec.Command("glslangValidator", "-V", "-S", "comp", "-o", path, source).CombinedOutput(); err != nil {
		return fmt.Errorf("%v: glslangValidator: %w: %s", v, err, log)
	}
	return nil
}

// compile gives the shaders to the driver for one family.
func compile(helper, dir, family string, variants []gpu.Variant, paths []string) (driver string, rows []row, err error) {
	ask := func(name string) ([]byte, error) {
		command := exec.Command(helper, append([]string{uniformBinding}, paths...)...)
		command.Dir = dir
		command.Env = append(command.Environ(), "RADV_FORCE_FAMILY="+name)
		var log bytes.Buffer
		command.Stderr = &log
		out, err := command.Output()
		if err != nil {
			err = fmt.Errorf("%s: %w: %s", name, err, log.String())
		}
		return out, err
	}
	out, err := ask(family)
	if other := otherNames[family]; err != nil && other != "" {
		var another error
		if out, another = ask(other); another == nil {
			err = nil
		} else {
			err = errors.Join(err, another)
		}
	}
	if err != nil {
		return "", nil, err
	}
	driver, shaders, err := readReports(bytes.NewReader(out))
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", family, err)
	}
	for n, v := range variants {
		r, err := newRow(family, v, shaders[paths[n]])
		if err != nil {
			return "", nil, err
		}
		rows = append(rows, r)
	}
	return driver, rows, nil
}

// parallel calls f for 0 to n-1, two at a time, and returns the first error.
func parallel(n int, f func(int) error) error {
	errs := make([]error, n)
	queue := make(chan int)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for i := range queue {
				errs[i] = f(i)
			}
		})
	}
	for i := range n {
		queue <- i
	}
	close(queue)
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
