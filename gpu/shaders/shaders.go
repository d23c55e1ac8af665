// Package shaders holds the GLSL sources of the OpenGL backend.
//
// A kernel is a .comp file whose main reads like the algorithm; what kernels
// share stands in .glsl parts that they include. Features and tile sizes are
// defines that come from outside, never from a shader.
package shaders

import "embed"

// Sources holds every .comp and .glsl file, by its path below this folder.
//
//go:embed *.comp *.glsl probe/*.comp
var Sources embed.FS
