package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v3"

	"github.com/glattn/attention/bench"
)

const tuneHelp = `For each workload it tries the tiles that this device can run: each is verified against float64
before it is timed, those that are slow end at once, and the best of the others are timed in turn
with the tile in use. One that is at least 3 % faster is kept in the user's cache directory, by
device, driver, widths, types and class of length, and used from then on.

Tuning changes the order of some sums, hence bits, but not what is right.`

func (p *program) tuneCommand() *cli.Command {
	return &cli.Command{
		Name: "tune", Usage: "search for the fastest tiles of this GPU, and keep them",
		UsageText:   "attnbench tune [-workload LIST] [-shape SPEC]... [-time DUR] [-dry-run] [-json FILE]",
		Description: tuneHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "workload", Usage: "`LIST` of workloads and groups; prefill,decode unless given"},
			&cli.StringSliceFlag{Name: "shape", Usage: "a shape `SPEC`; may be repeated"},
			&cli.DurationFlag{Name: "time", Value: 0, Usage: "search for `DUR` for each; 30s unless given"},
			&cli.BoolFlag{Name: "dry-run", Usage: "keep nothing"},
			&cli.StringFlag{Name: "json", Usage: "write what was found to `FILE`, a JSON array; - for standard output"},
		},
		Action: p.tune,
	}
}

func (p *program) tune(ctx context.Context, c *cli.Command) (err error) {
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
	opened, err := bench.OpenBackends(ctx, "gpu", bench.OpenOptions{Window: window})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	p.caveats(opened, bench.Config{})
	backend, ok := opened.List[0].(bench.Tunable)
	if !ok {
		return fmt.Errorf("tune: backend %q has no tiles to choose", opened.List[0].Name())
	}
	shown := p.bar(1000 * len(specs))
	found, err := bench.Tune(ctx, backend, specs, bench.TuneOptions{
		Time: c.Duration("time"), DryRun: c.Bool("dry-run"), Progress: func(at bench.Progress) { shown.at(at.Done, at.What) },
	})
	shown.clear()
	if out == nil || out.path != "-" {
		p.tuneTable(found)
	}
	if len(found) > 0 {
		err = errors.Join(err, out.commit(p.out, found))
	}
	if err != nil {
		return err
	}
	for _, f := range found {
		if len(f.Wrong) > 0 {
			return errFailed
		}
	}
	return nil
}

func (p *program) tuneTable(found []bench.Tuning) {
	if len(found) == 0 {
		return
	}
	t := newTable(table.Row{"workload", "tile in use", "ms", "best tile", "ms", "gain", "tried", "refused", "wrong"})
	for _, f := range found {
		gain := none
		if f.Adopted {
			gain = fmt.Sprintf("%.2f×", f.BeforeMS/f.BestMS)
		}
		t.AppendRow(table.Row{f.Workload, f.Before, show(&f.BeforeMS, ""), f.Best, show(&f.BestMS, ""), gain, f.Tried, f.Refused, len(f.Wrong)})
	}
	p.printf("%s\n", t.Render())
	for _, f := range found {
		for _, wrong := range f.Wrong {
			p.note("%s: wrong, and never used: %s", f.Workload, wrong)
		}
	}
}
