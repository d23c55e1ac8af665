package vectors

import (
	"encoding/json"
	"fmt"
	"slices"
)

// reader hands a case's attributes and inputs to the mapping of its operator. It
// remembers the first mistake, and what was asked for: an attribute or input
// that no mapping looks at must not be passed over in silence.
type reader struct {
	c      Case
	inputs map[string]array
	asked  map[string]bool // "attribute x" or "input x"
	notes  []string
	err    error
}

func open(c Case) (*reader, error) {
	r := &reader{c: c, inputs: map[string]array{}, asked: map[string]bool{}}
	for _, o := range c.Inputs {
		a, err := o.read(c.Dir)
		if err != nil {
			return nil, err
		}
		r.inputs[o.Name] = a
		if o.DType == "float64" {
			r.note("%s narrowed from float64 to float32", o.Name)
		}
	}
	return r, nil
}

func (r *reader) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// check remembers the first mistake and reports whether there was none so far.
func (r *reader) check(err error) bool {
	if r.err == nil {
		r.err = err
	}
	return r.err == nil
}

// refuse remembers that the case needs a feature that is not built.
func (r *reader) refuse(when bool, feature string) {
	if when {
		r.check(missing(feature))
	}
}

// attribute decodes an attribute; false if the case does not set it.
func (r *reader) attribute(name string, into any) bool {
	r.asked["attribute "+name] = true
	text, ok := r.c.Attributes[name]
	if ok {
		if err := json.Unmarshal(text, into); err != nil {
			r.check(fmt.Errorf("attribute %s: %w", name, err))
		}
	}
	return ok
}

func (r *reader) integer(name string, otherwise int) int {
	r.attribute(name, &otherwise)
	return otherwise
}

func (r *reader) number(name string, otherwise float64) float64 {
	r.attribute(name, &otherwise)
	return otherwise
}

// positive is an integer attribute that must be at least 1.
func (r *reader) positive(name string) int {
	n := r.integer(name, 0)
	if n < 1 {
		r.check(fmt.Errorf("attribute %s is %d, want 1 or more", name, n))
		return 1
	}
	return n
}

// optional returns an input, or false if the case does not have it.
func (r *reader) optional(name string) (array, bool) {
	r.asked["input "+name] = true
	a, ok := r.inputs[name]
	return a, ok
}

// input returns an input that must be there and have one of the given numbers
// of axes. After a mistake it returns an array of the right rank and no elements.
func (r *reader) input(name string, ranks ...int) array {
	a, ok := r.optional(name)
	switch {
	case !ok:
		r.check(fmt.Errorf("input %s is absent", name))
	case !slices.Contains(ranks, len(a.shape)):
		r.check(fmt.Errorf("input %s has shape %v, want %v axes", name, a.shape, ranks))
	default:
		return a
	}
	return array{shape: make([]int, ranks[0])}
}

// integers returns the values of an optional input as whole numbers, nil if it
// is absent.
func (r *reader) integers(name string) []int {
	a, ok := r.optional(name)
	if !ok || !r.check(a.whole(name)) {
		return nil
	}
	list := make([]int, len(a.values))
	for n, v := range a.values {
		list[n] = int(v)
	}
	return list
}

// wants reports whether the case expects an output.
func (r *reader) wants(name string) bool {
	return slices.ContainsFunc(r.c.Outputs, func(o Operand) bool { return o.Name == name })
}

// unread names an attribute or input that nobody asked for.
func (r *reader) unread() error {
	var names []string
	for name := range r.c.Attributes {
		names = append(names, "attribute "+name)
	}
	for name := range r.inputs {
		names = append(names, "input "+name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !r.asked[name] {
			return missing(name)
		}
	}
	return nil
}
