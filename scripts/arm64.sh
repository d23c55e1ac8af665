#!/bin/sh
# Runs the tests of the CPU kernels and of the CPU backend as arm64 programs, on an emulated processor,
# which shows whether results are right but not how fast they come. Left out are fuzz seeds, for time, and
# what runs the Go command again. Two minutes on one core.
set -eu

# Each word of the generator is compared with that of another assembler, on any machine.
go test ./internal/kernel/_neon

if [ "$(uname -s)/$(uname -m)" = Linux/aarch64 ]; then
	echo "this is an arm64 machine: its own tests run the kernels"
	exit 0
fi
emulator=$(command -v qemu-aarch64 || command -v qemu-aarch64-static || true)
if [ -z "$emulator" ]; then
	echo "arm64: NOT RUN: the kernels of arm64, for want of qemu-aarch64 (Debian: qemu-user)" >&2
	[ "${CI:-}" != true ]
	exit
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# run PACKAGE ARGUMENT... runs the tests of a package in its folder.
run() {
	package=$1
	shift
	binary=$dir/$(basename "$package").test
	[ -e "$binary" ] || CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go test -c -o "$binary" "./$package"
	(cd "$package" && "$emulator" "$binary" -test.short -test.timeout 5m "$@")
}

echo "kernels"
run internal/kernel -test.skip '^TestGenerated'
echo "CPU backend"
run cpu -test.skip '^TestFuzzSeeds$'
echo "CPU backend without assembly"
ATTN_CPU=go run cpu -test.run '^TestBackend'
