package vectors

import (
	"context"
	"errors"
	"strings"

	"github.com/glattn/attention"
)

// mapping returns the function that puts an operator in the terms of package
// attention, or nil if the operator is not built.
func mapping(operator string) func(*reader) (*work, error) {
	switch operator {
	case "ai.onnx.Attention":
		return onnxAttention
	case "com.microsoft.MultiHeadAttention":
		return multiHeadAttention
	case "com.microsoft.GroupQueryAttention":
		return groupQueryAttention
	case "com.microsoft.Attention":
		return microsoftAttention
	}
	return nil
}

// Run computes the case on a backend and compares every expected output. A
// problem in the case's files is a failure that names the file.
func (c Case) Run(ctx context.Context, backend attention.Backend) Result {
	res := Result{Case: c.Name, Operator: c.FullName(), Backend: backend.Name()}
	build := mapping(res.Operator)
	if build == nil {
		return res.skip("operator " + res.Operator)
	}
	r, err := open(c)
	if err != nil {
		return res.unable(err)
	}
	w, err := build(r)
	res.Notes = r.notes
	if err == nil {
		err = r.unread()
	}
	if err != nil {
		return res.unable(err)
	}
	call, err := w.call()
	if err != nil {
		return res.fail(err)
	}
	if err := attend(ctx, backend, call); err != nil {
		return res.unable(err)
	}
	return c.compare(res, w, append(w.host, w.result(call.Out.O)))
}

// unable is the result of a case that could not be computed: skipped if a
// feature is not built or the backend refuses the problem, else failed.
func (r Result) unable(err error) Result {
	var feature missing
	switch {
	case errors.As(err, &feature):
		return r.skip(string(feature))
	case errors.Is(err, attention.ErrUnsupported):
		return r.skip(err.Error())
	}
	return r.fail(err)
}

func attend(ctx context.Context, backend attention.Backend, call *attention.Call) (err error) {
	if err := backend.Supports(call.Problem); err != nil {
		return err
	}
	plan, err := backend.Plan(ctx, call.Problem)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	return plan.Run(ctx, call)
}

// compare checks every expected output that was produced, and only then looks
// at those that were not.
func (c Case) compare(res Result, w *work, outputs []produced) Result {
	var absent []string
	for _, want := range c.Outputs {
		got, ok := find(outputs, want.Name)
		if !ok {
			feature := w.unbuilt[want.Name]
			if feature == "" {
				feature = "output " + want.Name
			}
			absent = append(absent, feature)
			continue
		}
		if err := c.check(&res, want, got); err != nil {
			return res.unable(err)
		}
	}
	if len(absent) > 0 {
		return res.skip(strings.Join(absent, ", "))
	}
	res.Status = Passed
	return res
}

func find(outputs []produced, name string) (produced, bool) {
	for _, p := range outputs {
		if p.name == name {
			return p, true
		}
	}
	return produced{}, false
}
