package bench

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"sync"

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
	cpu  map[cpuKey]measured
	gpu  map[*gpu.Backend]gpu.Roofs
	data []float32
}

// cpuKey names a roof of the processor.
type cpuKey struct {
	kind      string
	threads   int
	megabytes int // that are read
}

type measured struct {
	Roof
	tries int
}

// mostTries is how often a roof is measured at most, and slack what two roofs that
// are equal may seem to differ by.
const (
	mostTries = 3
	slack     = 0.95
)

// streamMB is the memory that the read roof of memory goes through: more than the
// last-level cache of nearly all processors.
const streamMB = 256

// CPUFMA measures float32 multiply-adds with the given number of threads.
func (r *Roofs) CPUFMA(ctx context.Context, threads int) (Roof, error) {
	return r.atLeast(ctx, cpuKey{kind: RoofFMA, threads: threads}, 0)
}

// CPURead measures reading the same bytes again and again with the given number
// of threads; 0 bytes stand for more than the caches hold. A working set that fits
// a cache is read from there, by attention too, so its roof is the cache's. Sizes
// are rounded down to 1, 2, 3, 4, 6, 8, 12, 16, … MB, which never lowers a roof.
func (r *Roofs) CPURead(ctx context.Context, threads int, bytes int64) (Roof, error) {
	return r.atLeast(ctx, readKey(threads, bytes), 0)
}

func readKey(threads int, bytes int64) cpuKey {
	const least = 1
	most := streamMB
	if total := TotalMemory(); total > 0 {
		most = int(max(least, min(uint64(most), total>>23))) // an eighth of memory
	}
	key := cpuKey{RoofRead, threads, most}
	if bytes > 0 && bytes < int64(most)<<20 {
		key.megabytes = max(least, roundMB(int(bytes>>20)))
	}
	return key
}

// atLeast returns a roof of the processor, measured unless it is known. One that a
// program exceeded, by the rate seen, or below that of reading more memory was
// measured low, since other programs ran: it is measured again, and the best counts.
func (r *Roofs) atLeast(ctx context.Context, key cpuKey, seen float64) (Roof, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.cpu[key]
	for other, roof := range r.cpu {
		if key.kind == RoofRead && other.kind == RoofRead && other.threads == key.threads && other.megabytes > key.megabytes {
			seen = max(seen, slack*roof.Value)
		}
	}
	for known.tries == 0 || seen > known.Value && known.tries < mostTries {
		rate, err := r.measure(ctx, key)
		if err != nil {
			return known.Roof, fmt.Errorf("bench: %w", err)
		}
		known.tries++
		if value := rate.PerSecond / 1e9; value > known.Value {
			known.Roof = Roof{key.kind, value, how(rate) + sizeOf(key)}
		}
		if r.cpu == nil {
			r.cpu = map[cpuKey]measured{}
		}
		r.cpu[key] = known
	}
	return known.Roof, nil
}

func (r *Roofs) measure(ctx context.Context, key cpuKey) (roof.Rate, error) {
	if key.kind == RoofFMA {
		return roof.FMA(ctx, key.threads)
	}
	return roof.Read(ctx, key.threads, r.stream(key))
}

// stream returns what a read roof goes through.
func (r *Roofs) stream(key cpuKey) []float32 {
	if len(r.data) < key.megabytes<<18 {
		r.data = ones(key.megabytes << 18)
	}
	return r.data[:key.megabytes<<18]
}

// sizeOf ends the description of a read roof.
func sizeOf(key cpuKey) string {
	if key.kind != RoofRead {
		return ""
	}
	return fmt.Sprintf(", %d MB", key.megabytes)
}

// roundMB rounds a size down to a power of two or to one and a half of it: near
// enough for a roof, and few enough that a sweep over many sizes measures only some.
func roundMB(megabytes int) int {
	if megabytes < 2 {
		return megabytes
	}
	power := 1 << (bits.Len(uint(megabytes)) - 1)
	if megabytes >= power+power/2 {
		return power + power/2
	}
	return power
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

// Lines describes all roofs measured so far: a line for the multiply-adds and one
// for the reads of each number of threads, and one for each device.
func (r *Roofs) Lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	keys := slices.SortedFunc(maps.Keys(r.cpu), func(a, b cpuKey) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.threads, b.threads), cmp.Compare(a.megabytes, b.megabytes))
	})
	for len(keys) > 0 {
		first, rates := keys[0], ""
		for ; len(keys) > 0 && keys[0].kind == first.kind && keys[0].threads == first.threads; keys = keys[1:] {
			rates += fmt.Sprintf(", %.4g of %d MB", r.cpu[keys[0]].Value, keys[0].megabytes)
		}
		known := r.cpu[first]
		if first.kind == RoofFMA {
			lines = append(lines, fmt.Sprintf("CPU %.4g GFLOP/s of multiply-adds (%s)", known.Value, known.How))
			continue
		}
		lines = append(lines, fmt.Sprintf("CPU GB/s read again and again: %s (%s)", strings.TrimPrefix(rates, ", "), strings.TrimSuffix(known.How, sizeOf(first))))
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
