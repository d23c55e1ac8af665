package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/glattn/attention/bench"
	"github.com/glattn/attention/gpu"
)

// models is the command without a subcommand.
func (p *program) models(ctx context.Context, _ *cli.Command) error {
	m, err := bench.DescribeMachine(ctx, bench.OpenOptions{Window: window})
	if err != nil {
		return err
	}
	p.machine(m)
	p.printf("\n")
	roofs := new(bench.Roofs)
	for _, threads := range []int{1, m.Threads} { // those of the models' working sets are measured with them
		if _, err := roofs.CPUFMA(ctx, threads); err != nil {
			return err
		}
		if _, err := roofs.CPURead(ctx, threads, 0); err != nil {
			return err
		}
	}
	return p.time(ctx, "all", bench.OpenOptions{Window: window}, bench.Config{SoftwareMinReps: 1, Roofs: roofs}, bench.ModelShapes(), nil)
}

func (p *program) benchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Usage: "time chosen workloads or shapes, and check every timed output",
		UsageText:   "attnbench bench [-backend LIST] [-workload LIST] [-shape SPEC]... [-threads N] [-time DUR] [-json FILE]",
		Description: "Without -workload and -shape all workloads of groups prefill and decode are timed.\n\n" + workloadHelp() + "\n" + specHelp(),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "backend", Value: "all", Usage: "`LIST` of gpu, cpu, reference, auto (the engine chooses), all (the first three, as far as they are there)"},
			&cli.StringFlag{Name: "workload", Usage: "`LIST` of workloads and groups"},
			&cli.StringSliceFlag{Name: "shape", Usage: "a shape `SPEC`; may be repeated"},
			&cli.IntFlag{Name: "threads", Usage: "`N` threads of the cpu backend; as many as there are cores unless given"},
			&cli.DurationFlag{Name: "time", Value: 0, Usage: "repeat each measurement for `DUR`, or 10 times once a tenth of DUR has passed; never less than 3 times; 1s unless given"},
			&cli.StringFlag{Name: "json", Usage: "write the records to `FILE`, a JSON array; - for standard output"},
		},
		Action: p.bench,
	}
}

func (p *program) bench(ctx context.Context, c *cli.Command) error {
	specs, err := chosenSpecs(c)
	if err != nil {
		return err
	}
	if err := checkEffort(c); err != nil {
		return err
	}
	out, err := flagOutput(c, "json")
	if err != nil {
		return err
	}
	defer out.drop()
	open := bench.OpenOptions{Threads: c.Int("threads"), Window: window}
	return p.time(ctx, c.String("backend"), open, bench.Config{Time: c.Duration("time")}, specs, out)
}

// chosenSpecs reads the flags -workload and -shape.
func chosenSpecs(c *cli.Command) (specs []bench.Spec, err error) {
	if c.IsSet("workload") || !c.IsSet("shape") {
		if specs, err = bench.SelectWorkloads(orText(c.String("workload"), "prefill,decode")); err != nil {
			return nil, err
		}
	}
	for _, text := range c.StringSlice("shape") {
		s, err := bench.ParseSpec(text)
		if err != nil {
			return nil, err
		}
		specs = append(specs, s)
	}
	return specs, nil
}

// checkEffort checks the flags -time and -threads, as far as they are given.
func checkEffort(c *cli.Command) error {
	if c.IsSet("time") && c.Duration("time") <= 0 {
		return fmt.Errorf("%s: -time is %v, want more than 0", c.Name, c.Duration("time"))
	}
	if c.IsSet("threads") && c.Int("threads") < 1 {
		return fmt.Errorf("%s: -threads is %d, want 1 or more", c.Name, c.Int("threads"))
	}
	return nil
}

// time opens the backends and times the specs on them.
func (p *program) time(ctx context.Context, backends string, open bench.OpenOptions, config bench.Config, specs []bench.Spec, out *output) (err error) {
	opened, err := bench.OpenBackends(ctx, backends, open)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	p.caveats(opened, config)
	return p.timeOn(ctx, opened, config, specs, out)
}

// caveats tells what a reader of the numbers should know beforehand.
func (p *program) caveats(opened *bench.Backends, config bench.Config) {
	for _, missing := range opened.Missing {
		p.note("left out: %v", missing)
	}
	for _, backend := range opened.List {
		if b, ok := backend.(*gpu.Backend); ok && b.Device().Software {
			p.note("%s is a software rasteriser: its numbers say nothing about a GPU", b.Device().Renderer)
			if config.SoftwareMinReps > 0 {
				p.note("on it, %d repetition after warming up may do, against 3 on other backends", config.SoftwareMinReps)
			}
		}
	}
}

// fallbacks tells of calls that the engine could not run where it wanted to.
func (p *program) fallbacks(opened *bench.Backends) {
	engine, ok := opened.Engine()
	if !ok {
		return
	}
	if c := engine.Counters(); c.Fallbacks > 0 {
		p.note("auto: %d of %d calls fell back to another backend, for these reasons: %v", c.Fallbacks, c.Calls, c.Reasons)
	}
}

// timeOn runs and prints what came of it, also of a run that was interrupted.
func (p *program) timeOn(ctx context.Context, opened *bench.Backends, config bench.Config, specs []bench.Spec, out *output) error {
	shown := p.bar(len(specs) * len(opened.List))
	config.Backends, config.Threads = opened.List, opened.Threads
	config.Progress = func(at bench.Progress) { shown.at(at.Done, at.What) }
	if config.Roofs == nil {
		config.Roofs = new(bench.Roofs)
	}
	records, err := bench.Run(ctx, config, specs)
	shown.clear()
	p.fallbacks(opened)
	if out == nil || out.path != "-" {
		p.table(records, config.Roofs.Lines())
	}
	if err != nil && len(records) == 0 {
		return err
	}
	if failed := out.commit(p.out, records); failed != nil {
		return errors.Join(err, failed)
	}
	if err != nil {
		return err
	}
	for _, r := range records {
		if r.Failed() {
			return errFailed
		}
	}
	return nil
}

func workloadHelp() string {
	var b strings.Builder
	b.WriteString("Workloads, by group:\n")
	group := ""
	for _, w := range bench.Workloads() {
		if w.Group != group {
			group = w.Group
			fmt.Fprintf(&b, "  %s\n", group)
		}
		fmt.Fprintf(&b, "    %-18s %s\n", w.Name, w.What)
	}
	return b.String()
}

func specHelp() string {
	var b strings.Builder
	b.WriteString("A SPEC is a list of key=value, as b=1,hq=32,hkv=8,lq=1,lk=4096,d=128,kv=f16,causal=bottom-right:\n")
	for _, k := range bench.SpecKeys() {
		fmt.Fprintf(&b, "    %-8s %s (%s)\n", k.Name, k.Meaning, k.Want)
	}
	return b.String()
}
