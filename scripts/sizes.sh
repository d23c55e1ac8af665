#!/bin/sh
# Prints source files over 450 lines and functions over 60, and fails if there is one.
# Functions of tests, generated files and assembly are exempt.
set -eu

max_file=450
max_function=60

files=$(find . \( -name .git -o -name .cache -o -name bin -o -name testdata -o -name gen \) -prune -o \
	-type f \( -name '*.go' -o -name '*.glsl' -o -name '*.comp' -o -name '*.c' -o -name '*.h' \) -print | sort |
	while read -r file; do
		head -n 5 "$file" | grep -q '^// Code generated .* DO NOT EDIT\.$' || echo "$file"
	done)

# gofmt puts `func` and the closing brace of a function at the start of a line and nothing else there;
# the GLSL and C here are kept the same way, with the opening brace at the end of the signature.
# shellcheck disable=SC2086 # no source file here has a space in its name
found=$(awk -v max_file=$max_file -v max_function=$max_function '
	function close_file() {
		if (name != "" && lines > max_file) printf "%s: %d lines (limit %d)\n", name, lines, max_file
	}
	FNR == 1 { close_file(); name = FILENAME; start = 0; test = name ~ /_test\.go$/; go = name ~ /\.go$/ }
	{ lines = FNR }
	test { next }
	go && /^func / && !/}$/ { start = FNR; signature = $0 }
	!go && /^[a-z].*[)] *[{]$/ { start = FNR; signature = $0 }
	/^}/ && start {
		# The lines of the body, without the signature and the closing brace.
		body = FNR - start - 1
		if (body > max_function) printf "%s:%d: %d lines (limit %d): %s\n", name, start, body, max_function, signature
		start = 0
	}
	END { close_file() }
' $files)
[ -z "$found" ] && exit 0
echo "$found" >&2
exit 1
