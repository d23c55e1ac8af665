// Package gpu computes attention with OpenGL 4.3 compute shaders: on GPUs of any
// vendor, without extensions, and on software rasterisers, where it is tested.
//
// A call is cut into jobs that fit the device's limits. For each, tensors are
// packed into rows of whole vec4s and uploaded, a kernel variant runs over (row
// block, KV head, batch) in dispatches of bounded time, and the results are read
// back. All OpenGL calls happen on one locked thread.
//
// The files, one concern each: variant, tuning and params say what is compiled
// and with which numbers; compose and program make it; thread, context and buffer
// are the device; layout packs tensors; plan, job and dispatch run a call.
package gpu
