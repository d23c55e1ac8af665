package verify

import (
	"math"
	"runtime"
	"strings"
	"sync"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
)

// Check recomputes every row of a finished call in float64 and compares O and, if
// present, LSE. It uses all processors. The error is a [MismatchError] if the
// report does not pass.
func Check(call *attention.Call) (Report, error) { return checker{}.check(call, allRows(call)) }

// CheckUnit is Check for inputs of unit scale (Q, K and V about N(0,1)), on which
// an error beyond 2e-5 is wrong whatever the bound says.
func CheckUnit(call *attention.Call) (Report, error) {
	return checker{unit: true}.check(call, allRows(call))
}

// CheckRows is Check for some rows [batch, query head, query] only, for shadow
// checks of calls too large to recompute. The rows must lie inside the call.
func CheckRows(call *attention.Call, rows [][3]int) (Report, error) {
	return checker{}.check(call, listedRows(rows))
}

// rowList is a sequence of rows [batch, query head, query].
type rowList struct {
	count int
	at    func(n int) [3]int
}

func allRows(call *attention.Call) rowList {
	heads, queries := call.Problem.Heads, call.Problem.QueryLen
	return rowList{call.Problem.Batch * heads * queries, func(n int) [3]int {
		return [3]int{n / queries / heads, n / queries % heads, n % queries}
	}}
}

func listedRows(rows [][3]int) rowList {
	return rowList{len(rows), func(n int) [3]int { return rows[n] }}
}

type checker struct{ unit bool }

// chunkRows is how many neighbouring rows a goroutine takes at a time. Chunks are
// merged in order, so that the report does not depend on the goroutines.
const chunkRows = 16

func (c checker) check(call *attention.Call, rows rowList) (Report, error) {
	chunks := make([]tally, (rows.count+chunkRows-1)/chunkRows)
	numbers := make(chan int)
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(chunks)) {
		group.Go(func() {
			state := newRowChecker(c, call)
			for n := range numbers {
				for k := n * chunkRows; k < min(rows.count, (n+1)*chunkRows); k++ {
					at := rows.at(k)
					state.row(&chunks[n], at[0], at[1], at[2])
				}
			}
		})
	}
	for n := range chunks {
		numbers <- n
	}
	close(numbers)
	group.Wait()

	var total tally
	for n := range chunks {
		total.merge(&chunks[n])
	}
	report := c.finish(call.Problem, &total)
	return report, report.Err()
}

func (c checker) finish(p attention.Problem, total *tally) Report {
	r := total.report
	if total.finiteAbs > 0 {
		r.MeanAbs = total.sumAbs / float64(total.finiteAbs)
	}
	rules := []string{"f32 bound", "hull"}
	if c.unit {
		rules = append(rules, "2e-5")
	}
	if p.O != attention.Float32 {
		rules = append(rules, p.O.String()+" rounding")
	}
	if t := lowType(p); t != attention.NoType {
		r.Low = total.low.pair(t)
		rules = append(rules, t.String()+" pair")
	}
	if p.LSE {
		rules = append(rules, "lse")
	}
	r.Rule = strings.Join(rules, ", ")
	r.Where = r.Worst.String()
	r.Pass = r.Failed == 0 && r.Low.Pass()
	return r
}

// rowChecker holds the buffers that one goroutine checks rows with.
type rowChecker struct {
	checker
	call  *attention.Call
	exact cpu.Row
	bound rowBound
	naive *naiveRow // nil without 16-bit storage
	out   storage   // of O
	got   []float64
}

func newRowChecker(c checker, call *attention.Call) *rowChecker {
	r := &rowChecker{checker: c, call: call, out: storages[call.Problem.O], got: make([]float64, call.Problem.ValueDim)}
	if t := lowType(call.Problem); t != attention.NoType {
		r.naive = &naiveRow{round: storages[t].round}
	}
	return r
}

func (r *rowChecker) row(t *tally, b, h, i int) {
	cpu.ReferenceRow(r.call, b, h, i, &r.exact)
	r.bound.compute(r.call, b, h, i, &r.exact)
	if r.naive != nil {
		r.naive.compute(r.call, b, h, i, &r.exact)
	}
	readRow(r.got, r.call.Out.O, b, h, i)
	t.report.Rows++
	for d, want := range r.exact.O {
		got := r.got[d]
		bound := r.bound.above[d]
		if got < want {
			bound = r.bound.below[d]
		}
		if r.unit {
			bound = min(bound, unitBackstop)
		}
		if r.naive != nil {
			t.low.add(got, r.naive.o[d], want, bound, r.naive.round)
		}
		t.add(r.out.compare(Element{Tensor: "O", Index: [4]int{b, h, i, d}, Got: got, Want: want, Bound: bound}, r.exact.Empty))
	}
	if r.call.Out.LSE.Present() {
		want, got := r.exact.LSE, r.call.Out.LSE.At(b, h, i, 0)
		bound := LSEBound(want)
		t.add(Element{Tensor: "LSE", Index: [4]int{b, h, i, 0}, Got: got, Want: want, Bound: bound, Quotient: Quotient(got, want, bound)})
	}
}

// compare widens a float32 bound by the rounding to the storage type and sets the
// quotient. An exact value at or past the type's overflow may, and beyond doubt
// must, be stored as infinity. Empty rows are exactly 0.
func (s storage) compare(e Element, empty bool) Element {
	if empty {
		e.Bound = 0
	} else if finite(e.Want) {
		size := math.Abs(e.Want)
		if reaches := size+e.Bound >= s.overflow; reaches && (size-e.Bound >= s.overflow || math.IsInf(e.Got, 0)) {
			e.Want = math.Copysign(math.Inf(1), e.Want)
		} else if s.unit > roundoff { // float32's own rounding is part of its bound
			e.Bound += s.unit*(size+e.Bound) + s.least
		}
	}
	e.Quotient = Quotient(e.Got, e.Want, e.Bound)
	return e
}
