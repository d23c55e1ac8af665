// Package verify says what counts as right. It holds the error bounds, the
// conformance cases and the runner that every backend, type and option goes
// through; verify/verifytest makes them Go tests.
//
// [Check] compares the outputs of a finished call with the float64 oracle of
// package cpu, row by row:
//
//   - float32: an a-priori bound per element (bound.go), and the convex hull of
//     the allowed values; on cases of unit scale also 2e-5.
//   - float16 and bfloat16: the same bound plus the rounding of the output type,
//     and the pair of limits that FlashAttention-3 uses (low.go).
//   - log-sum-exp: 1e-5·max(1, |lse|) (lse.go).
//   - Rows with nothing allowed: o exactly 0, lse exactly −Inf. NaN and ±Inf must
//     stand where the oracle has them.
//
// [RunCase] builds a [Case], runs it three times on a backend and also checks
// bits, guard bytes and inputs.
package verify
