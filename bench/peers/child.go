package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/glattn/attention"
)

// child is a library that runs in a process of its own, told over pipes what to do:
//
//	child:  ready WHAT                   once, when its inputs are loaded
//	parent: run                          child: ran NANOSECONDS SUM
//	parent: output                       child: output COUNT f32|f16, then the elements
//
// At any time the child may say "error WHY" instead. It measures the time itself, so
// that the pipe costs nothing. SUM is the sum of the outputs' magnitudes.
type child struct {
	what string

	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	log     *tail
}

// answerLimit is how long a child may think about one request. It is long, because the
// slowest peers take seconds on the largest workloads.
const answerLimit = 5 * time.Minute

// startChild starts a command and waits until it is ready.
func startChild(ctx context.Context, command *exec.Cmd) (*child, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := &child{command: command, log: &tail{most: 2000}}
	command.Stderr = c.log
	in, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	c.in, c.out = in, bufio.NewReaderSize(out, 1<<16)
	words, err := c.answer(ctx, "ready")
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	c.what = strings.Join(words, " ")
	return c, nil
}

func (c *child) about() string { return c.what }

// ask sends a request and returns the words of an answer that begins with want.
func (c *child) ask(ctx context.Context, request, want string) ([]string, error) {
	if _, err := io.WriteString(c.in, request+"\n"); err != nil {
		return nil, fmt.Errorf("%s: %w%s", request, err, c.log.suffix())
	}
	return c.answer(ctx, want)
}

func (c *child) answer(ctx context.Context, want string) ([]string, error) {
	late := time.AfterFunc(answerLimit, func() { _ = c.command.Process.Kill() })
	line, err := c.out.ReadString('\n')
	if !late.Stop() {
		return nil, fmt.Errorf("no answer in %v", answerLimit)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		_ = c.close() // its last words are whole once it has been waited for
		return nil, fmt.Errorf("ended before it said %q%s", want, c.log.suffix())
	}
	words := strings.Fields(line)
	switch {
	case len(words) > 0 && words[0] == want:
		return words[1:], nil
	case len(words) > 0 && words[0] == "error":
		return nil, errors.New(strings.Join(words[1:], " "))
	}
	return nil, fmt.Errorf("said %q, want %q", strings.TrimSpace(line), want)
}

func (c *child) run(ctx context.Context) (time.Duration, float64, error) {
	words, err := c.ask(ctx, "run", "ran")
	if err != nil {
		return 0, 0, err
	}
	if len(words) != 2 {
		return 0, 0, fmt.Errorf("said ran %q, want nanoseconds and a sum", words)
	}
	took, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil || took <= 0 {
		return 0, 0, fmt.Errorf("ran for %q nanoseconds, want a positive number", words[0])
	}
	sum, err := strconv.ParseFloat(words[1], 64)
	if err != nil {
		sum = math.NaN() // JavaScript's and C's words for what is not finite
	}
	return time.Duration(took), sum, nil
}

func (c *child) output(ctx context.Context) ([]float32, error) {
	words, err := c.ask(ctx, "output", "output")
	if err != nil {
		return nil, err
	}
	if len(words) != 2 {
		return nil, fmt.Errorf("said output %q, want a count and a type", words)
	}
	n, err := strconv.Atoi(words[0])
	if err != nil || n < 0 || n > 1<<32 {
		return nil, fmt.Errorf("has %q elements of output", words[0])
	}
	size := map[string]int{"f32": 4, "f16": 2}[words[1]]
	if size == 0 {
		return nil, fmt.Errorf("has outputs of type %q, want f32 or f16", words[1])
	}
	data := make([]byte, n*size)
	if _, err := io.ReadFull(c.out, data); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	list := make([]float32, n)
	for i := range list {
		if size == 4 {
			list[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		} else {
			list[i] = attention.Float16ToFloat32(binary.LittleEndian.Uint16(data[2*i:]))
		}
	}
	return list, nil
}

// rest stops the child's threads until wake: several libraries' spin for tens of
// milliseconds after a run in case more work comes, at the cost of whoever runs next.
func (c *child) rest() error { return rest(c.command.Process) }
func (c *child) wake() error { return wake(c.command.Process) }

// close ends the child, which leaves by itself when its input ends.
func (c *child) close() error {
	_ = c.wake() // one that rests would not notice, and one that is gone needs none
	_ = c.in.Close()
	late := time.AfterFunc(5*time.Second, func() { _ = c.command.Process.Kill() })
	defer late.Stop()
	_, _ = io.Copy(io.Discard, c.out)
	_ = c.command.Wait() // how it left says nothing about the answers that were checked
	return nil
}

// tail keeps the end of what is written to it, which may go on while it is read.
type tail struct {
	most int

	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-t.most):]
	return len(p), nil
}

// suffix returns the last line, ready to stand behind an error.
func (t *tail) suffix() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := bytes.Split(bytes.TrimSpace(t.text), []byte("\n"))
	if last := strings.TrimSpace(string(lines[len(lines)-1])); last != "" {
		return ": " + last
	}
	return ""
}
