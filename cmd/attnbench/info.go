package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/glattn/attention/bench"
)

func (p *program) infoCommand() *cli.Command {
	return &cli.Command{
		Name: "info", Usage: "describe the machine: processor, memory, OpenGL devices",
		UsageText: "attnbench info [-json]",
		Flags:     []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print JSON"}},
		Action: func(ctx context.Context, c *cli.Command) error {
			m, err := bench.DescribeMachine(ctx, bench.OpenOptions{Window: window})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return writeJSON(p.out, m)
			}
			p.machine(m)
			return nil
		},
	}
}

// machine prints a machine for people.
func (p *program) machine(m bench.Machine) {
	p.printf("CPU      %s, %d cores, %s/%s, %s\n", m.CPU, m.Cores, m.OS, m.Arch, m.Go)
	p.printf("         %s\n", strings.Join(m.Features, " "))
	p.printf("kernels  %s\n", strings.Join(m.Kernels, " "))
	p.printf("memory   %s; caches: L1d %s, L2 %s, L3 %s\n", bytesText(float64(m.MemoryBytes)), bytesText(float64(m.CacheL1D)),
		bytesText(float64(m.CacheL2)), bytesText(float64(m.CacheL3)))
	for _, d := range m.Devices {
		software := ""
		if d.Software {
			software = ", software"
		}
		p.printf("device %d %s (EGL %s%s)\n", d.Index, orText(d.Name, "without a name"), d.Platform, software)
	}
	if m.GPU == nil {
		p.printf("GPU      none: %s\n", m.GPUError)
		return
	}
	g := m.GPU
	p.printf("GPU      %s, %s, OpenGL %s, GLSL %s\n", g.Renderer, g.Vendor, g.Version, g.GLSL)
	p.printf("         %s shared memory, %s buffers, %d invocations a work group\n", bytesText(float64(g.MaxSharedBytes)),
		bytesText(float64(g.MaxSSBOBytes)), g.MaxInvocations)
	if g.Software {
		p.printf("         a software rasteriser: right, but slow\n")
	}
}

func orText(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// bytesText writes a size for people.
func bytesText(n float64) string {
	if n <= 0 {
		return "unknown"
	}
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1024 {
			return fmt.Sprintf("%.4g %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.4g TiB", n)
}
