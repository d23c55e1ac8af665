package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fakeVar makes the test binary a child that behaves as its value says.
const fakeVar = "PEERS_TEST_CHILD"

func TestMain(m *testing.M) {
	if mode, ok := os.LookupEnv(fakeVar); ok {
		fakeChild(mode)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// fakeChild has the outputs 1.5 and −2.
func fakeChild(mode string) {
	switch mode {
	case "refuses":
		fmt.Println("error there is no kernel")
		return
	case "dies":
		fmt.Fprint(os.Stderr, "first\nillegal instruction\n\n")
		os.Exit(3)
	case "babbles":
		fmt.Println("hello")
		return
	case "hangs":
		time.Sleep(time.Hour)
	}
	fmt.Println("ready fake 1.0")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch lines.Text() + " " + mode {
		case "run zero":
			fmt.Println("ran 0 1")
		case "run word":
			fmt.Println("ran 5")
		case "run nan":
			fmt.Println("ran 5 NaN")
		case "run late":
			fmt.Println("error out of memory")
		case "output f16":
			fmt.Println("output 2 f16")
			_ = binary.Write(os.Stdout, binary.LittleEndian, []uint16{0x3e00, 0xc000})
		case "output short":
			fmt.Println("output 3 f32")
			_ = binary.Write(os.Stdout, binary.LittleEndian, []float32{1.5, -2})
			return
		case "output type":
			fmt.Println("output 2 f64")
		case "output count":
			fmt.Println("output -2 f32")
		default:
			if lines.Text() == "run" {
				fmt.Println("ran 1500 3.5")
			} else {
				fmt.Println("output 2 f32")
				_ = binary.Write(os.Stdout, binary.LittleEndian, []float32{1.5, -2})
			}
		}
	}
}

func startFake(ctx context.Context, mode string) (*child, error) {
	command := exec.CommandContext(ctx, os.Args[0])
	command.Env = append(command.Environ(), fakeVar+"="+mode)
	return startChild(ctx, command)
}

func TestChildAnswers(t *testing.T) {
	for _, mode := range []string{"good", "f16"} {
		c, err := startFake(t.Context(), mode)
		require.NoError(t, err)
		require.Equal(t, "fake 1.0", c.about())
		for range 3 {
			took, sum, err := c.run(t.Context())
			require.NoError(t, err)
			require.Equal(t, 1500*time.Nanosecond, took)
			require.Equal(t, 3.5, sum)
			out, err := c.output(t.Context())
			require.NoError(t, err)
			require.Equal(t, []float32{1.5, -2}, out)
		}
		require.NoError(t, c.close())
		_, _, err = c.run(t.Context())
		require.Error(t, err, "it has ended")
	}
}

func TestChildThatDoesNotStart(t *testing.T) {
	for mode, want := range map[string]string{
		"refuses": "there is no kernel",
		"dies":    "illegal instruction",
		"babbles": `said "hello"`,
	} {
		_, err := startFake(t.Context(), mode)
		require.ErrorContains(t, err, want, mode)
	}
	_, err := startChild(t.Context(), exec.CommandContext(t.Context(), "no-such-program-of-peers"))
	require.Error(t, err)
}

func TestChildThatAnswersWrongly(t *testing.T) {
	for mode, want := range map[string]string{"zero": "positive", "word": "a sum", "late": "out of memory"} {
		c, err := startFake(t.Context(), mode)
		require.NoError(t, err)
		_, _, err = c.run(t.Context())
		require.ErrorContains(t, err, want, mode)
		require.NoError(t, c.close())
	}
	for mode, want := range map[string]string{"short": "unexpected EOF", "type": "f64", "count": "-2"} {
		c, err := startFake(t.Context(), mode)
		require.NoError(t, err)
		_, err = c.output(t.Context())
		require.ErrorContains(t, err, want, mode)
		require.NoError(t, c.close())
	}
	c, err := startFake(t.Context(), "nan")
	require.NoError(t, err)
	_, sum, err := c.run(t.Context())
	require.NoError(t, err)
	require.True(t, math.IsNaN(sum), "the comparison of sums is what refuses it")
	require.NoError(t, c.close())
}

// TestChildIsEnded shows that an interrupt does not wait for a child that says nothing.
func TestChildIsEnded(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := startFake(ctx, "hangs")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(start), 30*time.Second)
}

func TestChildRests(t *testing.T) {
	c, err := startFake(t.Context(), "good")
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, c.rest())
		require.NoError(t, c.wake())
		_, _, err = c.run(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, c.rest())
	start := time.Now()
	require.NoError(t, c.close())
	require.Less(t, time.Since(start), 4*time.Second, "one that rests is woken to leave")
}

func TestTail(t *testing.T) {
	log := &tail{most: 8}
	require.Empty(t, log.suffix())
	_, _ = log.Write([]byte("a long line\nend\n"))
	require.Equal(t, ": end", log.suffix())
	require.Len(t, log.text, 8)
}
