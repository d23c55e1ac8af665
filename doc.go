// Package attention is exact scaled-dot-product attention for Go programs: on
// any GPU with an OpenGL 4.3 driver, and on any CPU.
//
// This package is the vocabulary that every backend shares: [Tensor] views,
// [Options], the [Problem] they make, the masking and score rules, the
// [Backend] and [Plan] interfaces, and the errors. Programs that only want
// attention computed hold a dispatch.Engine, which picks a backend:
//
//	engine, err := dispatch.Open(ctx)
//	report, err := engine.Attend(ctx, attention.Options{Causal: attention.BottomRight},
//		attention.Inputs{Q: q, K: k, V: v}, attention.Outputs{O: o})
//
// # What is computed
//
// Logical axes are [batch, head, sequence, dim], with sizes B, Hq (query heads),
// Hkv (key/value heads), Lq, Lk, D (query and key width), Dv (value width). For
// batch b, query head h with KV head g = h div (Hq/Hkv), query i and key j:
//
//	s    = scale · q_i·k_j                  scale is 1/√D unless given
//	s    = softcap · tanh(s/softcap)        if softcap > 0
//	s    = s + bias[b,h,i,j]                if a bias is given
//	p    = softmax of s over the allowed j
//	o_i  = Σ p_ij v_j
//	lse  = ln Σ exp(s_ij)                   natural logarithm, float32
//
// Key j is allowed for query i when it lies before the batch entry's key
// length, the causal rule and the window admit it, the boolean mask is true
// there, and s is not −Inf (a bias of −Inf masks). Query i stands at position
// offset+i among the keys; see [Align] for the offset. A row with nothing
// allowed gives o = 0 and lse = −Inf exactly. Values at keys that are not
// allowed never reach the output, NaN and Inf included; NaN at an allowed key
// does. A score of +Inf makes o NaN and lse +Inf.
//
// Arithmetic is float32 whatever the storage type, and overflows where float32
// does: in q_i·k_j, and in Σ exp(s_ij−max s)·v_j, which is divided by its sum of
// weights last. On one backend the same call twice gives the same bits, and so
// does a batch entry computed alone; a dispatch.Engine left to choose may run the
// second call elsewhere.
//
// # Storage types
//
// Q, K, V, O and bias are [Float32], [Float16] or [BFloat16], each tensor by itself. K
// and V may also be [Q8_0], the int8 blocks of cached keys and values in ggml: 34
// bytes for 32 numbers. They are widened exactly, so that what a quantized cache
// costs in accuracy is what [QuantizeQ8_0] rounded. Rows start at blocks:
//
//	k := attention.Zeros(attention.Q8_0, B, Hkv, capacity, D) // rows of ⌈D/32⌉·34 bytes
//	k.SetRow(b, g, position, row)                             // one token of one head, []float32
//	in.K = k.Slice(attention.AxisSequence, 0, position+1)
//
// # Environment
//
// The knobs below are read by package internal/env when an engine or a device is
// opened; a value outside the list is an error there that lists the known ones.
//
//	ATTN_BACKEND=auto|gpu|cpu|reference   what dispatch.Open uses when not told
//	ATTN_REQUIRE=gpu                      tests: a missing GPU is a failure, not a skip
//	ATTN_DEBUG=gl,trace,shaders           GL debug context; dispatch log; composed shaders in errors
//	ATTN_CPU=avx512|avx2|neon|go          instructions of the CPU backend, not the best ones found
//	ATTN_GPU=N                            index of the GL device to open, as attnbench info lists them
//	ATTN_VECTORS=DIR[:DIR...]             tests: folders of operator test vectors, separated as in PATH
package attention
