package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v3"

	"github.com/glattn/attention"
	"github.com/glattn/attention/bench"
	"github.com/glattn/attention/gpu"
	"github.com/glattn/attention/verify"
)

func (p *program) verifyCommand() *cli.Command {
	return &cli.Command{
		Name: "verify", Usage: "run the conformance suite on this machine",
		UsageText: "attnbench verify [-backend LIST] [-short]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "backend", Value: "all", Usage: "`LIST` of gpu, cpu, reference, auto, all"},
			&cli.BoolFlag{Name: "short", Usage: "fewer lengths and widths, but every option, type, layout and trap"},
		},
		Action: p.verify,
	}
}

func (p *program) verify(ctx context.Context, c *cli.Command) (err error) {
	opened, err := bench.OpenBackends(ctx, c.String("backend"), bench.OpenOptions{Window: window})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	for _, missing := range opened.Missing {
		p.note("left out: %v", missing)
	}
	cases := verify.Cases()
	if c.Bool("short") {
		cases = verify.ShortCases()
	}
	failed := false
	for _, backend := range opened.List {
		if b, ok := backend.(*gpu.Backend); ok && b.Device().Software && !c.Bool("short") {
			p.note("%s is a software rasteriser: the whole suite takes minutes, -short is quicker", b.Device().Renderer)
		}
		summary, err := p.verifyOn(ctx, backend, cases)
		failed = failed || summary.Failed > 0
		if err != nil {
			return err
		}
	}
	if failed {
		return errFailed
	}
	return nil
}

// verifyOn runs the cases on one backend and prints failures, refusals and the sum.
func (p *program) verifyOn(ctx context.Context, backend attention.Backend, cases []verify.Case) (verify.Summary, error) {
	shown := p.bar(len(cases))
	shown.at(0, backend.Name())
	done := 0
	summary, err := verify.RunAll(ctx, backend, cases, func(one verify.Case, _ verify.Report, err error) {
		done++
		shown.at(done, backend.Name())
		if err != nil && !errors.Is(err, attention.ErrUnsupported) {
			shown.clear()
			p.printf("FAILED on %s: %s (why this case: %s)\n", backend.Name(), oneLine(err.Error()), one.Why)
		}
	})
	shown.clear()
	for _, refusal := range summary.Refusals {
		p.printf("unsupported on %s: %s\n", backend.Name(), oneLine(refusal.Err.Error()))
	}
	p.printf("%s: %v\n", backend.Name(), summary)
	return summary, err
}
