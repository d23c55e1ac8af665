#!/bin/sh
# Builds every package, and the command, for the platforms that no test runs on. Vet goes along where the
# assembly differs, because it compares assembly with its Go declarations.
set -eu

build() {
	echo "$1"
	shift
	env "$@" go build ./...
}

build "linux/arm64, without cgo" CGO_ENABLED=0 GOOS=linux GOARCH=arm64
build "windows/amd64, without cgo" CGO_ENABLED=0 GOOS=windows GOARCH=amd64
build "darwin/arm64, without cgo" CGO_ENABLED=0 GOOS=darwin GOARCH=arm64
build "linux/amd64, tag nogpu" GOOS=linux GOARCH=amd64 GOFLAGS="${GOFLAGS:-} -tags=nogpu"

CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go vet ./...
