package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/glattn/attention"
	"github.com/glattn/attention/bench"
)

// options are the flags.
type options struct {
	threads int
	reps    int
	time    time.Duration
	specs   []bench.Spec
	peers   []string
	json    string
	dir     string
}

// parse reads the arguments. The error is an [attention.ErrInvalid], or flag.ErrHelp.
func parse(arguments []string, usage io.Writer) (options, error) {
	var o options
	var workloads, peers string
	f := flag.NewFlagSet("peers", flag.ContinueOnError)
	f.SetOutput(usage)
	f.IntVar(&o.threads, "threads", 2, "`N` threads for each library")
	f.IntVar(&o.reps, "reps", 10, "`N` repetitions are enough, once a tenth of -time has passed")
	f.DurationVar(&o.time, "time", time.Second, "a `time` of repetitions is enough for each library on each workload")
	f.StringVar(&workloads, "workload", "prefill,decode", "a comma-separated `LIST` of names and groups that attnbench bench -h explains")
	f.StringVar(&peers, "peers", "all", "a comma-separated `LIST` of "+strings.Join(peerNames, ", ")+"; none for us alone")
	f.StringVar(&o.json, "json", "bench/results/peers-cpu.json", "write the records to `FILE`; empty for no file")
	f.StringVar(&o.dir, "dir", ".cache/peers", "the `FOLDER` of what scripts/peers.sh installs and of what is compiled here")
	if err := f.Parse(arguments); err != nil {
		return o, err
	}
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("peers: %w: %s", attention.ErrInvalid, fmt.Sprintf(format, args...))
	}
	switch {
	case f.NArg() > 0:
		return o, invalid("argument %q, want flags only", f.Arg(0))
	case o.threads < 1 || o.threads > 1024:
		return o, invalid("-threads is %d, want 1 to 1024", o.threads)
	case o.reps < 1:
		return o, invalid("-reps is %d, want 1 or more", o.reps)
	case o.time <= 0:
		return o, invalid("-time is %v, want more than 0", o.time)
	case o.dir == "":
		return o, invalid("-dir is empty")
	}
	var err error
	if o.specs, err = bench.SelectWorkloads(workloads); err != nil {
		return o, err
	}
	for _, s := range o.specs {
		if err := plain(s.Problem); err != nil {
			return o, err
		}
	}
	o.peers, err = choosePeers(peers)
	return o, err
}

// choosePeers reads a list of names; a library's name before the dash stands for all of
// its forms.
func choosePeers(list string) ([]string, error) {
	if list == "none" {
		return nil, nil
	}
	var chosen []string
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		found := false
		for _, name := range peerNames {
			library, _, _ := strings.Cut(name, "-")
			if item != "all" && item != name && item != library {
				continue
			}
			found = true
			if !slices.Contains(chosen, name) {
				chosen = append(chosen, name)
			}
		}
		if !found {
			return nil, fmt.Errorf("peers: %w: unknown peer %q (known: all, none, %s)", attention.ErrInvalid, item, strings.Join(peerNames, ", "))
		}
	}
	return chosen, nil
}
