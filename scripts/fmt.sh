#!/bin/sh
# Fails, and names the files, where gofmt would change one. `make format` writes them.
set -eu

changed=$(gofmt -l -s .)
[ -z "$changed" ] && exit 0
echo "gofmt would change these; run make format:" >&2
echo "$changed" >&2
exit 1
