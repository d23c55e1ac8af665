#!/bin/sh
# Runs the tests of the CPU backend on each set of kernels that this machine has, but the one that is used by
# itself, which the other steps test. What the machine lacks is named.
set -eu

export CGO_ENABLED=0
mkdir -p .cache
go build -o .cache/attnbench ./cmd/attnbench
kernels=$(.cache/attnbench info | sed -n 's/^kernels *//p')
echo "kernels of this machine: $kernels"
list=$(scripts/vectors.sh)
first=yes
for name in $kernels; do
	if [ -n "$first" ]; then
		first=
		continue
	fi
	echo "-- $name"
	ATTN_CPU=$name ATTN_VECTORS=$list go test -timeout "${TIMEOUT:-12m}" ./cpu
	# The operator vectors, on the CPU backends.
	ATTN_REQUIRE= ATTN_CPU=$name ATTN_VECTORS=$list go test -tags nogpu -timeout "${TIMEOUT:-12m}" -run Vector ./verify/vectors
done
