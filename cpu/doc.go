// Package cpu computes attention on the processor, in two ways.
//
// [Reference] is the oracle: float64, two passes, compensated sums, as plain as
// the formula of package attention. It is slow on purpose. [ReferenceRow] is one
// row of it, with the intermediate quantities that error bounds need.
//
// [Backend] is the fast one: float32, tiled, with a running softmax, in portable
// Go. A call is cut into units of work, each a block of query rows against a
// range of keys. A unit yields a partial result (output, row maximum, row sum)
// and partial results of the same rows are joined in the order of their keys.
//
//	cut.go        how a call falls into units of work
//	schedule.go   the goroutines that take units, cancellation
//	block.go      one unit: the loop over key tiles
//	rows.go       the rows of a unit, in panels, and the keys each may see
//	tile.go       the two tile products, Q·Kᵀ and P·V
//	score.go      scale, softcap, bias and mask of a score tile
//	softmax.go    weights of a score tile under the running maximum
//	rescue.go     a goroutine's panic, brought to the caller
//	partial.go    the partial result, its merge and its end
//	convert.go    rows of any type and stride, widened to float32
//	exp.go        exp and tanh in float32
//
// How a call is cut depends on its lengths and on the number of query heads that
// share a KV head, never on the batch, the machine or the number of goroutines:
// the bits of a result are a function of the batch entry alone.
package cpu
