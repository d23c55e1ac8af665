//go:build !unix

package main

import "os"

// rest and wake do nothing where processes cannot be stopped: the pause between turns is
// all that keeps waiting threads from the next library.
func rest(*os.Process) error { return nil }
func wake(*os.Process) error { return nil }
