package main

import "strconv"

// storage is how keys and values lie in memory: numbers of size bytes, or q8_0
// blocks, which are a binary16 scale and 32 int8 numbers.
type storage struct {
	name string
	size int
}

var storages = []storage{{"F32", 4}, {"F16", 2}, {"BF16", 2}, {"Q8", 1}}

const (
	block      = 32 // numbers of a q8_0 block
	blockBytes = 2 + block
)

func (s storage) blocks() bool { return s.size == 1 }

// parts is how many times eight numbers are read together: those of a block.
func (s storage) parts() int {
	if s.blocks() {
		return block / 8
	}
	return 1
}

// group is how many numbers those are, as text.
func (s storage) group() string { return strconv.Itoa(8 * s.parts()) }

// part returns where part n of the group at a row's pointer lies. The pointer moves
// along, but within blocks, behind which skip puts it.
func (s storage) part(row reg, n int) place {
	if s.blocks() {
		return at(row, 2+8*n)
	}
	return next(row)
}

func (f *function) skip(from storage, rows []reg) {
	if !from.blocks() {
		return
	}
	for _, r := range rows {
		f.add(blockBytes, r)
	}
}

// scales loads the scales of the blocks at rows into all lanes of a vector each. Other
// storage has none, and no vector is taken.
func (f *function) scales(from storage, rows []reg) []vec {
	if !from.blocks() {
		return make([]vec, len(rows))
	}
	list := f.vectors(len(rows))
	for n, v := range list {
		f.line("VLD1R (%v), [V%d.H8]", rows[n], int(v))
		f.fcvtl(v, v)
	}
	return list
}

// widened loads eight numbers as float32. Those of a block need its scale.
func (f *function) widened(from storage, to []vec, m place, scale vec) {
	switch from.name {
	case "F32":
		f.loadAll(to, m)
	case "F16":
		f.load(to[0], m)
		f.fcvtl2(to[1], to[0])
		f.fcvtl(to[0], to[0])
	case "BF16":
		f.load(to[0], m)
		f.shll2(to[1], to[0])
		f.shll(to[0], to[0])
	case "Q8":
		f.loadEight(to[0], m)
		f.sxtlBytes(to[0], to[0])
		f.sxtl2(to[1], to[0])
		f.sxtl(to[0], to[0])
		for _, v := range to {
			f.scvtf(v, v)
			f.fmul(v, v, scale)
		}
	}
}

// streams is how many keys are read side by side, far apart: the memory is faster with
// four sequences of addresses than with one, and than with short ones in turn.
const streams = 4

// dots generates dot products of rows rows of queries with keys in place. The even and
// the odd vectors of a row are summed apart where there are registers for both, since
// fewer than eight sums do not hide the latency of multiply-adds.
func (p *program) dots(from storage, rows int) {
	f := p.function("dots"+from.name+"x"+strconv.Itoa(rows),
		"is dotsGo for "+plural(rows)+", groups of "+from.group()+" dims and tail more, of which no more than that count,\n"+
			"// though a whole group is read; and 4·count keys in four streams, apart bytes from each other, ldk bytes from key\n"+
			"// to key. The scores of a stream are those of count keys in order; rows of scores lie lds bytes apart, those of\n// queries ldq.",
		"scores *float32, lds int, queries *float32, ldq int, keys *byte, ldk, apart, groups, tail, count int", "")
	scores, keys, left := f.argument("scores"), f.argument("keys"), f.argument("count")
	queries, ldq, ldk, apart := f.argument("queries"), f.argument("ldq"), f.argument("ldk"), f.argument("apart")
	lds, groups, scoresApart := f.argument("lds"), f.argument("groups"), f.copy(left)
	f.shift(2, scoresApart)
	sums := make([][][]vec, rows) // [row][key][half]
	for r := range sums {
		sums[r] = f.grid(streams, map[bool]int{true: 2, false: 1}[rows < 4])
	}
	var tail reg
	var mask []vec
	if !from.blocks() {
		tail = f.argument("tail")
		mask = f.first(tail)
	}
	f.loop("keys", left, func() {
		for r := range sums {
			for _, list := range sums[r] {
				f.clear(list...)
			}
		}
		k, q := f.rows(keys, apart, streams), f.rows(queries, ldq, rows)
		f.loop("dims", f.copy(groups), func() { f.multiply(from, sums, k, q, nil) })
		if !from.blocks() {
			f.unlessZero("tail", tail, func() { f.multiply(from, sums, k, q, mask) })
		}
		to := f.copy(scores)
		for r := range sums {
			f.scope(func() { f.storeSums(sums[r], to, scoresApart) })
			if r < rows-1 {
				f.addReg(lds, to)
			}
		}
		f.add(4, scores)
		f.addReg(ldk, keys)
	})
	f.end()
}

func plural(rows int) string {
	if rows == 1 {
		return "1 row"
	}
	return strconv.Itoa(rows) + " rows"
}

