// Package gpu computes attention with OpenGL 4.3 compute shaders: on GPUs of any
// vendor, without extensions, and on software rasterisers, where it is tested.
//
// A call is cut into ranges of heads, queries and keys that fit the device's limits.
// For each, tensors are packed into rows of whole vec4s and uploaded, unless they lie
// on the device ([Tensor]); a kernel variant runs over (row block, KV head, batch) in
// dispatches of bounded time; partial results are merged and read back. All OpenGL calls
// happen on one locked thread, or on that of the program ([Options].Run).
//
// A kernel is tested on the device before its first call, and one that computes wrong
// numbers serves none. A device that is lost is opened again; [Backend.Health] tells.
// When the driver reports a fault, the call ends with an error that is an
// attention.ErrDeviceLost, ErrOutOfMemory, ErrUnsupported or ErrUnavailable, so that a
// dispatch.Engine computes it elsewhere.
//
// The files, one concern each: variant, variants, tuning, tilings, tuned and params say
// what is compiled and with which numbers; compose, unroll and program make it; thread,
// context, health, buffer, staging and readback are the device; binary_cache, files, selftest
// and warmup deal with kernels before their first calls; layout packs tensors, tensor and
// resident are those that stay; plan, cuts, job, run, dispatch, cutter, pace and flight run
// a call.
package gpu
