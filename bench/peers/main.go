// Command peers times the cpu backend beside other libraries on the same machine, in one
// run, repetition by repetition in turn: absolute times hold for one machine and one day,
// ratios from one run can be compared.
//
//	go run ./bench/peers [flags]     after scripts/peers.sh; or make bench-peers
//
// The peers are
//
//	onnxruntime       ONNX Runtime's own operators: the fastest of MultiHeadAttention,
//	                  GroupQueryAttention and ai.onnx Attention that computes the workload
//	openblas-blocked  attention in blocks of rows and tiles of keys over OpenBLAS (ours)
//	openblas-unfused  all scores, softmax, all values over OpenBLAS (ours)
//	onednn-blocked    the same two over oneDNN's sgemm
//	onednn-unfused
//	gonum             the plain formula over gonum's BLAS
//
// Those over a matrix library are this project's own code (native/attention.c), tried in
// several forms of which the fastest is taken. oneDNN's matmul primitive and its graph
// API are not used. ggml is left out: neither Debian nor npm has it as a library that a C
// program could link.
//
// The process of a library is stopped while others have their turn, since threads that
// wait for more work spin for a while. The first runs of a turn are not timed.
//
// All get the same inputs. Each peer's output is compared with ours, in full before and
// after timing and by its sum after every repetition; a time whose output is wrong is not
// printed. Libraries that are not installed, or cannot compute a workload, are in the
// table with the reason. The exit status is 1 if our own output was wrong or anything
// else ended the run, 2 for wrong arguments.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/glattn/attention"
)

func main() { os.Exit(execute(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// execute runs the command line and returns the exit status.
func execute(ctx context.Context, arguments []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(arguments, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		err = measure(ctx, o, stdout, stderr)
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, attention.ErrInvalid), errors.Is(err, attention.ErrUnsupported):
		_, _ = fmt.Fprintln(stderr, oneLine(err))
		return 2
	}
	_, _ = fmt.Fprintln(stderr, oneLine(err))
	return 1
}

// measure times all workloads, and prints what there is even if it ends early.
func measure(ctx context.Context, o options, stdout, stderr io.Writer) error {
	dir, err := filepath.Abs(o.dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return fmt.Errorf("peers: %w", err)
	}
	o.dir = dir
	s := &session{options: o, peers: openPeers(o.peers, dir), note: func(format string, args ...any) {
		_, _ = fmt.Fprintf(stderr, "peers: "+format+"\n", args...)
	}}
	r := report{Machine: describeMachine(), Threads: o.threads}
	var failure error
	for _, spec := range o.specs {
		records, err := s.workload(ctx, spec)
		r.Records = append(r.Records, records...)
		if err != nil {
			failure = fmt.Errorf("peers: %s: %w", spec.Title(), err)
			break
		}
	}
	r.Roofs, r.Peers = s.roofs.Lines(), versions(r.Records)
	if len(r.Records) > 0 {
		failure = errors.Join(failure, r.render(stdout))
		if o.json != "" {
			failure = errors.Join(failure, r.write(o.json))
		}
	}
	return failure
}
