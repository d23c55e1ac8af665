package bench

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/glattn/attention"
)

// Key is a key of a spec, for help texts.
type Key struct{ Name, Want, Meaning string }

// specKey knows how to read the value of a key.
type specKey struct {
	name, want, meaning string
	excludes            []string // keys that say the same
	set                 func(d *draft, value string) bool
}

// Limits of a spec. Widths are those that every backend computes.
const (
	maxBatch  = 1 << 16
	maxHeads  = 1 << 16
	maxLength = 1 << 29
	maxDim    = 576
)

func problem(d *draft) *attention.Problem { return &d.spec.Problem }

var specKeys = []specKey{
	size("b", maxBatch, "batch entries, 1 unless given", func(d *draft, n int) { problem(d).Batch = n }),
	size("hq", maxHeads, "query heads", func(d *draft, n int) { problem(d).Heads = n }, "h"),
	size("hkv", maxHeads, "key and value heads, a divisor of hq, as many unless given", func(d *draft, n int) { problem(d).KVHeads = n }, "h"),
	size("h", maxHeads, "short for hq and hkv", func(d *draft, n int) { problem(d).Heads, problem(d).KVHeads = n, n }, "hq", "hkv"),
	size("lq", maxLength, "queries", func(d *draft, n int) { problem(d).QueryLen = n }, "l"),
	size("lk", maxLength, "keys", func(d *draft, n int) { problem(d).KeyLen = n }, "l"),
	size("l", maxLength, "short for lq and lk", func(d *draft, n int) { problem(d).QueryLen, problem(d).KeyLen = n, n }, "lq", "lk"),
	size("d", maxDim, "width of queries and keys", func(d *draft, n int) { problem(d).Dim = n }),
	size("dv", maxDim, "width of values, d unless given", func(d *draft, n int) { problem(d).ValueDim = n }),
	dtype("dtype", "f32, f16 or bf16", "type of Q and O, and of K and V unless kv says otherwise; f32 unless given", func(d *draft, t attention.DType) { problem(d).Q = t }),
	dtype("kv", "f32, f16, bf16 or q8_0", "type of K and V", func(d *draft, t attention.DType) { d.kv = t }),
	dtype("o", "f32, f16 or bf16", "type of O", func(d *draft, t attention.DType) { problem(d).O = t }),
	align("causal", "off, top-left, bottom-right or per-batch", true, "where the last key of query 0 is; off unless given",
		func(d *draft, a attention.Align) { problem(d).Causal = a }),
	{"window", "LEFT:RIGHT, each -1 (no limit) to 536870912", "keys that a query sees before and after its position", nil, setWindow},
	align("align", "top-left, bottom-right or per-batch", false, "what a window without causal is measured from; bottom-right unless given",
		func(d *draft, a attention.Align) { d.align = a }),
	{"offset", "-536870912 to 536870912", "position of query 0, with per-batch", nil, func(d *draft, value string) bool {
		n, err := strconv.Atoi(value)
		d.spec.Offset = n
		return err == nil && n >= -maxLength && n <= maxLength
	}},
	{"scale", "a finite number; 0 stands for 1/sqrt(d)", "factor of q·k", nil, func(d *draft, value string) bool {
		return setFloat(&problem(d).Scale, value, -math.MaxFloat32)
	}},
	{"softcap", "a finite number, 0 (off) or more", "bound of the scores", nil, func(d *draft, value string) bool {
		return setFloat(&problem(d).Softcap, value, 0)
	}},
	{"bias", "none, f32, f16 or bf16", "type of a bias [1, hq, lq, lk]", nil, func(d *draft, value string) bool {
		t, err := attention.ParseDType(value)
		problem(d).Bias = t
		return value == "none" || err == nil && t.IsFloat()
	}},
	flag("mask", "a boolean mask [1, 1, lq, lk] that hides one key in ten", func(d *draft, on bool) { problem(d).Masked = on }),
	flag("lse", "compute the log-sum-exp too", func(d *draft, on bool) { problem(d).LSE = on }),
}

// SpecKeys lists the keys of specs.
func SpecKeys() []Key {
	list := make([]Key, len(specKeys))
	for n, k := range specKeys {
		list[n] = Key{Name: k.name, Want: k.want, Meaning: k.meaning}
	}
	return list
}

func keyNamed(name string) (specKey, bool) {
	for _, k := range specKeys {
		if k.name == name {
			return k, true
		}
	}
	return specKey{}, false
}

func knownKeys() string {
	var names []string
	for _, k := range specKeys {
		names = append(names, k.name)
	}
	return strings.Join(names, ", ")
}

func size(name string, most int, meaning string, set func(*draft, int), excludes ...string) specKey {
	return specKey{name, "1 to " + strconv.Itoa(most), meaning, excludes, func(d *draft, value string) bool {
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > most {
			return false
		}
		set(d, n)
		return true
	}}
}

// dtype is a key whose values are those that want lists.
func dtype(name, want, meaning string, set func(*draft, attention.DType)) specKey {
	return specKey{name, want, meaning, nil, func(d *draft, value string) bool {
		t, err := attention.ParseDType(value)
		if err != nil || !slices.Contains(strings.FieldsFunc(want, func(r rune) bool { return r == ',' || r == ' ' }), t.String()) {
			return false
		}
		set(d, t)
		return true
	}}
}

func align(name, want string, off bool, meaning string, set func(*draft, attention.Align)) specKey {
	return specKey{name, want, meaning, nil, func(d *draft, value string) bool {
		a, err := attention.ParseAlign(value)
		if err != nil || a == attention.Off && !off {
			return false
		}
		set(d, a)
		return true
	}}
}

func flag(name, meaning string, set func(*draft, bool)) specKey {
	return specKey{name, "true or false", meaning, nil, func(d *draft, value string) bool {
		if value != "true" && value != "false" {
			return false
		}
		set(d, value == "true")
		return true
	}}
}

func setWindow(d *draft, value string) bool {
	w, err := ParseWindow(value)
	d.window = w
	return err == nil
}

// ParseWindow reads LEFT:RIGHT, the keys that a query sees before and after its
// position, -1 for no limit. The alignment is left open. The error is a [SpecError].
func ParseWindow(value string) (attention.Window, error) {
	left, right, ok := strings.Cut(value, ":")
	l, errLeft := strconv.Atoi(left)
	r, errRight := strconv.Atoi(right)
	if !ok || errLeft != nil || errRight != nil || l < -1 || r < -1 || l > maxLength || r > maxLength {
		return attention.Window{Left: -1, Right: -1}, &SpecError{Key: "window", Value: value, Why: "want LEFT:RIGHT, each -1 (no limit) to 536870912"}
	}
	return attention.Window{Left: l, Right: r}, nil
}

// setFloat reads a finite float32 of at least low.
func setFloat(to *float32, value string, low float64) bool {
	v, err := strconv.ParseFloat(value, 32)
	*to = float32(v)
	return err == nil && v >= low && v <= math.MaxFloat32
}

// number writes a float32 such that it is read back exactly.
func number(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }
