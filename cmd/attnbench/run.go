package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/glattn/attention"
	"github.com/glattn/attention/bench"
	"github.com/glattn/attention/internal/npy"
)

func (p *program) runCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "compute attention on .npy files",
		UsageText: "attnbench run -q Q.npy -k K.npy -v V.npy [-mask M.npy] [-bias B.npy] [-causal WHERE] [-window L:R] [-softcap X]\n" +
			"   [-scale X] [-layout bhsd|bshd] [-backend B] -o O.npy [-lse L.npy]",
		Description: "Q, K and V are float32, float16 or bfloat16 (as uint16), of rank 2 [S,D], 3 [H,S,D] or 4 [B,H,S,D]; with -layout bshd\n" +
			"[S,H,D] or [B,S,H,D]. O has the type and rank of Q. Mask (bool, true = attend) and bias broadcast to [B,H,Sq,Sk] whatever\n" +
			"the layout, and the log-sum-exp is float32 [B,H,Sq], less the axes that Q lacks. Outputs appear whole or not at all.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "q", Usage: "queries, `FILE`"}, &cli.StringFlag{Name: "k", Usage: "keys, `FILE`"}, &cli.StringFlag{Name: "v", Usage: "values, `FILE`"},
			&cli.StringFlag{Name: "mask", Usage: "boolean mask, `FILE`"}, &cli.StringFlag{Name: "bias", Usage: "bias, `FILE`"},
			&cli.StringFlag{Name: "causal", Value: "off", Usage: "`WHERE` the last key of the first query is: off, top-left or bottom-right"},
			&cli.StringFlag{Name: "window", Usage: "keys before and after a query's position, `L:R`, -1 for no limit"},
			&cli.StringFlag{Name: "align", Usage: "`WHERE` a window without -causal is measured from: top-left or bottom-right, which it is unless given"},
			&cli.StringFlag{Name: "softcap", Usage: "bound of the scores, `X`; 0 is off"},
			&cli.StringFlag{Name: "scale", Usage: "factor of q·k, `X`; 0 stands for 1/sqrt(D)"},
			&cli.StringFlag{Name: "layout", Value: "bhsd", Usage: "order of the axes, `bhsd` or bshd"},
			&cli.StringFlag{Name: "backend", Usage: "`B`: gpu, cpu, reference or auto; auto unless given"},
			&cli.StringFlag{Name: "o", Usage: "output, `FILE`"}, &cli.StringFlag{Name: "lse", Usage: "log-sum-exp, `FILE`"},
		},
		Action: p.run,
	}
}

func (p *program) run(ctx context.Context, c *cli.Command) (err error) {
	for _, name := range []string{"q", "k", "v", "o"} {
		if c.String(name) == "" {
			return fmt.Errorf("run: -%s is missing", name)
		}
	}
	opts, err := options(c)
	if err != nil {
		return err
	}
	list, err := backendList(c)
	if err != nil {
		return err
	}
	if strings.Contains(list, ",") || list == "all" {
		return fmt.Errorf("run: -backend is %q, want one of gpu, cpu, reference, auto", list)
	}
	results, err := newResults(c.String("o"), c.String("lse"))
	if err != nil {
		return err
	}
	in, q, err := readInputs(c)
	if err != nil {
		return err
	}
	if err := results.allocate(in, q); err != nil {
		return err
	}
	call, err := attention.NewCall(opts, in, results.out)
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	opened, err := bench.OpenBackends(ctx, list, bench.OpenOptions{Window: window})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	start := time.Now()
	how, err := attend(ctx, opened.List[0], call)
	if err != nil {
		return fmt.Errorf("run: backend %s: %w", list, err)
	}
	took := time.Since(start)
	if err := results.write(); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	p.fallbacks(opened)
	p.printf("%s: %s, %v with planning\n", c.String("o"), how, took.Round(time.Microsecond))
	return nil
}

// attend plans and runs a call, and returns the plan's name.
func attend(ctx context.Context, backend attention.Backend, call *attention.Call) (name string, err error) {
	if err := backend.Supports(call.Problem); err != nil {
		return "", err
	}
	plan, err := backend.Plan(ctx, call.Problem)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, plan.Close()) }()
	if err := plan.Run(ctx, call); err != nil {
		return "", err
	}
	return plan.String(), nil
}

// options reads the flags that make attention.Options.
func options(c *cli.Command) (o attention.Options, err error) {
	if o.Causal, err = position("causal", c.String("causal"), true); err != nil {
		return o, err
	}
	if o.Scale, err = float(c, "scale", -math.MaxFloat32); err != nil {
		return o, err
	}
	if o.Softcap, err = float(c, "softcap", 0); err != nil {
		return o, err
	}
	align := attention.BottomRight
	if c.IsSet("align") {
		if align, err = position("align", c.String("align"), false); err != nil {
			return o, err
		}
	}
	if o.Causal != attention.Off {
		if c.IsSet("align") && align != o.Causal {
			return o, fmt.Errorf("run: -align is %v, want that of -causal, %v", align, o.Causal)
		}
		align = o.Causal
	}
	if c.IsSet("window") {
		w, err := bench.ParseWindow(c.String("window"))
		if err != nil {
			return o, fmt.Errorf("run: -window is %q, want LEFT:RIGHT, each -1 (no limit) to 536870912", c.String("window"))
		}
		if w.Left >= 0 || w.Right >= 0 {
			w.Align = align
			o.Window = w
		}
	}
	return o, nil
}

func position(name, value string, off bool) (attention.Align, error) {
	want := "top-left or bottom-right"
	if off {
		want = "off, " + want
	}
	a, err := attention.ParseAlign(value)
	if err != nil || a == attention.PerBatch || a == attention.Off && !off {
		return a, fmt.Errorf("run: -%s is %q, want %s", name, value, want)
	}
	return a, nil
}

func float(c *cli.Command, name string, low float64) (float32, error) {
	if !c.IsSet(name) {
		return 0, nil
	}
	v, err := strconv.ParseFloat(c.String(name), 32)
	if err != nil || !(v >= low && v <= math.MaxFloat32) {
		return 0, fmt.Errorf("run: -%s is %q, want a finite number of at least %g", name, c.String(name), low)
	}
	return float32(v), nil
}

// dtypes maps NumPy's element types to those of attention.
var dtypes = map[string]attention.DType{"f4": attention.Float32, "f2": attention.Float16, "u2": attention.BFloat16}

// read reads a tensor of a float type, or the mask.
func read(flag, path string, mask bool) (attention.Tensor, *npy.Array, error) {
	a, err := npy.Read(path)
	if err != nil {
		return attention.Tensor{}, nil, fmt.Errorf("run: -%s: %w", flag, err)
	}
	dtype, ok := dtypes[a.DType]
	want := "f4, f2 or u2 (bfloat16)"
	if mask {
		dtype, ok, want = attention.Bool, a.DType == "b1", "b1 (bool)"
	}
	if !ok {
		return attention.Tensor{}, nil, fmt.Errorf("run: -%s: %s: elements are %s, want %s", flag, path, a.DType, want)
	}
	t, _, err := a.Tensor(dtype)
	if err != nil {
		return t, nil, fmt.Errorf("run: -%s: %s: %w", flag, path, err)
	}
	return t, a, nil
}
