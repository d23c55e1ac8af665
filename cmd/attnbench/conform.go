package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/urfave/cli/v3"

	"github.com/glattn/attention/bench"
	"github.com/glattn/attention/internal/env"
	"github.com/glattn/attention/verify/vectors"
)

func (p *program) conformCommand() *cli.Command {
	return &cli.Command{
		Name: "conform", Usage: "run folders of operator test vectors", ArgsUsage: "DIR...",
		UsageText: "attnbench conform [-backend LIST] [-json FILE] DIR...",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "backend", Usage: "`LIST` of gpu, cpu, reference, auto, all; auto unless given"},
			&cli.StringFlag{Name: "json", Usage: "write the results to `FILE`, a JSON array; - for standard output"},
		},
		Action: p.conform,
	}
}

// vectorResult is a result as JSON.
type vectorResult struct {
	Case     string   `json:"case"`
	Operator string   `json:"operator"`
	Backend  string   `json:"backend"`
	Status   string   `json:"status"` // passed, failed or skipped
	Missing  string   `json:"missing,omitempty"`
	Detail   string   `json:"detail,omitempty"`
	Notes    []string `json:"notes,omitempty"`
	Compared int      `json:"compared"`
	MaxAbs   *float64 `json:"max_abs"` // null if nothing was compared or the difference is not finite
	Where    string   `json:"where,omitempty"`
}

func (p *program) conform(ctx context.Context, c *cli.Command) (err error) {
	if !c.Args().Present() {
		return errors.New("conform: no folder given, want one DIR or more")
	}
	var cases []vectors.Case
	for _, dir := range c.Args().Slice() {
		loaded, err := vectors.Load(dir)
		if err != nil {
			return fmt.Errorf("conform: %w", err)
		}
		cases = append(cases, loaded...)
	}
	list, err := backendList(c)
	if err != nil {
		return err
	}
	out, err := flagOutput(c, "json")
	if err != nil {
		return err
	}
	defer out.drop()
	opened, err := bench.OpenBackends(ctx, list, bench.OpenOptions{Window: window})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	for _, missing := range opened.Missing {
		p.note("left out: %v", missing)
	}
	tally, results, err := p.runVectors(ctx, cases, opened, out == nil || out.path != "-")
	p.fallbacks(opened)
	if failed := out.commit(p.out, results); failed != nil {
		return errors.Join(err, failed)
	}
	switch {
	case err != nil:
		return err
	case tally.Failed > 0:
		return errFailed
	}
	return nil
}

// runVectors runs each case on each backend and prints a line for each, and the
// closing line. It ends early when ctx does.
func (p *program) runVectors(ctx context.Context, cases []vectors.Case, opened *bench.Backends, lines bool) (vectors.Tally, []vectorResult, error) {
	var tally vectors.Tally
	results := []vectorResult{}
	for _, backend := range opened.List {
		for _, vector := range cases {
			result := vector.Run(ctx, backend)
			if ctx.Err() != nil { // what looks like a failure may be the end of ctx
				break
			}
			tally.Add(result)
			results = append(results, asJSON(result))
			if lines {
				p.printf("%s\n", oneLine(result.String()))
			}
		}
	}
	if lines {
		p.printf("%v\n", tally)
	}
	return tally, results, ctx.Err()
}

func asJSON(r vectors.Result) vectorResult {
	v := vectorResult{Case: r.Case, Operator: r.Operator, Backend: r.Backend, Status: r.Status.String(), Missing: r.Missing,
		Detail: r.Detail, Notes: r.Notes, Compared: r.Compared, Where: r.Where}
	if r.Compared > 0 && !math.IsNaN(r.MaxAbs) && !math.IsInf(r.MaxAbs, 0) {
		v.MaxAbs = &r.MaxAbs
	}
	return v
}

// backendList returns -backend, or what ATTN_BACKEND says where it is not given.
func backendList(c *cli.Command) (string, error) {
	if c.IsSet("backend") {
		return c.String("backend"), nil
	}
	return env.Backend()
}
