// Package cpu computes attention on the processor, in two ways.
//
// [Reference] is the oracle: float64, two passes, compensated sums, as plain as
// the formula of package attention. It is slow on purpose. [ReferenceRow] is one
// row of it, with the intermediate quantities that error bounds need.
//
// [Backend] is the fast one: float32, tiled, with a running softmax. A call is
// cut into units of work, each a block of query rows against a range of keys. A
// unit yields a partial result (output, row maximum, row sum) and partial results
// of the same rows are joined in the order of their keys. The inner loops are
// those of internal/kernel, in assembly where the processor has it.
//
//	cut.go        how a call falls into units of work
//	schedule.go   the goroutines that take units, cancellation
//	crew.go       helping goroutines, which look for another call before they end
//	block.go      one unit: the loop over key tiles
//	panels.go     a tile for many rows: panels of them
//	narrow.go     a tile for few rows, as in decoding: K and V where they lie
//	rows.go       the rows of a unit, in panels, and the keys each may see
//	score.go      scale, softcap, bias and mask of scores
//	softmax.go    the running maximum and sum of rows; masked weights
//	rescue.go     a goroutine's panic, brought to the caller
//	partial.go    the partial result, its merge and its end
//	convert.go    rows of any type and stride, in place or widened to float32
//
// How a call is cut depends on its lengths and on the number of query heads that
// share a KV head; where batch or goroutines decide how many rows go together, no
// bit depends on it. On one instruction set the bits of a result are a function of
// the batch entry alone.
//
// For few rows, K and V are read where they lie, whole vectors at a time also at the end
// of a row: what lies between two rows of a call, or begins the next, is read and has no
// effect. Nothing behind the last row is read.
package cpu
