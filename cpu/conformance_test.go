package cpu_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/glattn/attention"
	"github.com/glattn/attention/cpu"
	"github.com/glattn/attention/verify/verifytest"
)

func open(t *testing.T) attention.Backend {
	backend := cpu.New(cpu.Options{})
	t.Cleanup(func() { require.NoError(t, backend.Close()) })
	return backend
}

func TestConformance(t *testing.T) { verifytest.Run(t, open, verifytest.RequireAll()) }

func TestLifecycle(t *testing.T) { verifytest.RunLifecycle(t, open) }

func TestRepeat(t *testing.T) { verifytest.RunRepeat(t, open, 250) }

func TestFuzzSeeds(t *testing.T) { verifytest.RunFuzz(t, open, 300) }

func FuzzBackend(f *testing.F) { verifytest.Fuzz(f, open) }
