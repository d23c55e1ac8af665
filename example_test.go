package attention_test

import (
	"context"
	"fmt"
	"log"

	"github.com/glattn/attention"
	"github.com/glattn/attention/dispatch"
)

// Two queries over four keys of one head, aligned so that the last query sees the
// last key. All keys are alike, so each query averages the values it may see.
func Example() {
	ctx := context.Background()
	engine, err := dispatch.Open(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = engine.Close() }()
	q := attention.NewFloat32([]float32{1, 0, 0, 1}, 1, 1, 2, 2) // [batch, head, query, dim]
	k := attention.NewFloat32([]float32{1, 1, 1, 1, 1, 1, 1, 1}, 1, 1, 4, 2)
	v := attention.NewFloat32([]float32{1, 2, 3, 4}, 1, 1, 4, 1)
	out := make([]float32, 2)
	_, err = engine.Attend(ctx, attention.Options{Causal: attention.BottomRight},
		attention.Inputs{Q: q, K: k, V: v}, attention.Outputs{O: attention.NewFloat32(out, 1, 1, 2, 1)})
	fmt.Println(out, err)
	// Output: [2 2.5] <nil>
}