// first returns two vectors of which the first n lanes, of eight, are all ones.
func (f *function) first(n reg) []vec {
	mask := f.vectors(2)
	f.scope(func() {
		end := f.register()
		f.line("MOVD $%s<>(SB), %v", ones.name, end)
		f.line("SUB %v<<2, %v", n, end)
		f.loadAll(mask, at(end, 4*8))
	})
	return mask
}

// ones is eight numbers that are all ones, and eight that are 0.
var ones = func() table {
	t := table{name: "ones"}
	for n := range 16 {
		r := row{"eight zeros", 0}
		if n < 8 {
			r = row{"eight ones", 1<<32 - 1}
		}
		t.rows = append(t.rows, r)
	}
	return t
}()

// multiply adds the products of a group of dims to the sums, of which mask, if there is
// one, leaves some.
func (f *function) multiply(from storage, sums [][][]vec, k, q []reg, mask []vec) {
	key, query := f.grid(streams, 2), f.grid(2, 2)
	scales := f.scales(from, k)
	for part := range from.parts() {
		for c := range key {
			f.widened(from, key[c], from.part(k[c], part), scales[c])
			for half := range mask { // what lies behind may be NaN, whose product with 0 is too
				f.and(key[c][half], key[c][half], mask[half])
			}
		}
		for r := range sums {
			f.loadAll(query[r%2], next(q[r]))
			for half := range 2 {
				for c := range key {
					to := sums[r][c]
					f.fmla(to[half%len(to)], query[r%2][half], key[c][half])
				}
			}
		}
	}
	f.skip(from, k)
}

// storeSums stores the sums of the lanes of each key, apart bytes from each other.
func (f *function) storeSums(sums [][]vec, to, apart reg) {
	for _, halves := range sums {
		if len(halves) == 2 {
			f.fadd(halves[0], halves[0], halves[1])
		}
	}
	all := sums[0][0]
	f.faddp(all, all, sums[1][0])
	f.faddp(sums[2][0], sums[2][0], sums[3][0])
	f.faddp(all, all, sums[2][0])
	p := f.copy(to)
	for lane := range sums {
		f.storeLane(all, lane, p)
		if lane < streams-1 {
			f.addReg(apart, p)
		}
	}
}

// mix generates sums of values in place, weighted by rows rows of weights. The sums
// stay in memory, so that whole rows of values are read in order.
func (p *program) mix(from storage, rows int) {
	f := p.function("mix"+from.name+"x"+strconv.Itoa(rows),
		"adds what mixGo does for "+plural(rows)+" and groups of "+from.group()+" columns: 4·count values in four streams, apart\n"+
			"// bytes from each other, ldv bytes from value to value, then rest values. Rows of out and of weights lie\n// ldo and ldw bytes apart.",
		"out *float32, ldo int, weights *float32, ldw int, values *byte, ldv, apart, groups, count, rest int", "")
	m := mixArguments{
		out: f.argument("out"), ldo: f.argument("ldo"), weights: f.argument("weights"), ldw: f.argument("ldw"),
		values: f.argument("values"), apart: f.argument("apart"), groups: f.argument("groups"),
	}
	ldv, left, rest := f.argument("ldv"), f.argument("count"), f.argument("rest")
	m.weightsApart = f.copy(left)
	f.shift(2, m.weightsApart)
	step := func() {
		f.add(4, m.weights)
		f.addReg(ldv, m.values)
	}
	f.loop("keys", left, func() {
		f.mixKeys(from, rows, streams, m)
		step()
	})
	for range streams - 1 { // the rest lies behind the last stream
		f.addReg(m.weightsApart, m.weights)
		f.addReg(m.apart, m.values)
	}
	f.loop("rest", rest, func() {
		f.mixKeys(from, rows, 1, m)
		step()
	})
	f.end()
}

type mixArguments struct{ out, ldo, weights, ldw, weightsApart, values, apart, groups reg }

// mixKeys generates the sums of a value of each stream. The weights of a row are lanes
// to multiply by.
func (f *function) mixKeys(from storage, rows, keys int, m mixArguments) {
	weight := f.vectors(rows)
	f.scope(func() {
		for r, row := range f.rows(m.weights, m.ldw, rows) {
			f.loadNumber(weight[r], at(row, 0))
			for lane := 1; lane < keys; lane++ {
				f.addReg(m.weightsApart, row)
				f.loadLane(weight[r], lane, row)
			}
		}
	})
	v, o, groups := f.rows(m.values, m.apart, keys), f.rows(m.out, m.ldo, rows), f.copy(m.groups)
	f.loop("columns", groups, func() {
		sums, value := f.grid(rows, 2), f.grid(2, 2)
		scales := f.scales(from, v)
		for part := range from.parts() {
			for r := range sums {
				f.loadAll(sums[r], at(o[r], 0))
			}
			for c := range keys {
				two := value[c%2]
				f.widened(from, two, from.part(v[c], part), scales[c])
				for r := range sums {
					f.fmlaElem(sums[r][0], two[0], weight[r], c)
					f.fmlaElem(sums[r][1], two[1], weight[r], c)
				}
			}
			for r := range sums {
				f.storeAll(sums[r], next(o[r]))
			}
		}
		f.skip(from, v)
	})
}
