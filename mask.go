package attention

// Mask is the masking rule of one batch entry and query head: which keys each
// query may look at. It is the single truth of masking; the shaders' twin is
// gpu/shaders/mask.glsl, and a probe compares the two cell by cell.
//
// A bias of −Inf masks too, but belongs to the scores: see [Call.Score].
type Mask struct {
	causal      bool
	left, right int // window bounds, already unlimited where the option is −1 or off
	offset      int // position of query 0 among the keys
	keyLen      int
	bools       *Tensor // absent, or [B, Hq, Lq, Lk] by strides
	batch, head int
}

// Mask returns the rule for batch entry b and query head h.
func (c *Call) Mask(b, h int) Mask {
	p := &c.Problem
	m := Mask{causal: p.Causal != Off, left: 2 * limit, right: 2 * limit, keyLen: p.KeyLen, bools: &c.In.Mask, batch: b, head: h}
	if p.Lengths {
		m.keyLen = c.In.Lengths[b]
	}
	if p.Window.Align != Off {
		if p.Window.Left >= 0 {
			m.left = p.Window.Left
		}
		if p.Window.Right >= 0 {
			m.right = p.Window.Right
		}
	}
	switch p.align() {
	case BottomRight:
		m.offset = m.keyLen - p.QueryLen
	case PerBatch:
		m.offset = c.In.Offsets[b]
	}
	return m
}

// Keep reports whether query i of batch entry b and query head h may look at key j.
func (c *Call) Keep(b, h, i, j int) bool { return c.Mask(b, h).Keep(i, j) }

// KeyRange returns the keys [j0, j1) that queries [i0, i1) of batch entry b and
// query head h can need.
func (c *Call) KeyRange(b, h, i0, i1 int) (j0, j1 int) { return c.Mask(b, h).KeyRange(i0, i1) }

// Offset returns the position of query 0 among the keys.
func (m Mask) Offset() int { return m.offset }

// KeyLen returns the number of keys of the batch entry.
func (m Mask) KeyLen() int { return m.keyLen }

// Keep reports whether query i may look at key j.
func (m Mask) Keep(i, j int) bool {
	j0, j1 := m.KeyRange(i, i+1)
	if j < j0 || j >= j1 {
		return false
	}
	return m.keepBool(i, j)
}

func (m Mask) keepBool(i, j int) bool {
	return !m.bools.Present() || m.bools.bools[m.bools.Index(m.batch, m.head, i, j)]
}

// KeyRange returns the smallest range [j0, j1) that holds every key the causal
// rule, the window and the key length allow to any of the queries [i0, i1).
// For a single query nothing but a boolean mask hides a key inside it. It is
// (0, 0) when there is no such key.
func (m Mask) KeyRange(i0, i1 int) (j0, j1 int) {
	if i1 <= i0 {
		return 0, 0
	}
	first, last := m.offset+i0, m.offset+i1-1 // positions grow with i, so the ends decide
	j0 = max(0, first-m.left)
	j1 = min(m.keyLen, last+m.right+1)
	if m.causal {
		j1 = min(j1, last+1)
	}
	if j1 <= j0 {
		return 0, 0
	}
	return j0, j1
}

// Coverage says how much of a block of (query, key) pairs a mask allows.
type Coverage uint8

// The coverages.
const (
	CoverNone Coverage = iota // no pair is allowed
	CoverSome                 // pairs must be asked one by one
	CoverAll                  // every pair is allowed
)

// Cover classifies the block of queries [i0, i1) and keys [j0, j1), so that
// loops skip or run whole tiles without asking for each pair. With a boolean
// mask it answers CoverSome where the geometry allows anything.
func (m Mask) Cover(i0, i1, j0, j1 int) Coverage {
	low, high := m.KeyRange(i0, i1)
	if j0 >= high || j1 <= low || i1 <= i0 || j1 <= j0 {
		return CoverNone
	}
	if m.bools.Present() {
		return CoverSome
	}
	_, firstHigh := m.KeyRange(i0, i0+1)      // the first query sees the fewest late keys
	lastLow, lastHigh := m.KeyRange(i1-1, i1) // the last query sees the fewest early keys
	if j1 <= firstHigh && j0 >= lastLow && j1 <= lastHigh {
		return CoverAll
	}
	return CoverSome
}
