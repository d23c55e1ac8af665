package gpu

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// walkAll runs a cutter to its end, with a budget that changes, and returns how
// often each (batch, head, row, split) was covered.
func walkAll(t *testing.T, w cutter, allowed func() float64) map[[4]int]int {
	t.Helper()
	seen := map[[4]int]int{}
	for range w.batches*w.heads*w.rows*w.splits + 1 {
		budget := allowed()
		c, more := w.next(budget)
		if !more {
			return seen
		}
		require.Zero(t, c.row%w.step, "%+v starts at a work group", c)
		require.True(t, c.row+c.rows == w.rows || c.rows%w.step == 0, "%+v ends at a work group", c)
		require.True(t, c.rows == w.rows || c.heads == 1 && c.batches == 1, "%+v is a box", c)
		require.True(t, c.heads == w.heads || c.batches == 1, "%+v is a box", c)
		require.True(t, c.splits == w.splits || c.rows <= w.step && c.heads == 1 && c.batches == 1, "%+v is a box", c)
		if c.rows*c.heads*c.batches > w.step || c.splits > 1 {
			require.LessOrEqual(t, w.cost(c), budget*(1+1e-9), "%+v is within the budget", c)
		}
		for b := c.batch; b < c.batch+c.batches; b++ {
			for h := c.head; h < c.head+c.heads; h++ {
				for r := c.row; r < c.row+c.rows; r++ {
					for s := c.split; s < c.split+c.splits; s++ {
						seen[[4]int{b, h, r, s}]++
					}
				}
			}
		}
	}
	t.Fatal("the cutter does not end")
	return nil
}

func TestCutterCoversEveryRowOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		w := cutter{batches: 1 + random.IntN(4), heads: 1 + random.IntN(5), rows: 1 + random.IntN(70), step: 1 + random.IntN(20), splits: 1 + random.IntN(4),
			groupsPerHead: 1 + random.IntN(3), costPerRow: 1 + random.Float64()*100}
		most := w.costPerRow * float64(w.batches*w.heads*w.rows)
		seen := walkAll(t, w, func() float64 { return most * math.Pow(random.Float64(), 4) })
		require.Len(t, seen, w.batches*w.heads*w.rows*w.splits, "%+v", w)
		for at, n := range seen {
			require.Equal(t, 1, n, "%+v: %v", w, at)
		}
	}
}

func TestCutterTakesAllWithinTheBudget(t *testing.T) {
	w := cutter{batches: 3, heads: 2, rows: 100, step: 32, splits: 3, groupsPerHead: 1, costPerRow: 10}
	c, more := w.next(1e9)
	require.True(t, more)
	require.Equal(t, cut{batches: 3, heads: 2, rows: 100, splits: 3}, c)
	_, more = w.next(1e9)
	require.False(t, more)
}

// TestCutterKeepsToGroupCounts: every device takes 65535 work groups along an
// axis, and some no more.
func TestCutterKeepsToGroupCounts(t *testing.T) {
	for _, w := range []cutter{
		{batches: 200_000, heads: 2, rows: 1, step: 1, splits: 1, groupsPerHead: 1, costPerRow: 1},
		{batches: 2, heads: 100_000, rows: 1, step: 8, splits: 1, groupsPerHead: 3, costPerRow: 1},
		{batches: 2, heads: 1, rows: 200_001, step: 2, splits: 1, groupsPerHead: 1, costPerRow: 1},
		{batches: 1, heads: 3, rows: 70_000, step: 1, splits: 1, groupsPerHead: 1, costPerRow: 1},
		{batches: 2, heads: 3, rows: 5, step: 2, splits: 70_000, mostSplits: 20_000, groupsPerHead: 60_000, costPerRow: 1},
	} {
		total := 0
		for {
			c, more := w.next(math.Inf(1))
			if !more {
				break
			}
			require.LessOrEqual(t, (c.rows+w.step-1)/w.step, maxGroups, "%+v", c)
			require.LessOrEqual(t, c.heads*w.groupsPerHead, maxGroups, "%+v", c)
			require.LessOrEqual(t, c.batches, maxGroups, "%+v", c)
			if w.mostSplits > 0 {
				require.LessOrEqual(t, c.splits, w.mostSplits, "%+v", c)
			}
			total += c.rows * c.heads * c.batches * c.splits
		}
		require.Equal(t, w.batches*w.heads*w.rows*w.splits, total)
	}
}
