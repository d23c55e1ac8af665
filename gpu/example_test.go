package gpu_test

import (
	"context"
	"log"

	"github.com/glattn/attention"
	"github.com/glattn/attention/gpu"
)

// A cache of keys and values stays on the device; each step of a decode loop brings one
// token to it.
func ExampleBackend_NewTensor() {
	ctx := context.Background()
	device, err := gpu.Open(ctx, gpu.Options{Device: -1})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = device.Close() }()
	const batch, heads, kvHeads, capacity, dim = 1, 32, 8, 4096, 128
	keys, err := device.NewTensor(ctx, attention.Float16, batch, kvHeads, capacity, dim)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = keys.Close() }()
	values, err := device.NewTensor(ctx, attention.Float16, batch, kvHeads, capacity, dim)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = values.Close() }()

	key := attention.Zeros(attention.Float16, batch, kvHeads, 1, dim) // of the new token
	value := attention.Zeros(attention.Float16, batch, kvHeads, 1, dim)
	query := attention.Zeros(attention.Float32, batch, heads, 1, dim)
	output := attention.Zeros(attention.Float32, batch, heads, 1, dim)
	var plan attention.Plan
	for n := range 3 {
		if err := attention.CopyTensor(ctx, keys.View().Slice(attention.AxisSequence, n, n+1), key); err != nil {
			log.Fatal(err)
		}
		if err := attention.CopyTensor(ctx, values.View().Slice(attention.AxisSequence, n, n+1), value); err != nil {
			log.Fatal(err)
		}
		call, err := attention.NewCall(attention.Options{Causal: attention.BottomRight}, attention.Inputs{
			Q: query, K: keys.View().Slice(attention.AxisSequence, 0, n+1), V: values.View().Slice(attention.AxisSequence, 0, n+1),
		}, attention.Outputs{O: output})
		if err != nil {
			log.Fatal(err)
		}
		if plan == nil { // one for the whole loop
			p := call.Problem
			p.KeyLen = capacity
			if plan, err = device.Plan(ctx, p); err != nil {
				log.Fatal(err)
			}
		}
		if err := plan.Run(ctx, call); err != nil {
			log.Fatal(err)
		}
	}
}
