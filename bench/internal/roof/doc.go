// Package roof measures what a processor can do at most: float32 multiply-adds
// with all operands in registers, and reading memory.
//
// The compiler makes no vector code, so the loops are assembly (_asm generates
// it). Where there is none, portable Go runs instead; its name, "portable Go",
// says that the number is the compiler's limit and not the machine's.
package roof
