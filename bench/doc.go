// Package bench times attention and says how good a time is.
//
// A [Spec] describes a problem in a line of text; [Workloads] lists named ones.
// [Run] times them on several backends in turn, with random data, checks every
// timed output, and returns a [Record] for each pair: milliseconds, GFLOP/s or
// GB/s, the share of what the same machine can do at most, measured in the same
// run ([Roofs]), and the error as a share of its bound. A wrong output has no time.
// [RunSweep] does so over a grid of widths and lengths and finds the cliffs in it.
package bench
