package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v3"

	"github.com/glattn/attention/bench"
	"github.com/glattn/attention/dispatch"
)

func (p *program) explainCommand() *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "say which backend would run a shape, and why not the others",
		UsageText: "attnbench explain -shape SPEC [-json]", Description: specHelp(),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "shape", Usage: "the shape `SPEC`"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		Action: p.explain,
	}
}

// explained is what explain prints as JSON.
type explained struct {
	Shape          string  `json:"shape"`
	FLOPs          float64 `json:"flops"`
	FLOPsCustomary float64 `json:"flops_customary"`
	Bytes          int64   `json:"bytes"`
	Bound          string  `json:"bound"` // fma or read: the roof that limits the shape on most devices
	dispatch.Explanation
}

func (p *program) explain(ctx context.Context, c *cli.Command) (err error) {
	if !c.IsSet("shape") {
		return errors.New("explain: -shape is missing")
	}
	s, err := bench.ParseSpec(c.String("shape"))
	if err != nil {
		return err
	}
	engine, err := dispatch.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	x := explained{Shape: s.String(), Bytes: s.Problem.Bytes(), Bound: s.Bound(), Explanation: engine.Explain(s.Problem)}
	x.FLOPs, x.FLOPsCustomary = s.FLOPs()
	if c.Bool("json") {
		return writeJSON(p.out, x)
	}
	p.printf("problem  %s\n", x.Problem)
	p.printf("work     %.4g GFLOP (customary count %.4g), %s to move at least, bounded by the %s roof\n", x.FLOPs/1e9, x.FLOPsCustomary/1e9, bytesText(float64(x.Bytes)), x.Bound)
	p.printf("chosen   %s\n", orText(x.Chosen, none+" "+x.Reason))
	t := newTable(table.Row{"backend", "device", "predicted", "why not"})
	for _, candidate := range x.Candidates {
		predicted := none
		if candidate.PredictedMS > 0 {
			predicted = fmt.Sprintf("%.3g ms", candidate.PredictedMS)
		}
		why := candidate.Reason
		if candidate.Chosen {
			why = "chosen"
		}
		t.AppendRow(table.Row{candidate.Backend, orText(candidate.Device, none), predicted, oneLine(why)})
	}
	p.printf("%s\n", t.Render())
	return nil
}
