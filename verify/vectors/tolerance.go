package vectors

import (
	"fmt"
	"math"

	"github.com/glattn/attention"
	"github.com/glattn/attention/verify"
)

// own is what a right computation may differ from the exact value: float32
// arithmetic on the short rows of such cases, and two units in the last place
// of the storage type.
func own(dtype attention.DType) Tolerance {
	switch dtype {
	case attention.Float16:
		return Tolerance{Abs: 1e-6, Rel: 0x1p-9}
	case attention.BFloat16:
		return Tolerance{Abs: 1e-6, Rel: 0x1p-6}
	}
	return Tolerance{Abs: 1e-6, Rel: 2e-6}
}

// tolerance returns what an output may differ from the stored one: our own error
// and that of the stored value, which float64_check tells. Where stored values
// are rounded, half of that again, or what their suite allows if that is more.
func (c Case) tolerance(name string, dtype attention.DType) Tolerance {
	t := own(dtype)
	stored := c.Float64Check[name].MaxAbs
	if c.Grade != coarse {
		const digits = 1.01 // the check is given to three digits
		t.Abs += digits * stored
		return t
	}
	upstream := Tolerance{}
	if c.UpstreamTolerance != nil {
		upstream = *c.UpstreamTolerance
	}
	t.Abs += max(1.5*stored, upstream.Abs)
	t.Rel += upstream.Rel
	return t
}

// check compares one output with the stored one and adds to the result. What
// was only copied must be equal bit for bit, unless the stored values are known
// to be rounded.
func (c Case) check(res *Result, want Operand, got produced) error {
	expected, err := want.read(c.Dir)
	if err != nil {
		return err
	}
	if err := got.value.expect("output "+want.Name, expected.shape...); err != nil {
		return err
	}
	if got.value.dtype != expected.dtype {
		return fmt.Errorf("output %s is %v, want %v", want.Name, got.value.dtype, expected.dtype)
	}
	if want.DType == "float64" {
		res.Notes = append(res.Notes, want.Name+" compared in float32")
	}
	t := c.tolerance(want.Name, expected.dtype)
	bitwise := got.exact && c.Float64Check[want.Name].MaxAbs == 0
	wrong, first := 0, ""
	for n, w := range expected.values {
		g := got.value.values[n]
		where := fmt.Sprintf("%s%v", want.Name, position(n, expected.shape))
		bound := t.Abs + t.Rel*math.Abs(w)
		ok := verify.Within(g, w, bound)
		if bitwise {
			bound = 0
			ok = math.Float64bits(g) == math.Float64bits(w)
		}
		if d := math.Abs(g - w); d > res.MaxAbs || res.Compared == 0 || (!ok && math.IsNaN(d)) {
			res.MaxAbs, res.Where = d, where
		}
		res.Compared++
		if !ok {
			if wrong++; first == "" {
				first = fmt.Sprintf("%s is %.9g, want %.9g ± %.2g", where, g, w, bound)
			}
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d elements of %s are wrong: %s", wrong, len(expected.values), want.Name, first)
	}
	return nil
}

// position is the index of an element along each axis.
func position(n int, shape []int) []int {
	index := make([]int, len(shape))
	for axis := len(shape) - 1; axis >= 0; axis-- {
		index[axis] = n % shape[axis]
		n /= shape[axis]
	}
	return index
}
