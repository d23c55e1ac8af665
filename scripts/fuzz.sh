#!/bin/sh
# Runs every fuzz target for FUZZTIME (10s unless told), one after another: go test takes one at a time.
set -eu

time=${FUZZTIME:-10s}
found=
for package in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' ./...); do
	# Read from the sources: asking each test binary would link all of them first.
	# shellcheck disable=SC2013 # the name of a function is one word
	for target in $(grep -h -o -E '^func Fuzz[A-Za-z0-9_]*' "$package"/*_test.go | cut -d' ' -f2 | sort -u); do
		echo "$target in $package"
		go test -run='^$' -fuzz="^$target\$" -fuzztime="$time" -timeout=10m "$package"
		found=1
	done
done
[ -n "$found" ] || echo "there is no fuzz target"
