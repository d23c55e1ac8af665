// Command neon generates the arm64 micro-kernels of package kernel, for the vectors
// (ASIMD, or NEON) that every processor of ARMv8.0 has. Run it from the folder of that
// package:
//
//	go run ./_neon -out kernel_arm64.s -stubs stubs_arm64.go
//
// Each kernel is a function that writes Go assembly, shapes and storage types being
// parameters. Loads, stores and integers are written in Go's mnemonics. Of arithmetic on
// vectors Go's assembler knows little, so it is written as words (encode.go).
package main

import (
	"flag"
	"log"
	"os"
)

func main() {
	out := flag.String("out", "", "the file of the assembly")
	stubs := flag.String("stubs", "", "the file of its Go declarations")
	flag.Parse()
	log.SetFlags(0)
	p := kernels()
	for name, text := range map[string]string{*out: p.assembly(), *stubs: p.stubs()} {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			log.Fatal(err)
		}
	}
}

func kernels() *program {
	p := &program{}
	p.scores()
	p.values()
	p.weigh()
	p.weighRow()
	p.scale()
	p.store()
	p.fence()
	p.bias()
	p.expand()
	p.softcap()
	p.transpose()
	for _, from := range storages {
		if from.size < 4 {
			p.widen(from)
		}
		if from.size == 2 {
			p.narrow(from)
		}
		if !from.blocks() {
			p.largest(from)
		}
		for _, rows := range []int{4, 2, 1} {
			p.dots(from, rows)
			p.mix(from, rows)
		}
	}
	return p
}
