# Targets for people and for CI. `make bench` and `make test` install what they need (scripts/deps.sh).

# Arguments for the command, as in: make bench ARGS="-h"
ARGS ?=

# A machine without a GPU fails the tests of the GPU backend, which need no more than Mesa's llvmpipe.
# ATTN_REQUIRE= (empty) lets them skip.
ATTN_REQUIRE ?= gpu
# Folders of operator test vectors, colon list; empty for none.
ATTN_VECTORS ?= $(abspath $(wildcard ../shared/vectors))
# llvmpipe keeps compiled shaders here, for all steps and the next run.
MESA_SHADER_CACHE_DIR ?= $(CURDIR)/.cache/mesa

STARTED := $(shell date +%s)
export STARTED ATTN_REQUIRE ATTN_VECTORS MESA_SHADER_CACHE_DIR

STEP := @scripts/step.sh
TOOL := go tool -modfile=tools/go.mod
# The limit of one test binary; software OpenGL is what may need it.
TIMEOUT ?= 12m

# Tests of numbers alone, which the race detector slows tenfold and learns nothing from; conform runs them.
NUMERIC := ^(TestConformance.*|TestShipped.*|TestFuzzSeeds|TestRandomProblems|TestReferenceCompiler|TestSharedBytes|TestBoundCatches|TestReferencePassesShortCases)$$

.NOTPARALLEL:
.PHONY: all bench build test deps fmt format vet staticcheck lint sizes shaders amdstat amdstat-check cross arm64 needed \
	test-race paths conform vectors fuzz-short benchstat bench-peers clean

all: build

## Use

bench: ## build bin/attnbench and run it
	@scripts/deps.sh bench; case $$? in \
	0) go build -o bin/attnbench ./cmd/attnbench ;; \
	2) CGO_ENABLED=0 go build -o bin/attnbench ./cmd/attnbench ;; \
	*) exit 1 ;; esac
	@bin/attnbench $(ARGS)

build: ## build bin/attnbench
	go build -o bin/attnbench ./cmd/attnbench

## Test: cheap checks first; go test's own summary is the last thing printed

test: deps fmt sizes vet staticcheck lint cross arm64 needed shaders amdstat-check test-race paths conform

deps:
	$(STEP) deps 'scripts/deps.sh test'

fmt:
	$(STEP) fmt 'scripts/fmt.sh'

format:
	gofmt -w -s .

sizes:
	$(STEP) sizes 'scripts/sizes.sh'

vet:
	$(STEP) vet 'go vet ./...; go vet -tags nogpu ./...; CGO_ENABLED=0 go vet ./...'

staticcheck:
	$(STEP) staticcheck '$(TOOL) staticcheck ./...; $(TOOL) staticcheck -tags nogpu ./...'

lint: sizes
	$(STEP) lint '$(TOOL) golangci-lint run ./...'

cross:
	$(STEP) cross 'scripts/cross.sh'

arm64:
	$(STEP) arm64 'scripts/arm64.sh'

needed:
	$(STEP) needed 'scripts/needed.sh'

shaders:
	$(STEP) shaders 'scripts/shaders.sh'

amdstat-check: ## no variant spills on AMD GPUs, which need not be there, and the table is up to date
	$(STEP) amdstat-check 'scripts/amdstat.sh check'

test-race:
	$(STEP) test-race 'go test -race -short -skip "$(NUMERIC)" -timeout $(TIMEOUT) ./...'

paths:
	$(STEP) paths 'scripts/paths.sh'

conform:
	@scripts/step.sh -q conform 'list=$$(scripts/vectors.sh); ATTN_VECTORS=$$list go test -timeout $(TIMEOUT) ./...'

vectors:
	@scripts/step.sh -q vectors 'list=$$(scripts/vectors.sh); [ -n "$$list" ]; ATTN_VECTORS=$$list go test -count=1 -timeout $(TIMEOUT) -run Vector ./...'

fuzz-short:
	$(STEP) fuzz-short 'scripts/fuzz.sh'

## Measure

benchstat: ## compare two files of go test -bench output: make benchstat OLD=old.txt NEW=new.txt
	$(TOOL) benchstat $(OLD) $(NEW)

amdstat: ## write bench/results/amdstat.md and .csv: what AMD's compiler makes of the shaders
	@scripts/amdstat.sh write

bench-peers: ## time other libraries beside the cpu backend, which are installed by apt-get and npm
	@scripts/peers.sh
	@CGO_ENABLED=0 go build -o bin/peers ./bench/peers
	@bin/peers $(ARGS)

clean:
	rm -rf bin .cache
