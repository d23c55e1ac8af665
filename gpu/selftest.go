package gpu

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/glattn/attention"
)

// SelfTestError reports a kernel that gave wrong numbers in its self-test and is
// in quarantine. It is an attention.ErrSelfTest, and an attention.ErrUnsupported
// too: the device can go on with other kernels.
type SelfTestError struct {
	Variant Variant
	Device  string
	Detail  string // the worst element, with what was expected
	Earlier bool   // found by an earlier process on this driver, and remembered
}

// Error names variant, device and the worst element.
func (e *SelfTestError) Error() string {
	when := ""
	if e.Earlier {
		when = " earlier"
	}
	return fmt.Sprintf("gpu: %v is in quarantine: self-test failed%s on %s: %s", e.Variant, when, e.Device, e.Detail)
}

// Is makes errors.Is true for attention.ErrSelfTest and attention.ErrUnsupported.
func (e *SelfTestError) Is(target error) bool {
	return target == attention.ErrSelfTest || target == attention.ErrUnsupported
}

// trial tests a variant before its first call on this device, unless an earlier
// process did. The merge is tested with each variant that needs it.
func (b *Backend) trial(v Variant) error {
	if b.opt.SkipSelfTest || v.Kernel == kernelMerge {
		return nil
	}
	key, err := b.programs.trialKey(v)
	if err != nil {
		return err
	}
	before := b.Counters()
	detail, earlier := b.programs.disk.verdict(key)
	if !earlier {
		detail, err = b.examine(v)
		b.count.restore(before) // of what calls did
		if err != nil {
			return fmt.Errorf("gpu: self-test of %v: %w", v, err)
		}
		b.programs.disk.judge(key, detail)
	}
	if detail != "" {
		return &SelfTestError{Variant: v, Device: b.info.Renderer, Detail: detail, Earlier: earlier}
	}
	return nil
}

// trialKey names the verdict on v: by device, driver and all shaders that take part.
func (p *programs) trialKey(v Variant) (string, error) {
	key := p.made[v].key
	if !v.Partial {
		return key, nil
	}
	merge, err := p.source(mergeOf(v))
	return p.key(key + merge.text), err
}

// key names what belongs to a shader on this device and driver.
func (p *programs) key(text string) string {
	info := p.c.Info()
	sum := sha256.Sum256([]byte(info.Vendor + "\x00" + info.Renderer + "\x00" + info.Version + "\x00" + text))
	return hex.EncodeToString(sum[:])
}

// examine computes a small problem with v and returns the worst element if it is
// wrong, "" if all are right. Errors are those of the device.
func (b *Backend) examine(v Variant) (detail string, err error) {
	call, err := trialCall(v)
	if err != nil {
		return "", err
	}
	p := call.Problem
	queries, keys := span{0, p.QueryLen}, span{0, p.KeyLen}
	all, host := region{0, p.Batch, 0, p.KVHeads}, new(scratch)
	j := &job{plan: &plan{backend: b, variant: v}, variant: v, call: call, problem: p, heads: all, rows: queries}
	j.variant.Guarded = false // decided by the values, as in any call
	defer j.release()
	in := packKeys(call, all, queries, keys, true, true, v.Kernel == KernelRows, host)
	if err := j.begin(packQueries(call, all, queries, host)); err != nil {
		return "", err
	}
	on, err := j.load(in, keys)
	if err == nil {
		err = j.attend(context.Background(), in, on, keys)
	}
	if err != nil {
		return "", err
	}
	back, err := j.end(context.Background())
	if err != nil {
		return "", err
	}
	defer b.putBack(back)
	if err := b.flights.land(); err != nil {
		return "", err
	}
	back.flight = 0
	if err := wait(b.c, back.fence); err != nil {
		return "", err
	}
	outputs, stats, err := b.collect(back, host)
	if err != nil {
		return "", err
	}
	rows := all.queryHeads(p.Group())
	unpackRows(call.Out.O, rows, outputs)
	unpackLSE(call.Out.LSE, rows, stats, v.natural())
	return judge(call), nil
}

// trialCall makes a problem that v computes: more rows and keys than one work
// group takes, widths that end amid a vector, query heads that share KV heads, a
// causal rule, a window, a short batch entry with NaN behind its end, and what the
// variant has of mask, bias and softcap.
func trialCall(v Variant) (*attention.Call, error) {
	rows, keys := v.Tile.rowsPerGroup(v.Kernel)/2+3, max(v.Tile.Keys*v.Tile.ThreadsX, 32)+5
	if v.Partial {
		keys = v.Tile.Split + 5
	}
	if keys > 512 { // so many keys make up for few rows
		rows = min(rows, 5)
	}
	d, dv := 4*v.Dim4-1, 4*v.Value4-1
	if v.K == attention.Q8_0 { // which is kept so in whole vec4s only
		d++
	}
	if v.V == attention.Q8_0 {
		dv++
	}
	random := lattice(1)
	in := attention.Inputs{
		Q: random.fill(attention.Float32, 2, 4, rows, d), K: random.fill(v.K, 2, 2, keys, d), V: random.fill(v.V, 2, 2, keys, dv),
		Lengths: []int{keys, keys - 3},
		Offsets: []int{keys - rows, keys - 3}, // of the second entry the length hides keys, not the causal rule
	}
	nan := slices.Repeat([]float32{float32(math.NaN())}, max(d, dv))
	for h := range 2 {
		for j := keys - 3; j < keys; j++ {
			in.K.SetRow(1, h, j, nan)
			if v.Kernel != KernelRows || v.Guarded { // the plain one is told by the host that V is finite
				in.V.SetRow(1, h, j, nan)
			}
		}
	}
	if v.Bias {
		in.Bias = random.fill(attention.Float32, 1, 4, rows, keys)
	}
	if v.BoolMask {
		in.Mask = attention.Zeros(attention.Bool, 2, 1, rows, keys)
		for n, m := 0, in.Mask.Bools(); n < len(m); n++ {
			m[n] = random.next()&3 != 0 && n >= keys // of the first row nothing is allowed
		}
	}
	opts := attention.Options{
		Scale: float32(1 / math.Sqrt(float64(d))), Causal: attention.PerBatch,
		Window: attention.Window{Align: attention.PerBatch, Left: keys - 4, Right: -1},
	}
	if v.Softcap {
		opts.Softcap = 2
	}
	out := attention.Outputs{O: attention.Zeros(attention.Float32, 2, 4, rows, dv), LSE: attention.Zeros(attention.Float32, 2, 4, rows, 1)}
	return attention.NewCall(opts, in, out)
}

