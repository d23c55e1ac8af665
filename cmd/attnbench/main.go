// Command attnbench says how fast and how right attention is on this machine.
//
//	attnbench                     time the shapes of known models on every backend
//	attnbench info                describe the machine
//	attnbench bench               time chosen workloads or shapes
//	attnbench sweep               time a grid of widths and lengths, and find the cliffs
//	attnbench conform DIR...      run folders of operator test vectors
//	attnbench run                 compute attention on .npy files
//	attnbench verify              run the conformance suite
//	attnbench explain             say which backend would run a shape, and why
//
// Flags may be written with one dash or two. The exit status is 0 if all went
// well, 1 if a check failed, 2 for wrong arguments, files or an unavailable
// backend, and 130 after an interrupt, which leaves what was measured printed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"
)

// The exit statuses.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func main() { os.Exit(execute(context.Background(), os.Args, os.Stdout, os.Stderr)) }

// errFailed ends the command with status 1; what failed has been printed.
var errFailed = errors.New("a check failed")

// execute runs the command line and returns the exit status.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)() // a second interrupt ends the process at once
	p := &program{out: stdout, err: stderr}
	err := p.root().Run(ctx, args)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFailed):
		return exitFailed
	case ctx.Err() != nil:
		_, _ = fmt.Fprintln(stderr, "attnbench: interrupted")
		return exitInterrupted
	}
	_, _ = fmt.Fprintln(stderr, "attnbench: "+oneLine(err.Error()))
	return exitUsage
}

// oneLine joins the lines of a text.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// program is where the command prints to.
type program struct{ out, err io.Writer }

// printf prints a result. A reader who hung up is no error worth a word.
func (p *program) printf(format string, args ...any) { _, _ = fmt.Fprintf(p.out, format, args...) }

// note prints a remark beside the results.
func (p *program) note(format string, args ...any) {
	_, _ = fmt.Fprintln(p.err, "attnbench: "+oneLine(fmt.Sprintf(format, args...)))
}

func (p *program) root() *cli.Command {
	root := &cli.Command{
		Name:      "attnbench",
		Usage:     "how fast and how right attention is on this machine",
		UsageText: "attnbench [command] [-flags]\n\nWithout a command: time the shapes of known models on every backend, and check every timed output.",
		Action:    p.models,
		Commands:  []*cli.Command{p.infoCommand(), p.benchCommand(), p.sweepCommand(), p.tuneCommand(), p.conformCommand(), p.runCommand(), p.verifyCommand(), p.explainCommand()},
	}
	for _, c := range append(root.Commands, root) {
		c.Writer, c.ErrWriter = p.out, p.err
		c.HideHelpCommand, c.HideVersion = true, true
		c.DisableSliceFlagSeparator = true // a shape holds commas
		c.OnUsageError = func(_ context.Context, _ *cli.Command, err error, _ bool) error { return err }
		c.ExitErrHandler = func(context.Context, *cli.Command, error) {}
		c.Action = guarded(c.Action, c.ArgsUsage != "")
	}
	return root
}

// guarded refuses arguments that a command does not take, before it starts.
func guarded(action cli.ActionFunc, takesArgs bool) cli.ActionFunc {
	return func(ctx context.Context, c *cli.Command) error {
		if !takesArgs && c.Args().Present() {
			if c.Root() == c {
				return fmt.Errorf("unknown command %q (known: info, bench, sweep, conform, run, verify, explain)", c.Args().First())
			}
			return fmt.Errorf("%s: unexpected argument %q", c.Name, c.Args().First())
		}
		return action(ctx, c)
	}
}
