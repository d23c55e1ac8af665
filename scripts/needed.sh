#!/bin/sh
# Proves that a program linking the library starts on a machine without libGL, libEGL and libX11.
#
# Builds bin/attnbench with cgo and without, checks that the one links nothing but the C library and the
# other nothing at all, and runs both in a root that holds the program and the libraries it names, and
# nothing else: there they must start and answer for the CPU.
#
# Works on Linux only, as root, or as a user where the kernel lets users make namespaces.
set -eu

fail() {
	echo "needed: $*" >&2
	exit 1
}

[ "$(uname -s)" = Linux ] || fail "readelf and chroot are used here as on Linux"

# What glibc consists of. A library that is not in this list is one that a machine may lack.
glibc='libc\.so\.6|ld-linux[a-z0-9_-]*\.so\.[0-9]+|libpthread\.so\.0|libdl\.so\.2|libresolv\.so\.2'

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# enter runs a command in $root.
if [ "$(id -u)" -eq 0 ] && chroot / true 2>/dev/null; then
	enter() { chroot "$root" "$@"; }
elif unshare -r chroot / true 2>/dev/null; then
	enter() { unshare -r chroot "$root" "$@"; }
else
	fail "neither chroot (as root) nor unshare -r (as a user) is allowed here, so nothing can be proved; run it as root"
fi

# fill makes the smallest root in which PROGRAM can start.
fill() {
	rm -rf "${root:?}"/*
	mkdir -p "$root/tmp"
	cp "$1" "$root/attnbench"
	ldd "$1" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
		mkdir -p "$root$(dirname "$library")"
		cp -L "$library" "$root$library"
	done
	! find "$root" | grep -E 'lib(GL|EGL|X11|OpenGL)' || fail "$1 brings a graphics library along"
}

# What the program is asked there, one command a line; each must succeed, and name the CPU backend.
questions='info
bench -backend auto,cpu -shape h=2,l=40,d=16,causal=bottom-right -time 10ms'

# answers asks the program that fill put into the root.
answers() {
	echo "$questions" | while read -r question; do
		# shellcheck disable=SC2086 # a question is a list of arguments
		if ! said=$(enter /attnbench $question 2>&1 </dev/null); then
			echo "$said" >&2
			fail "$1: attnbench $question failed where there is no libGL"
		fi
		if ! echo "$said" | grep -q -i -w cpu; then
			echo "$said" >&2
			fail "$1: attnbench $question does not name the CPU backend"
		fi
	done
}

mkdir -p bin
CGO_ENABLED=1 go build -o bin/attnbench ./cmd/attnbench
needed=$(readelf -d bin/attnbench | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
extra=$(echo "$needed" | grep -v -x -E "$glibc" || true)
[ -z "$extra" ] || fail "the program links $(echo "$extra" | tr '\n' ' ')besides the C library"
fill bin/attnbench
answers "with cgo"
echo "with cgo: links $(echo "$needed" | tr '\n' ' ')and runs without libGL"

CGO_ENABLED=0 go build -o "$root.static" ./cmd/attnbench
trap 'rm -rf "$root" "$root.static"' EXIT
readelf -d "$root.static" | grep -q '(NEEDED)' && fail "CGO_ENABLED=0 links $(readelf -d "$root.static" | grep NEEDED)"
fill "$root.static"
answers "without cgo"
echo "without cgo: links nothing and runs without libGL"
