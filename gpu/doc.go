// Package gpu computes attention with OpenGL 4.3 compute shaders: on GPUs of any
// vendor, without extensions, and on software rasterisers, where it is tested.
//
// A call is cut into ranges of heads, queries and keys that fit the device's limits.
// For each, tensors are packed into rows of whole vec4s and uploaded, unless they lie
// on the device ([Tensor]); a kernel variant runs over (row block, KV head, batch) in
// dispatches of bounded time; partial results are merged and read back. All OpenGL calls
// happen on one locked thread.
//
// The files, one concern each: variant, variants, tuning, tilings, tuned and params say
// what is compiled and with which numbers; compose, unroll and program make it; thread,
// context, buffer, staging and readback are the device; layout packs tensors, tensor and
// resident are those that stay; plan, cuts, job, run, dispatch, cutter, pace and flight run
// a call.
package gpu
