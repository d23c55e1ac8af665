package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/glattn/attention/bench"
)

const sweepHelp = `Each point is a float32 problem of width D and length L: as many queries as keys (prefill), or one
query (decode). Heads times batch is the largest power of two with which it has at most 2^29 FLOPs
and 8 MiB in its tensors, but at least 1; up to 64 of it are heads.

The table shows each point's share of the roof that binds it, in percent: of the multiply-adds or of
reading its tensors, whichever takes longer. A point with less than half of the share of both its
neighbours in D (of the one, at an edge), or of both its neighbours in L, is a cliff, marked "!".
It was timed again before it was called so. All points take about 2 minutes on 2 cores with AVX2.`

func (p *program) sweepCommand() *cli.Command {
	return &cli.Command{
		Name: "sweep", Usage: "time a grid of widths and lengths, check every timed output, and find the cliffs",
		UsageText:   "attnbench sweep [-mode MODE] [-d LIST] [-l LIST] [-backend NAME] [-threads N] [-time DUR] [-causal] [-json FILE] [-plot FILE] [-strict]",
		Description: sweepHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "mode", Value: "both", Usage: "`MODE` prefill, decode or both"},
			&cli.StringFlag{Name: "d", Value: joined(bench.SweepDims()), Usage: "`LIST` of widths"},
			&cli.StringFlag{Name: "l", Value: joined(bench.SweepLengths()), Usage: "`LIST` of lengths"},
			&cli.StringFlag{Name: "backend", Value: "cpu", Usage: "`NAME` of gpu, cpu, reference, auto"},
			&cli.IntFlag{Name: "threads", Usage: "`N` threads of the cpu backend; as many as there are cores unless given"},
			&cli.DurationFlag{Name: "time", Value: 0, Usage: "repeat each point for `DUR`, or 10 times once a tenth of DUR has passed; 100ms unless given"},
			&cli.BoolFlag{Name: "causal", Usage: "with the causal rule, bottom-right"},
			&cli.StringFlag{Name: "json", Usage: "write the points to `FILE`, a JSON array; - for standard output"},
			&cli.StringFlag{Name: "plot", Usage: "draw a heat map to `FILE`, a .png or .svg"},
			&cli.BoolFlag{Name: "strict", Usage: "end with status 1 if there is a cliff"},
		},
		Action: p.sweep,
	}
}

func joined(list []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ","), "[]")
}

// sweeps reads the flags that say what is timed.
func sweeps(c *cli.Command) ([]bench.Sweep, error) {
	dims, err := bench.ParseSizes(c.String("d"))
	if err != nil {
		return nil, fmt.Errorf("sweep: -d: %w", err)
	}
	lengths, err := bench.ParseSizes(c.String("l"))
	if err != nil {
		return nil, fmt.Errorf("sweep: -l: %w", err)
	}
	modes := []bench.SweepMode{bench.SweepPrefill, bench.SweepDecode}
	if mode := bench.SweepMode(c.String("mode")); mode != "both" {
		if !slices.Contains(modes, mode) {
			return nil, fmt.Errorf("sweep: -mode is %q, want prefill, decode or both", mode)
		}
		modes = []bench.SweepMode{mode}
	}
	var list []bench.Sweep
	for _, mode := range modes {
		list = append(list, bench.Sweep{Mode: mode, Dims: dims, Lengths: lengths, Causal: c.Bool("causal")})
	}
	return list, nil
}

// sweepOutputs are the files of a sweep.
type sweepOutputs struct {
	json, plot *output
	format     string
}

func openSweepOutputs(c *cli.Command) (o sweepOutputs, err error) {
	if c.IsSet("plot") {
		if o.format, err = bench.HeatmapFormat(c.String("plot")); err != nil {
			return o, fmt.Errorf("sweep: -plot: %w", err)
		}
	}
	if o.json, err = flagOutput(c, "json"); err != nil {
		return o, err
	}
	if o.plot, err = flagOutput(c, "plot"); err != nil {
		o.json.drop()
		return o, err
	}
	return o, nil
}

func (o sweepOutputs) drop() {
	o.json.drop()
	o.plot.drop()
}

// commit writes what was asked for.
func (o sweepOutputs) commit(stdout io.Writer, results []*bench.SweepResult) error {
	points := []bench.SweepPoint{}
	for _, r := range results {
		points = append(points, r.Points...)
	}
	return errors.Join(o.json.commit(stdout, points), o.plot.commitBy(stdout, func(w io.Writer) error {
		return bench.WriteHeatmap(w, o.format, results)
	}))
}

func (p *program) sweep(ctx context.Context, c *cli.Command) (err error) {
	list, err := sweeps(c)
	if err != nil {
		return err
	}
	if err := checkEffort(c); err != nil {
		return err
	}
	if name := c.String("backend"); name == "all" || strings.Contains(name, ",") {
		return fmt.Errorf("sweep: -backend is %q, want one of gpu, cpu, reference, auto", name)
	}
	out, err := openSweepOutputs(c)
	if err != nil {
		return err
	}
	defer out.drop()
	opened, err := bench.OpenBackends(ctx, c.String("backend"), bench.OpenOptions{Threads: c.Int("threads"), Window: window})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	config := bench.Config{Time: c.Duration("time")}
	p.caveats(opened, config)
	return p.sweepOn(ctx, opened, config, list, out, c.Bool("strict"))
}

// sweepOn runs sweeps and prints what came of them, also of an interrupted one.
func (p *program) sweepOn(ctx context.Context, opened *bench.Backends, config bench.Config, list []bench.Sweep, out sweepOutputs, strict bool) error {
	config.Backends, config.Threads, config.Roofs = opened.List, opened.Threads, new(bench.Roofs)
	quiet := out.json != nil && out.json.path == "-"
	var results []*bench.SweepResult
	var err error
	bad := false
	for _, s := range list {
		shown := p.bar(len(s.Dims) * len(s.Lengths))
		config.Progress = func(at bench.Progress) { shown.at(at.Done, at.What) }
		var r *bench.SweepResult
		r, err = bench.RunSweep(ctx, config, s)
		shown.clear()
		if len(r.Points) > 0 {
			results = append(results, r)
		}
		if !quiet {
			p.sweepTable(r)
		}
		bad = bad || strict && len(r.Cliffs()) > 0 || slices.ContainsFunc(r.Points, func(at bench.SweepPoint) bool { return at.Failed() })
		if err != nil {
			break
		}
	}
	p.fallbacks(opened)
	if len(results) == 0 {
		return err
	}
	if !quiet {
		p.roofs(config.Roofs.Lines())
	}
	if err := errors.Join(err, out.commit(p.out, results)); err != nil {
		return err
	}
	if bad {
		return errFailed
	}
	return nil
}
