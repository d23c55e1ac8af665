// Command shaders writes the composed GLSL of the variants that the GPU backend
// ships, for compilers and analysers that check them.
//
//	go run ./internal/cmd/shaders -o DIR   writes DIR/<variant>.comp, the probes too
//	go run ./internal/cmd/shaders -list    prints the names
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/glattn/attention/gpu"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "shaders:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("shaders", flag.ContinueOnError)
	dir := flags.String("o", "", "folder to write the shaders to; made if it does not exist")
	list := flags.Bool("list", false, "print the names of the shaders")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dir == "" && !*list || flags.NArg() > 0 {
		return errors.New("want -o DIR or -list, and nothing else")
	}
	shaders, err := gpu.Probes()
	if err != nil {
		return err
	}
	for _, v := range gpu.Variants() {
		if shaders[v.String()], err = v.Source(); err != nil {
			return err
		}
	}
	if *dir != "" {
		if err := os.MkdirAll(*dir, 0o755); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(shaders)) {
		if *list {
			if _, err := fmt.Fprintln(out, name); err != nil {
				return err
			}
		}
		if *dir == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(*dir, fileName(name)), []byte(shaders[name]), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// fileName keeps letters, digits, dots and dashes of a name.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, name) + ".comp"
}
