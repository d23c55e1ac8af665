package bench

import (
	"fmt"
	"math"
	"strings"
)

// Cliff says that a point of a sweep reaches less than half of the share of its
// roof that its neighbours in the grid reach. Along the widths every neighbour
// counts, so that the first and the last width can be cliffs: a point is one if
//
//	share < ½ · min(shares of its neighbours of the same length)
//
// Along the lengths a point needs both neighbours to be one, since the shortest
// problems reach little of any roof and the share grows with the length:
//
//	share < ½ · min(share of the next shorter, share of the next longer)
//
// A neighbour without a verified time does not count.
type Cliff struct {
	Along     string  `json:"along"`     // dim or length
	Neighbour float64 `json:"neighbour"` // the least share of the neighbours
}

// The directions of cliffs.
const (
	AlongDim    = "dim"
	AlongLength = "length"
)

// cliffDrop is how far below its neighbours a cliff is.
const cliffDrop = 0.5

// cliff compares the share of a point with those of its neighbours on one line of
// the grid, NaN for one that is not there.
func cliff(share, before, after float64, needBoth bool) (least float64, is bool) {
	least = math.Min(before, after) // NaN if either is
	if math.IsNaN(least) && !needBoth {
		least = before
		if math.IsNaN(before) {
			least = after
		}
	}
	return least, share < cliffDrop*least // false for NaN
}

// findCliffs sets the cliffs of all points.
func (r *SweepResult) findCliffs() {
	share := func(dim, length int) float64 {
		if p := r.At(dim, length); p != nil && p.RoofShare != nil {
			return *p.RoofShare
		}
		return math.NaN()
	}
	for n := range r.Points {
		d, l := n/len(r.Lengths), n%len(r.Lengths)
		found := []Cliff{}
		if least, is := cliff(share(d, l), share(d-1, l), share(d+1, l), false); is {
			found = append(found, Cliff{AlongDim, least})
		}
		if least, is := cliff(share(d, l), share(d, l-1), share(d, l+1), true); is {
			found = append(found, Cliff{AlongLength, least})
		}
		r.Points[n].Cliffs = found
	}
}

// cliffGroup are the cliffs in one direction of one width, or of one length.
type cliffGroup struct {
	fixed, along, axis string
	at                 []string // where on the axis
	worst              string   // what the worst of them is
	drop               float64  // its share as part of its neighbours'
}

// CliffLines describes the cliffs, a line for those of each width along the widths
// and of each length along the lengths, with the worst of them.
func (r *SweepResult) CliffLines() []string {
	var groups []*cliffGroup
	known := map[string]*cliffGroup{}
	for _, p := range r.Points {
		for _, c := range p.Cliffs {
			g := &cliffGroup{fixed: fmt.Sprintf("D=%d", p.Dim), along: "D", axis: "L", drop: math.Inf(1)}
			at := p.Length
			if c.Along == AlongLength {
				g = &cliffGroup{fixed: fmt.Sprintf("L=%d", p.Length), along: "L", axis: "D", drop: math.Inf(1)}
				at = p.Dim
			}
			if known[g.fixed] == nil {
				known[g.fixed], groups = g, append(groups, g)
			}
			known[g.fixed].add(at, *p.RoofShare, c.Neighbour)
		}
	}
	var lines []string
	for _, g := range groups {
		lines = append(lines, fmt.Sprintf("%s %s, against its neighbours along %s, at %s=%s; %s", r.Mode, g.fixed, g.along, g.axis, strings.Join(g.at, ","), g.worst))
	}
	return lines
}

func (g *cliffGroup) add(at int, share, neighbour float64) {
	g.at = append(g.at, fmt.Sprint(at))
	if drop := share / neighbour; drop < g.drop {
		g.drop = drop
		g.worst = fmt.Sprintf("worst at %s=%d: %s %% where they have %s or more", g.axis, at, ShareText(share), ShareText(neighbour))
	}
}
