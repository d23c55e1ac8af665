// Package vectors runs operator test vectors that were made elsewhere, such as
// those of ONNX and ONNX Runtime, on any backend.
//
// A case is a folder with a case.json, which names the operator, its attributes
// and its tensors, and one .npy file a tensor. The operators' conventions are
// translated here, and what their attention needs around it (joining a cache
// with new keys, adding a bias to a projection, projecting) is done on the host.
//
// A case passes only if every output it expects was produced and compared. One
// that needs something not built is skipped, and the result names what. When
// just an output is missing, the others are still compared: a mismatch there is
// a failure, not a skip.
package vectors

import (
	"encoding/json"
	"fmt"
	"path/filepath"
)

// Case is one test vector: an operator with its inputs and expected outputs.
type Case struct {
	Dir        string                     `json:"-"` // folder that holds the files
	Name       string                     `json:"case"`
	Operator   string                     `json:"operator"`
	Domain     string                     `json:"domain"` // empty means ai.onnx
	Opset      int                        `json:"opset"`
	Attributes map[string]json.RawMessage `json:"attributes"`
	Inputs     []Operand                  `json:"inputs"`
	Outputs    []Operand                  `json:"outputs"`
	// Grade is "tight", or "coarse" where the stored values are rounded.
	Grade string `json:"grade"`
	// Float64Check tells for each output how far the stored values are from an
	// evaluation in float64.
	Float64Check map[string]Deviation `json:"float64_check"`
	// UpstreamTolerance is what the suite the case comes from allows.
	UpstreamTolerance *Tolerance `json:"upstream_tolerance"`
}

// Operand is one input or output tensor as case.json describes it.
type Operand struct {
	Name  string `json:"name"`
	DType string `json:"dtype"` // float32, float16, bfloat16, float64, int32, int64, bool
	Shape []int  `json:"shape"`
	File  string `json:"file"` // inside the case's folder
}

// Deviation is the distance between stored and exactly computed values.
type Deviation struct {
	MaxAbs float64 `json:"max_abs"`
}

// Tolerance allows |got − want| ≤ Abs + Rel·|want|.
type Tolerance struct {
	Abs float64 `json:"abs"`
	Rel float64 `json:"rel"`
}

// The grades.
const (
	tight  = "tight"
	coarse = "coarse"
)

// onnxDomain is the domain that an empty name stands for.
const onnxDomain = "ai.onnx"

// FullName returns domain and operator, such as ai.onnx.Attention.
func (c Case) FullName() string { return c.Domain + "." + c.Operator }

// validate checks what can be checked without reading tensors, and fills in
// what may be left out.
func (c *Case) validate() error {
	if c.Name == "" {
		c.Name = filepath.Base(c.Dir)
	}
	if c.Domain == "" {
		c.Domain = onnxDomain
	}
	if c.Grade == "" {
		c.Grade = tight
	}
	switch {
	case c.Operator == "":
		return fmt.Errorf("no operator is named")
	case c.Grade != tight && c.Grade != coarse:
		return fmt.Errorf("grade is %q, want %s or %s", c.Grade, tight, coarse)
	case len(c.Outputs) == 0:
		return fmt.Errorf("no output is expected, so that nothing could fail")
	}
	for _, list := range [][]Operand{c.Inputs, c.Outputs} {
		seen := map[string]bool{}
		for _, o := range list {
			if o.Name == "" || seen[o.Name] {
				return fmt.Errorf("tensor name %q is empty or used twice", o.Name)
			}
			seen[o.Name] = true
			if !filepath.IsLocal(o.File) {
				return fmt.Errorf("tensor %s: file %q is not inside the case's folder", o.Name, o.File)
			}
		}
	}
	return nil
}
