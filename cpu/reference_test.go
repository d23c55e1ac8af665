package cpu

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"github.com/glattn/attention"
)

func TestReferenceAgainstMatrices(t *testing.T) {
	const lq, lk, d, dv = 5, 7, 6, 4
	c := makeCall(t, spec{shape: attention.Shape{Batch: 2, Heads: 4, KVHeads: 2, QueryLen: lq, KeyLen: lk, Dim: d, ValueDim: dv}, lse: true})
	run(t, NewReference(), c)
	for b := range 2 {
		for h := range 4 {
			q, k, v := dense(c.In.Q, b, h), dense(c.In.K, b, h/2), dense(c.In.V, b, h/2)
			var scores, o mat.Dense
			scores.Mul(q, k.T())
			scores.Scale(1/math.Sqrt(d), &scores)
			for i := range lq {
				row := scores.RawRowView(i)
				lse := floats.LogSumExp(row)
				require.InDelta(t, lse, c.Out.LSE.At(b, h, i, 0), 1e-6)
				for j := range row {
					row[j] = math.Exp(row[j] - lse)
				}
			}
			o.Mul(&scores, v)
			for i := range lq {
				for x := range dv {
					require.InDelta(t, o.At(i, x), c.Out.O.At(b, h, i, x), 1e-6)
				}
			}
		}
	}
}

func dense(t attention.Tensor, b, h int) *mat.Dense {
	shape := t.Shape()
	m := mat.NewDense(shape[2], shape[3], nil)
	for i := range shape[2] {
		for x := range shape[3] {
			m.Set(i, x, t.At(b, h, i, x))
		}
	}
	return m
}

func TestSumIsCompensated(t *testing.T) {
	var s sum
	for _, x := range []float64{1, 1e100, 1, -1e100} {
		s.add(x)
	}
	require.Equal(t, 2.0, s.value())

	s = sum{}
	for _, x := range []float64{1, math.Inf(1), 3} {
		s.add(x)
	}
	require.Equal(t, math.Inf(1), s.value(), "the error term must not turn Inf into NaN")
}

// oneRow builds a call of one query, keys of width 1 and the query 1, so that
// the scores are the keys themselves.
func oneRow(t *testing.T, keys, values []float32, in attention.Inputs) *attention.Call {
	t.Helper()
	n := len(keys)
	in.Q = attention.NewFloat32([]float32{1}, 1, 1, 1, 1)
	in.K = attention.NewFloat32(keys, 1, 1, n, 1)
	in.V = attention.NewFloat32(values, 1, 1, n, 1)
	c, err := attention.NewCall(attention.Options{}, in, attention.Outputs{
		O: attention.Zeros(attention.Float32, 1, 1, 1, 1), LSE: attention.Zeros(attention.Float32, 1, 1, 1, 1)})
	require.NoError(t, err)
	return c
}

var (
	inf = float32(math.Inf(1))
	nan = float32(math.NaN())
)

