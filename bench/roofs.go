package bench

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/glattn/attention"
	"github.com/glattn/attention/bench/internal/roof"
	"github.com/glattn/attention/gpu"
)

// Roof is what a device can do at most, as measured in this run.
type Roof struct {
	Kind  string  // "fma": GFLOP/s of float32 multiply-adds; "read": GB/s of a read stream
	Value float64 // in GFLOP/s or GB/s; 0 if there is none for the backend
	How   string  // what was run, such as "AVX2, 2 threads"
}

// The kinds of roofs.
const (
	RoofFMA  = "fma"
	RoofRead = "read"
)

// Roofs measures roofs when first asked for and remembers them. It is safe for
// concurrent use, but measuring beside other work gives low roofs.
type Roofs struct {
	mu   sync.Mutex
	fma  map[int]Roof
	read map[readKey]Roof
	gpu  map[*gpu.Backend]gpu.Roofs
	data []float32
}

type readKey struct{ threads, megabytes int }

// streamMB is the memory that the read roof of memory goes through: more than the
// last-level cache of nearly all processors.
const streamMB = 256

// CPUFMA measures float32 multiply-adds with the given number of threads.
func (r *Roofs) CPUFMA(ctx context.Context, threads int) (Roof, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.fma[threads]; ok {
		return known, nil
	}
	rate, err := roof.FMA(ctx, threads)
	if err != nil {
		return Roof{}, fmt.Errorf("bench: %w", err)
	}
	if r.fma == nil {
		r.fma = map[int]Roof{}
	}
	r.fma[threads] = Roof{RoofFMA, rate.PerSecond / 1e9, how(rate)}
	return r.fma[threads], nil
}

// CPURead measures reading the same bytes again and again with the given number
// of threads; 0 bytes stand for more than the caches hold. A working set that fits
// a cache is read from there, by attention too, so its roof is the cache's.
func (r *Roofs) CPURead(ctx context.Context, threads int, bytes int64) (Roof, error) {
	const least = 1
	most := streamMB
	if total := TotalMemory(); total > 0 {
		most = int(max(least, min(uint64(most), total>>23))) // an eighth of memory
	}
	key := readKey{threads, most}
	if bytes > 0 && bytes < int64(most)<<20 {
		key.megabytes = max(least, int(bytes>>20))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.read[key]; ok {
		return known, nil
	}
	if len(r.data) < key.megabytes<<18 {
		r.data = ones(key.megabytes << 18)
	}
	rate, err := roof.Read(ctx, threads, r.data[:key.megabytes<<18])
	if err != nil {
		return Roof{}, fmt.Errorf("bench: %w", err)
	}
	if r.read == nil {
		r.read = map[readKey]Roof{}
	}
	r.read[key] = Roof{RoofRead, rate.PerSecond / 1e9, fmt.Sprintf("%s, %d MB", how(rate), key.megabytes)}
	return r.read[key], nil
}

func ones(n int) []float32 {
	data := make([]float32, n)
	for i := range data {
		data[i] = 1
	}
	return data
}

func how(rate roof.Rate) string {
	s := fmt.Sprintf("%s, %s", rate.Loop, threadCount(rate.Threads))
	if rate.Portable() {
		s += ", the compiler's limit and not the machine's"
	}
	return s
}

func threadCount(n int) string {
	if n == 1 {
		return "1 thread"
	}
	return fmt.Sprintf("%d threads", n)
}

// Lines describes all roofs measured so far, a line each.
func (r *Roofs) Lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for _, threads := range slices.Sorted(maps.Keys(r.fma)) {
		lines = append(lines, fmt.Sprintf("CPU %.4g GFLOP/s of multiply-adds (%s)", r.fma[threads].Value, r.fma[threads].How))
	}
	keys := slices.SortedFunc(maps.Keys(r.read), func(a, b readKey) int {
		return cmp.Or(cmp.Compare(a.threads, b.threads), cmp.Compare(a.megabytes, b.megabytes))
	})
	for _, key := range keys {
		lines = append(lines, fmt.Sprintf("CPU %.4g GB/s read (%s)", r.read[key].Value, r.read[key].How))
	}
	for _, g := range r.gpu {
		lines = append(lines, fmt.Sprintf("GPU %.4g GFLOP/s of multiply-adds, %.4g GB/s read (compute shaders, %d MB); upload %.4g, download %.4g GB/s",
			g.FMAGFLOPs, g.ReadGBs, g.ReadBufferMB, g.UploadGBs, g.DownloadGBs))
	}
	return lines
}

// GPU measures all roofs of a device.
func (r *Roofs) GPU(ctx context.Context, backend *gpu.Backend) (gpu.Roofs, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.gpu[backend]; ok {
		return known, nil
	}
	roofs, err := backend.MeasureRoofs(ctx)
	if err != nil {
		return roofs, fmt.Errorf("bench: roofs of the gpu: %w", err)
	}
	if r.gpu == nil {
		r.gpu = map[*gpu.Backend]gpu.Roofs{}
	}
	r.gpu[backend] = roofs
	return roofs, nil
}

// of returns the roof that bounds a problem on a backend: reading for decode, else
// multiply-adds. Backends that are not ours have none.
func (r *Roofs) of(ctx context.Context, backend attention.Backend, threads int, s Spec) (Roof, error) {
	switch b := backend.(type) {
	case *gpu.Backend:
		roofs, err := r.GPU(ctx, b)
		if s.Decode() {
			return Roof{RoofRead, roofs.ReadGBs, fmt.Sprintf("compute shader, %d MB", roofs.ReadBufferMB)}, err
		}
		return Roof{RoofFMA, roofs.FMAGFLOPs, "compute shader"}, err
	default:
		if threads == 0 {
			return Roof{Kind: kindOf(s)}, nil
		}
	}
	if s.Decode() {
		return r.CPURead(ctx, threads, s.Problem.Bytes())
	}
	return r.CPUFMA(ctx, threads)
}

func kindOf(s Spec) string {
	if s.Decode() {
		return RoofRead
	}
	return RoofFMA
}
