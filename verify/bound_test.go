package verify

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
)

// boundCases are cases whose outputs are spoiled below.
var boundCases = []string{
	"length-square-65", "width-576", "decode-16384", "data-peaked-d64", "data-huge-d16", "data-ascending-d16",
	"data-equal-d16", "bias-fill-row-40000", "option-softcap-1-d64", "data-sharp-value-d16", "type-f16-lq29", "type-bf16-lq29", "q8-decode",
}

// solved returns a built case with the outputs of the reference.
func solved(t *testing.T, name string) *Filled {
	t.Helper()
	c, ok := CaseNamed(name)
	require.True(t, ok, name)
	d, err := Build(c)
	require.NoError(t, err)
	compute(t, d.Call)
	_, err = d.Check()
	require.NoError(t, err)
	return d
}

func compute(t *testing.T, call *attention.Call) {
	t.Helper()
	plan, err := cpu.NewReference().Plan(context.Background(), call.Problem)
	require.NoError(t, err)
	require.NoError(t, plan.Run(t.Context(), call))
	require.NoError(t, plan.Close())
}

// TestBoundCatches spoils one element of a right answer by a little more than the
// bound, with either sign, and one by NaN and by infinity.
func TestBoundCatches(t *testing.T) {
	for _, name := range boundCases {
		d := solved(t, name)
		for _, at := range [][4]int{{0, 0, 0, 0}, last(d.Out.O.Shape())} {
			right := d.Out.O.At(at[0], at[1], at[2], at[3])
			e := element(d, at)
			for what, spoiled := range map[string]float64{
				"4 bounds up": e.Want + 4*e.Bound, "4 bounds down": e.Want - 4*e.Bound,
				"NaN": nan, "Inf": inf, "-Inf": negInf, "another sign": -right - math.Copysign(1, right),
			} {
				t.Run(fmt.Sprintf("%s/%v/%s", name, at, what), func(t *testing.T) {
					d.Out.O.Set(at[0], at[1], at[2], at[3], spoiled)
					report, err := d.Check()
					d.Out.O.Set(at[0], at[1], at[2], at[3], right)
					require.ErrorIs(t, err, ErrMismatch)
					require.False(t, report.Pass)
					require.Equal(t, 1, report.Failed)
					require.Equal(t, at, report.Worst.Index)
					require.Greater(t, report.Quotient, 1.0)
				})
			}
		}
	}
}

func last(shape [4]int) [4]int {
	for n := range shape {
		shape[n]--
	}
	return shape
}

// element returns what Check makes of one element of O, with a generous side.
func element(d *Filled, at [4]int) Element {
	r := newRowChecker(checker{unit: d.Case.UnitScale()}, d.Call)
	cpu.ReferenceRow(d.Call, at[0], at[1], at[2], &r.exact)
	r.bound.compute(d.Call, at[0], at[1], at[2], &r.exact)
	e := Element{Want: r.exact.O[at[3]], Bound: max(r.bound.above[at[3]], r.bound.below[at[3]])}
	e.Got = e.Want
	return r.out.compare(e, false)
}

// TestDroppedKeyIsCaught hides one key of many from the computation, but not from
// the check: the change is as small as a real mistake can be.
func TestDroppedKeyIsCaught(t *testing.T) {
	for _, name := range []string{"length-square-65", "pair-5-1021-plain", "decode-16384", "width-576", "data-equal-d64", "data-integers-d64", "bias-fill-holes", "heads-12-3-lq19", "type-f16-lq29", "q8-prefill"} {
		t.Run(name, func(t *testing.T) {
			d := solved(t, name)
			mask := attention.Zeros(attention.Bool, 1, 1, 1, d.Case.Shape.KeyLen)
			for j := range mask.Bools() {
				mask.Bools()[j] = j != d.Case.Shape.KeyLen/3
			}
			in := d.In
			in.Mask = mask
			call, err := attention.NewCall(d.Case.Options, in, d.Out)
			require.NoError(t, err)
			compute(t, call)
			report, err := d.Check()
			require.ErrorIs(t, err, ErrMismatch)
			t.Log(report)
		})
	}
}

