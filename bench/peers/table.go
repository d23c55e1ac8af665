package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// none stands where there is no number.
const none = "–"

// render writes the machine, the table, and below it why numbers are missing or what is
// to be known about them.
func (r report) render(w io.Writer) error {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "%s, %d cores (%s), %s/%s, %s, %d threads for each library; load before: %s\n",
		m.CPU, m.Cores, strings.Join(m.Features, " "), m.OS, m.Arch, m.Go, r.Threads, orNone(m.Load))
	b.WriteString(r.table())
	b.WriteString("\n")
	for _, line := range r.Roofs {
		fmt.Fprintf(&b, "roof: %s\n", line)
	}
	for _, name := range peerNames {
		if version, ok := r.Peers[name]; ok {
			fmt.Fprintf(&b, "%s: %s\n", name, version)
		}
	}
	b.WriteString("Ratio is a library's median over ours; above 1, ours is faster. Spread is that of the middle half of the repetitions.\n" +
		"Error is the worst of a row's largest magnitude, against ours, some rows of which were held against float64.\n")
	for _, line := range remarks(r.Records) {
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r report) table() string {
	t := table.NewWriter()
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.AppendHeader(table.Row{"workload", "library", "median ms", "min", "spread", "reps", "ratio", "of roof", "error", "how"})
	var right []table.ColumnConfig
	for column := 3; column <= 9; column++ {
		right = append(right, table.ColumnConfig{Number: column, Align: text.AlignRight})
	}
	t.SetColumnConfigs(right)
	for n, one := range r.Records {
		if n > 0 && r.Records[n-1].Workload != one.Workload {
			t.AppendSeparator()
		}
		t.AppendRow(row(one))
	}
	return t.Render()
}

// howWidth is where the last column is cut, so that the table fits a screen.
const howWidth = 56

func row(r record) table.Row {
	if r.Median == nil {
		return table.Row{r.Workload, r.Peer, none, none, none, none, none, none, none, cut("no number, see below", howWidth)}
	}
	return table.Row{r.Workload, r.Peer, show(r.Median, ""), show(r.Min, ""), percent(r.Spread), r.Reps,
		show(r.Ratio, "×"), percent(r.Share), scientific(r.Error), cut(r.How, howWidth)}
}

// remarks returns a line for each reason and note, naming all workloads that it holds for.
func remarks(records []record) []string {
	type key struct{ peer, text string }
	var order []key
	workloads := map[key][]string{}
	for _, r := range records {
		for _, text := range append([]string{r.Reason, r.Note}, refused(r)...) {
			if text == "" {
				continue
			}
			k := key{r.Peer, text}
			if workloads[k] == nil {
				order = append(order, k)
			}
			workloads[k] = append(workloads[k], r.Workload)
		}
	}
	var lines []string
	for _, k := range order {
		lines = append(lines, fmt.Sprintf("%s on %s: %s", k.peer, strings.Join(workloads[k], ", "), k.text))
	}
	return lines
}

// refused returns why ways of a library were left out, where another way gave a number.
func refused(r record) []string {
	var list []string
	for _, a := range r.Tried {
		if a.Reason != "" && r.Median != nil {
			list = append(list, "without "+a.How+": "+a.Reason)
		}
	}
	return list
}

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}

func cut(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

// show writes a number with three digits that count.
func show(v *float64, unit string) string {
	if v == nil {
		return none
	}
	digits := 0
	for _, limit := range []float64{100, 10, 1} {
		if *v < limit {
			digits++
		}
	}
	return fmt.Sprintf("%.*f%s", digits, *v, unit)
}

func percent(v *float64) string {
	if v == nil {
		return none
	}
	return fmt.Sprintf("%.1f %%", *v*100)
}

func scientific(v *float64) string {
	if v == nil {
		return none
	}
	return fmt.Sprintf("%.1e", *v)
}
