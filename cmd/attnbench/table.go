package main

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/glattn/attention/bench"
)

const none = "–"

// table prints records, and below it what a table has no room for.
func (p *program) table(records []bench.Record, roofs []string) {
	if len(records) == 0 {
		return
	}
	t := newTable(table.Row{"workload", "backend", "median ms", "min – max", "reps", "rate", "of roof", "error/bound", "speed-up"})
	var right []table.ColumnConfig
	for column := 3; column <= 9; column++ {
		right = append(right, table.ColumnConfig{Number: column, Align: text.AlignRight})
	}
	t.SetColumnConfigs(right)
	previous := records[0].Workload
	for _, r := range records {
		if r.Workload != previous {
			t.AppendSeparator()
			previous = r.Workload
		}
		t.AppendRow(row(r))
	}
	p.printf("%s\n", t.Render())
	p.roofs(roofs)
	p.remarks(records)
}

func newTable(header table.Row) table.Writer {
	t := table.NewWriter()
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.AppendHeader(header)
	return t
}

func row(r bench.Record) table.Row {
	name := r.Backend
	if r.Ran != r.Backend {
		name += " (" + r.Ran + ")"
	}
	if r.Status != bench.StatusOK {
		return table.Row{r.Workload, name, none, string(r.Status), none, none, none, none, none}
	}
	rate, unit := r.GFLOPs, "GFLOP/s"
	if r.RoofKind == bench.RoofRead {
		rate, unit = r.GBs, "GB/s"
	}
	return table.Row{r.Workload, name, show(r.Median, ""), show(r.Min, "") + " – " + show(r.Max, ""), r.Reps,
		show(rate, " "+unit), share(r), quotient(r.ErrorQuotient), show(r.SpeedUp, "×")}
}

// remarks prints how much was verified, and every outcome but ok.
func (p *program) remarks(records []bench.Record) {
	sampled, transfers, faster := false, false, false
	for _, r := range records {
		sampled = sampled || r.Verified && r.VerifiedRows < r.Rows
		transfers = transfers || r.Transfers
		faster = faster || r.SpeedUp != nil
	}
	p.printf("Each timed output was verified against float64: error/bound is its worst error as a share of what is allowed.\n")
	if faster {
		p.printf("Speed-up is over the reference backend, which is plain float64.\n")
	}
	if sampled {
		p.printf("Of large outputs a sample of rows was recomputed:%s.\n", samples(records))
	}
	if transfers {
		p.printf("Times of the gpu backend include upload and download.\n")
	}
	for _, r := range records {
		if r.Status != bench.StatusOK {
			p.printf("%s on %s: %s: %s\n", r.Workload, r.Backend, r.Status, r.Reason)
		}
	}
}

func samples(records []bench.Record) string {
	var list string
	seen := map[string]bool{}
	for _, r := range records {
		if r.Verified && r.VerifiedRows < r.Rows && !seen[r.Shape] {
			seen[r.Shape] = true
			list += fmt.Sprintf(" %s %d of %d rows,", r.Workload, r.VerifiedRows, r.Rows)
		}
	}
	return list[:max(0, len(list)-1)]
}

// show writes a number with three digits that count.
func show(v *float64, unit string) string {
	if v == nil {
		return none
	}
	switch x := *v; {
	case x >= 100:
		return fmt.Sprintf("%.0f%s", x, unit)
	case x >= 10:
		return fmt.Sprintf("%.1f%s", x, unit)
	case x >= 1:
		return fmt.Sprintf("%.2f%s", x, unit)
	}
	return fmt.Sprintf("%.3f%s", *v, unit)
}

// share writes the share of the binding roof, and which one that is.
func share(r bench.Record) string {
	if r.RoofShare == nil {
		return none
	}
	return percent(r.RoofShare) + " " + r.RoofKind
}

func percent(v *float64) string {
	if v == nil {
		return none
	}
	return fmt.Sprintf("%.1f %%", *v*100)
}

func quotient(v *float64) string {
	if v == nil {
		return none
	}
	return fmt.Sprintf("%.2g", *v)
}