// TestSwappedRowsAreCaught exchanges two queries' outputs.
func TestSwappedRowsAreCaught(t *testing.T) {
	for _, name := range boundCases {
		d := solved(t, name)
		if d.Case.Shape.QueryLen < 2 {
			continue
		}
		for x := range d.Case.Shape.ValueDim {
			a, b := d.Out.O.At(0, 0, 0, x), d.Out.O.At(0, 0, 1, x)
			d.Out.O.Set(0, 0, 0, x, b)
			d.Out.O.Set(0, 0, 1, x, a)
		}
		if d.Case.Fill.Data == Equal {
			continue // all queries have the same answer
		}
		_, err := d.Check()
		require.ErrorIs(t, err, ErrMismatch, name)
	}
}

// TestHull asks that no bound, however large the logits, admits an output outside
// the values it is a mean of.
func TestHull(t *testing.T) {
	row := cpu.Row{}
	d := solved(t, "data-huge-d16")
	cpu.ReferenceRow(d.Call, 0, 0, 0, &row)
	var b rowBound
	b.compute(d.Call, 0, 0, 0, &row)
	for x, o := range row.O {
		high, low := negInf, inf
		for j, ok := range row.Allowed {
			if v := d.Call.In.V.At(0, 0, j, x); ok {
				high, low = max(high, v), min(low, v)
			}
		}
		require.LessOrEqual(t, o+b.above[x], high+1e-4)
		require.GreaterOrEqual(t, o-b.below[x], low-1e-4)
	}
}

func TestLSEIsChecked(t *testing.T) {
	d := solved(t, "width-16")
	right := d.Out.LSE.At(0, 1, 3, 0)
	for _, wrong := range []float64{right + 2e-4, right - 2e-4, nan, inf, negInf} {
		d.Out.LSE.Set(0, 1, 3, 0, wrong)
		report, err := d.Check()
		require.ErrorIs(t, err, ErrMismatch)
		require.Equal(t, "LSE", report.Worst.Tensor)
	}
	empty := solved(t, "empty-causal")
	require.Equal(t, negInf, empty.Out.LSE.At(0, 0, 0, 0))
	empty.Out.LSE.Set(0, 0, 0, 0, -1e30)
	_, err := empty.Check()
	require.ErrorIs(t, err, ErrMismatch, "a large negative number is not −Inf")
	empty = solved(t, "empty-causal")
	empty.Out.O.Set(0, 0, 0, 0, 0x1p-149)
	_, err = empty.Check()
	require.ErrorIs(t, err, ErrMismatch, "an empty row is exactly 0")
}

func TestCheckRows(t *testing.T) {
	d := solved(t, "width-16")
	d.Out.O.Set(0, 1, 7, 2, 5)
	report, err := CheckRows(d.Call, [][3]int{{0, 0, 7}, {0, 1, 6}})
	require.NoError(t, err)
	require.Equal(t, 2, report.Rows)
	require.Equal(t, 2*(16+1), report.Elements)
	report, err = CheckRows(d.Call, [][3]int{{0, 1, 6}, {0, 1, 7}})
	var mismatch *MismatchError
	require.ErrorAs(t, err, &mismatch)
	require.Equal(t, [4]int{0, 1, 7, 2}, mismatch.Report.Worst.Index)
	require.Contains(t, report.Where, "O[0 1 7 2] = 5")
}

// TestBoundIsUseful keeps the float32 bound of unit-scale data from growing loose:
// well below the 2e-5 that it is to stand beside, or near it for the widest.
func TestBoundIsUseful(t *testing.T) {
	for name, limit := range map[string]float64{"width-16": 2e-5, "width-64": 6e-5, "width-128": 2e-4, "width-576": 3e-3} {
		c, ok := CaseNamed(name)
		require.True(t, ok)
		d, err := Build(c)
		require.NoError(t, err)
		var row cpu.Row
		var b rowBound
		worst := 0.0
		for i := range c.Shape.QueryLen {
			cpu.ReferenceRow(d.Call, 0, 0, i, &row)
			b.compute(d.Call, 0, 0, i, &row)
			for x := range row.O {
				worst = max(worst, b.above[x], b.below[x])
			}
		}
		t.Logf("%s: %.3g", name, worst)
		require.LessOrEqual(t, worst, limit, name)
	}
}