// lattice is a generator of multiples of 1/16 in [-2, 2), which every type holds but
// q8_0, where the host's rounding is taken for the truth.
type lattice uint64

func (l *lattice) next() uint64 {
	*l += 0x9E3779B97F4A7C15 // splitmix64
	z := uint64(*l)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func (l *lattice) fill(t attention.DType, shape ...int) attention.Tensor {
	x, row := attention.Zeros(t, shape...), make([]float32, shape[3])
	for b := range shape[0] {
		for h := range shape[1] {
			for i := range shape[2] {
				for d := range row {
					row[d] = float32(l.next()&63)/16 - 2
				}
				x.SetRow(b, h, i, row)
			}
		}
	}
	return x
}

// trialBound is what elements of the self-test may be off by. The values of V lie
// within 2 and sums are short, so right kernels stay below a tenth of it, and
// every slip of a key or a row is far above.
const trialBound = 1e-4

// judge compares the outputs with the formula in float64, of a sample of rows where
// all would take long, and describes the worst element beyond the bound.
func judge(c *attention.Call) string {
	p := c.Problem
	q, k, v := floats(c.In.Q), floats(c.In.K), floats(c.In.V)
	step := 1
	if p.QueryLen*p.KeyLen*(p.Dim+p.ValueDim) > 1<<20 {
		step = 3
	}
	worst, detail := trialBound, ""
	check := func(name string, at [4]int, got, want float64) {
		off := math.Abs(got - want)
		switch {
		case got == want || off <= worst:
		case math.IsNaN(off): // nothing is worse
			worst = math.Inf(1)
			detail = fmt.Sprintf("%s%v is %v, want %v", name, at, got, want)
		default:
			worst = off
			detail = fmt.Sprintf("%s%v is %v, want %v ± %v", name, at, got, want, trialBound)
		}
	}
	for b := range p.Batch {
		for h := range p.Heads {
			for i := (b + h) % step; i < p.QueryLen; i += step {
				kv, at := b*p.KVHeads+h/p.Group(), (b*p.Heads+h)*p.QueryLen+i
				o, lse := expected(c, b, h, i, q[at*p.Dim:][:p.Dim], k[kv*p.KeyLen*p.Dim:], v[kv*p.KeyLen*p.ValueDim:])
				for d, want := range o {
					check("O", [4]int{b, h, i, d}, c.Out.O.At(b, h, i, d), want)
				}
				check("LSE", [4]int{b, h, i, 0}, c.Out.LSE.At(b, h, i, 0), lse)
			}
		}
	}
	return detail
}

// expected computes one row:
//
//	o = Σ_j exp(s_j - lse) v_j, lse = ln Σ_j exp(s_j), over the allowed keys
//
// and 0 and -Inf if there are none. The rows of keys and values are in sequence.
func expected(c *attention.Call, b, h, i int, query, keys, values []float64) (o []float64, lse float64) {
	p, mask := c.Problem, c.Mask(b, h)
	scores := make([]float64, p.KeyLen)
	top := math.Inf(-1)
	for j := range scores {
		scores[j] = math.Inf(-1)
		if !mask.Keep(i, j) {
			continue
		}
		qk := 0.0
		for d, x := range keys[j*p.Dim:][:p.Dim] {
			qk += query[d] * x
		}
		scores[j] = c.Score(b, h, i, j, qk)
		top = max(top, scores[j])
	}
	o = make([]float64, p.ValueDim)
	if math.IsInf(top, -1) {
		return o, top
	}
	sum := 0.0
	for j, s := range scores {
		if math.IsInf(s, -1) {
			continue
		}
		w := math.Exp(s - top)
		sum += w
		for d, x := range values[j*p.ValueDim:][:p.ValueDim] {
			o[d] += w * x
		}
	}
	for d := range o {
		o[d] /= sum
	}
	return o, top + math.Log(sum)
}

// floats returns the elements of a contiguous tensor in order.
func floats(t attention.Tensor) []float64 {
	shape := t.Shape()
	list := make([]float64, 0, shape[0]*shape[1]*shape[2]*shape[3])
	for b := range shape[0] {
		for h := range shape[1] {
			for i := range shape[2] {
				for d := range shape[3] {
					list = append(list, t.At(b, h, i, d))
				}
			}
		}
	}
	return list
}

// isRefusal reports whether err says that a variant cannot be used on the device,
// now or later.
func isRefusal(err error) bool {
	var compile *CompileError
	var test *SelfTestError
	return errors.As(err, &compile) || errors.As(err, &test)
}
