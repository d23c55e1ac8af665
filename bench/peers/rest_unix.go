//go:build unix

package main

import (
	"os"
	"syscall"
)

// rest stops a process where it is, and wake lets it go on.
func rest(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }
func wake(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
