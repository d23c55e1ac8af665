package main

import (
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/glattn/attention/bench"
)

// sweepTable prints a sweep: a row for each width, a column for each length.
func (p *program) sweepTable(r *bench.SweepResult) {
	if len(r.Points) == 0 {
		return
	}
	header := table.Row{"D \\ L"}
	right := []table.ColumnConfig{{Number: 1, Align: text.AlignRight}}
	for n, length := range r.Lengths {
		header = append(header, length)
		right = append(right, table.ColumnConfig{Number: n + 2, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t := newTable(header)
	t.SetColumnConfigs(right)
	for d, dim := range r.Dims {
		line := table.Row{dim}
		for l := range r.Lengths {
			line = append(line, sweepCell(r.At(d, l)))
		}
		t.AppendRow(line)
	}
	causal := ""
	if r.Causal {
		causal = ", causal"
	}
	p.printf("%s%s on %s: share of the binding roof in %%\n%s\n", r.Mode, causal, r.Points[0].Backend, t.Render())
	p.sweepRemarks(r)
}

// sweepCell writes the share of a point.
func sweepCell(at *bench.SweepPoint) string {
	switch {
	case at == nil || at.RoofShare == nil:
		return none
	case len(at.Cliffs) > 0:
		return "!" + bench.ShareText(*at.RoofShare)
	}
	return bench.ShareText(*at.RoofShare)
}

// sweepRemarks prints what the table has no room for: which roofs bind, the
// cliffs, and the points without a time.
func (p *program) sweepRemarks(r *bench.SweepResult) {
	timed, reads := 0, 0
	var others []string
	for _, at := range r.Points {
		if at.RoofShare != nil {
			timed++
			if at.RoofKind == bench.RoofRead {
				reads++
			}
		}
		if at.Status != bench.StatusOK {
			others = append(others, fmt.Sprintf("%s: %s: %s", at.Workload, at.Status, at.Reason))
		}
	}
	p.printf("Reading binds %d of %d points, multiply-adds the others.\n", reads, timed)
	if len(r.Cliffs()) == 0 {
		p.printf("No point is a cliff: none has less than half of its neighbours' share.\n")
	}
	for _, line := range r.CliffLines() {
		p.printf("cliff: %s\n", line)
	}
	p.lines(others)
}

// mostLines is how many points a remark lists.
const mostLines = 40

// lines prints the first of many lines.
func (p *program) lines(list []string) {
	for n, line := range list {
		if n == mostLines {
			p.printf("and %d more\n", len(list)-n)
			return
		}
		p.printf("%s\n", line)
	}
}

// roofs prints the roofs that were measured.
func (p *program) roofs(lines []string) {
	for _, line := range lines {
		p.printf("roof: %s\n", line)
	}
}