// exactRows are rows whose result the semantics decide exactly. Both backends
// run them.
var exactRows = []struct {
	name         string
	keys, values []float32
	in           attention.Inputs
	o, lse       float64
}{
	{"one key", []float32{3}, []float32{5}, attention.Inputs{}, 5, 3},
	{"nothing allowed by the mask", []float32{1, nan}, []float32{2, nan},
		attention.Inputs{Mask: attention.NewBool([]bool{false, false}, 1, 2)}, 0, math.Inf(-1)},
	{"nothing allowed by the bias", []float32{nan, 1}, []float32{2, nan},
		attention.Inputs{Bias: attention.NewFloat32([]float32{-inf, -inf}, 1, 2)}, 0, math.Inf(-1)},
	{"length 0", []float32{nan, 1}, []float32{2, nan}, attention.Inputs{Lengths: []int{0}}, 0, math.Inf(-1)},
	{"masked NaN stays out", []float32{nan, 2}, []float32{nan, 7},
		attention.Inputs{Mask: attention.NewBool([]bool{false, true}, 1, 2)}, 7, 2},
	{"biased NaN stays out", []float32{nan, 2}, []float32{inf, 7},
		attention.Inputs{Bias: attention.NewFloat32([]float32{-inf, 1}, 1, 2)}, 7, 3},
	{"NaN beyond the length stays out", []float32{2, nan}, []float32{7, nan}, attention.Inputs{Lengths: []int{1}}, 7, 2},
	{"score −Inf is masked", []float32{-inf, 2}, []float32{nan, 7}, attention.Inputs{}, 7, 2},
	{"all scores −Inf", []float32{-inf, -inf}, []float32{nan, 7}, attention.Inputs{}, 0, math.Inf(-1)},
	{"score +Inf", []float32{inf, 2}, []float32{1, 7}, attention.Inputs{}, math.NaN(), math.Inf(1)},
	{"score NaN", []float32{2, nan}, []float32{1, 7}, attention.Inputs{}, math.NaN(), math.NaN()},
	{"scores NaN and +Inf", []float32{nan, inf}, []float32{1, 7}, attention.Inputs{}, math.NaN(), math.NaN()},
	{"bias NaN", []float32{2, 1}, []float32{1, 7},
		attention.Inputs{Bias: attention.NewFloat32([]float32{0, nan}, 1, 2)}, math.NaN(), math.NaN()},
	{"NaN value at a far smaller weight", []float32{0, -50000}, []float32{1, nan}, attention.Inputs{}, math.NaN(), 0},
	{"Inf value", []float32{1, 1}, []float32{1, inf}, attention.Inputs{}, math.Inf(1), 1 + math.Ln2},
	{"finite bias of −40000 is a shift", []float32{1, 1}, []float32{2, 4},
		attention.Inputs{Bias: attention.NewFloat32([]float32{-40000}, 1, 1)}, 3, -39999 + math.Ln2},
}

func TestReferenceExactRows(t *testing.T) { testExactRows(t, NewReference()) }

func testExactRows(t *testing.T, backend attention.Backend) {
	for _, row := range exactRows {
		t.Run(row.name, func(t *testing.T) {
			c := oneRow(t, row.keys, row.values, row.in)
			run(t, backend, c)
			for what, pair := range map[string][2]float64{"O": {row.o, c.Out.O.At(0, 0, 0, 0)}, "LSE": {row.lse, c.Out.LSE.At(0, 0, 0, 0)}} {
				if want := float64(float32(pair[0])); math.IsNaN(want) {
					require.True(t, math.IsNaN(pair[1]), "%s: want NaN, got %v", what, pair[1])
				} else {
					require.Equal(t, want, pair[1], what)
				}
			}
		})
	}
}

func TestReferenceRowMagnitudes(t *testing.T) {
	c := oneRow(t, []float32{-2, 5, nan}, []float32{-4, nan, nan}, attention.Inputs{
		Mask: attention.NewBool([]bool{true, false, false}, 1, 3)})
	row := Row{O: []float64{9, 9, 9}} // a buffer of an earlier, larger row
	ReferenceRow(c, 0, 0, 0, &row)
	require.Equal(t, []float64{2, 0, 0}, row.AbsQK)
	require.Equal(t, []float64{4}, row.AbsPV)
	require.Equal(t, []float64{-4}, row.O)
	require.Equal(t, []float64{1, 0, 0}, row.Weights)
	require.Equal(t, []bool{true, false, false}, row.Allowed)
	require.Equal(t, []float64{-2, math.Inf(-1), math.Inf(-1)}, row.Scores)
	require.False(t, row.Empty)
}

func TestReferenceRefuses(t *testing.T) {
	c := oneRow(t, []float32{1}, []float32{1}, attention.Inputs{})
	r := NewReference()
	ctx, cancel := context.WithCancel(t.Context())
	plan, err := r.Plan(ctx, c.Problem)
	require.NoError(t, err)
	cancel()
	require.ErrorIs(t, plan.Run(ctx, c), context.Canceled)
	_, err = r.Plan(ctx, c.Problem)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, r.Close())
	require.ErrorIs(t, plan.Run(t.Context(), c), attention.ErrClosed)
	_, err = r.Plan(t.Context(), c.Problem)
	require.ErrorIs(t, err, attention.ErrClosed)
}
