package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// report is what the driver's compiler says of one shader.
type report struct {
	stats    map[string]int // by names in lower case, as drivers differ in that
	assembly []string
}

// readReports reads the output of the helper in radv/. The names of the shaders
// are as they were given to it.
func readReports(r io.Reader) (driver string, shaders map[string]report, err error) {
	shaders = map[string]report{}
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	name, assembly := "", false
	for scanner.Scan() {
		line := scanner.Text()
		kind, rest, _ := strings.Cut(line, " ")
		current := shaders[name]
		switch {
		case line == "end":
			assembly = false
		case assembly:
			current.assembly = append(current.assembly, line)
			shaders[name] = current
		case kind == "assembly":
			assembly = true
		case kind == "driver":
			driver = rest
		case kind == "shader":
			name = rest
			shaders[name] = report{stats: map[string]int{}}
		case kind == "stat":
			key, value, _ := strings.Cut(rest, "=")
			if n, err := strconv.Atoi(value); err == nil { // hashes may not fit
				current.stats[strings.ToLower(key)] = n
			}
		}
	}
	if assembly {
		return "", nil, fmt.Errorf("the report of %s has no end", name)
	}
	return driver, shaders, scanner.Err()
}

// loop is a loop of the assembly, from the block that its last branch goes back to.
type loop struct {
	first, last  int // blocks, by their place in the code
	fmas, others int
	inner        bool // holds no other loop
}

var (
	blockLabel = regexp.MustCompile(`^(BB\d+):`)
	branchTo   = regexp.MustCompile(`^s_c?branch\w*\s+(BB\d+)`)
	// Multiply-adds of all generations; the dual instructions of RDNA3 are split before.
	fma = regexp.MustCompile(`^v_(pk_)?(fma|fmac|fmaak|fmamk|mac|mad|madak|madmk)_(legacy_)?f(16|32)`)
)

// code is the assembly by blocks.
type code struct {
	blocks [][]string // instructions
	index  map[string]int
}

func parseCode(assembly []string) code {
	c := code{index: map[string]int{}}
	for _, line := range assembly {
		if m := blockLabel.FindStringSubmatch(line); m != nil {
			c.index[m[1]] = len(c.blocks)
			c.blocks = append(c.blocks, nil)
			continue
		}
		text, _, _ := strings.Cut(line, ";") // the machine code follows
		for _, instruction := range strings.Split(text, "::") {
			if instruction = strings.TrimSpace(instruction); instruction != "" && len(c.blocks) > 0 {
				last := len(c.blocks) - 1
				c.blocks[last] = append(c.blocks[last], strings.Replace(instruction, "v_dual_", "v_", 1))
			}
		}
	}
	return c
}

// loops returns the loops in order of their first blocks.
func (c code) loops() []loop {
	ends := map[int]int{}
	for n, block := range c.blocks {
		for _, instruction := range block {
			m := branchTo.FindStringSubmatch(instruction)
			if m == nil {
				continue
			}
			if target, known := c.index[m[1]]; known && target <= n {
				ends[target] = max(ends[target], n)
			}
		}
	}
	var list []loop
	for first := range c.blocks {
		last, is := ends[first]
		if !is {
			continue
		}
		l := loop{first: first, last: last, inner: true}
		for n := first; n <= last; n++ {
			fmas := countFMAs(c.blocks[n])
			l.fmas += fmas
			l.others += len(c.blocks[n]) - fmas
			if _, another := ends[n]; another && n != first {
				l.inner = false
			}
		}
		list = append(list, l)
	}
	return list
}

func countFMAs(block []string) (n int) {
	for _, instruction := range block {
		if fma.MatchString(instruction) {
			n++
		}
	}
	return n
}

// shares returns the part of the instructions that are FMAs in each of the inner
// loops that do the work: those with at least a quarter of the FMAs of the largest.
func (c code) shares() []float64 {
	most := 0
	loops := c.loops()
	for _, l := range loops {
		if l.inner {
			most = max(most, l.fmas)
		}
	}
	var list []float64
	for _, l := range loops {
		if l.inner && l.fmas > 0 && 4*l.fmas >= most {
			list = append(list, float64(l.fmas)/float64(l.fmas+l.others))
		}
	}
	return list
}

// weighted counts FMAs with the rounds of loops that the driver's estimate of
// throughput assumes: 8 of an outer loop, 4 of one inside it, 2 of each further one.
func (c code) weighted() (sum float64) {
	loops := c.loops()
	for n, block := range c.blocks {
		rounds, depth := 1.0, 0
		for _, l := range loops {
			if l.first <= n && n <= l.last {
				rounds *= []float64{8, 4, 2}[min(depth, 2)]
				depth++
			}
		}
		sum += rounds * float64(countFMAs(block))
	}
	return sum
}
