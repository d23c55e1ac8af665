#!/bin/sh
# Checks what the targets need beyond Go, git, make and a C compiler, and installs what is missing by
# apt-get where there is one. A second run finds everything and installs nothing.
#
#   scripts/deps.sh bench   what `make bench` needs; without it a CPU-only build is still possible
#   scripts/deps.sh test    what `make test` needs: bench, a software OpenGL, the shader compiler, readelf,
#                           Mesa's RADV, an emulator of arm64; the last two are optional where CI is not true
#
# Exit status: 0 all there; 1 something is missing that cannot be done without; 2 (bench only) the
# OpenGL parts are missing, so build with CGO_ENABLED=0 for the CPU only.
#
# Each need is looked for by the feature itself, never by a package name, so that every distribution and
# hand-made installation counts. ATTN_DEPS=check reports only and installs nothing.
set -u

mode=${1:-test}
case $mode in
bench | test) ;;
*)
	echo "usage: scripts/deps.sh bench|test" >&2
	exit 1
	;;
esac

say() { echo "deps: $*"; }

has_command() { command -v "$1" >/dev/null 2>&1; }

# The compiler that cgo will call, which is $CC, gcc or clang.
has_cc() {
	# shellcheck disable=SC2086,SC2046 # CC may carry flags; its first word is the program
	set -- ${CC:-$(go env CC 2>/dev/null)}
	has_command "${1:-cc}" || has_command cc
}

# ldconfig stands in /sbin, which is not on every user's PATH.
has_library() {
	PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | grep -q "[[:space:]]$1 " && return 0
	for dir in /lib /usr/lib /usr/local/lib /lib64 /usr/lib64 /usr/lib/*-linux-gnu* $(echo "${LD_LIBRARY_PATH:-}" | tr ':' ' '); do
		[ -e "$dir/$1" ] && return 0
	done
	return 1
}

# An EGL driver beside the loader: a vendor file, or a Mesa or vendor library without one.
has_egl_driver() {
	for file in /usr/share/glvnd/egl_vendor.d/*.json /etc/glvnd/egl_vendor.d/*.json /usr/local/share/glvnd/egl_vendor.d/*.json; do
		[ -e "$file" ] && return 0
	done
	has_library libEGL_mesa.so.0 || has_library libEGL_nvidia.so.0
}

# llvmpipe is swrast_dri.so in a Mesa before 24.2 or so, and part of libgallium after it. Distributions
# put either into a folder of their own choice.
has_llvmpipe() {
	for pattern in "${LIBGL_DRIVERS_PATH:-/nonexistent}"/swrast_dri.so \
		/usr/lib/*/dri/swrast_dri.so /usr/lib/dri/swrast_dri.so /usr/lib64/dri/swrast_dri.so \
		/usr/local/lib/*/dri/swrast_dri.so /usr/lib/xorg/modules/dri/swrast_dri.so \
		/usr/lib/*/libgallium-*.so /usr/lib/libgallium-*.so /usr/lib64/libgallium-*.so; do
		[ -e "$pattern" ] && return 0
	done
	return 1
}

# An arm64 machine runs the kernels of arm64 without an emulator.
has_arm64() { [ "$(uname -m)" = aarch64 ] || has_command qemu-aarch64 || has_command qemu-aarch64-static; }

# RADV compiles for GPUs that are not there; its manifest tells Vulkan's loader where it is.
has_radv() {
	for file in /usr/share/vulkan/icd.d/radeon_icd*.json /etc/vulkan/icd.d/radeon_icd*.json /usr/local/share/vulkan/icd.d/radeon_icd*.json; do
		[ -e "$file" ] && return 0
	done
	return 1
}

has_vulkan_pc() { has_command pkg-config && pkg-config --exists vulkan; }

has_gl_pc() { has_command pkg-config && pkg-config --exists gl; }

# has NEED looks for one need of the table by its feature.
has() {
	case $1 in
	cc) has_cc ;;
	gl.pc) has_gl_pc ;;
	egl) has_library libEGL.so.1 ;;
	egl-driver) has_egl_driver ;;
	llvmpipe) has_llvmpipe ;;
	radv) has_radv ;;
	vulkan.pc) has_vulkan_pc ;;
	qemu-aarch64) has_arm64 ;;
	*) has_command "$1" ;;
	esac
}

# Each line is: need | why | Debian packages | what it is called elsewhere.
table() {
	cat <<'TABLE'
make|runs the targets|make|make
cc|cgo and the race detector compile C|gcc libc6-dev|gcc or clang, with the C library's headers
pkg-config|finds the OpenGL headers for cgo|pkg-config|pkg-config or pkgconf
gl.pc|OpenGL headers and link name for go-gl|libgl-dev|the OpenGL (glvnd or Mesa) development package
egl|opens an OpenGL context without a window|libegl1|libEGL (glvnd)
egl-driver|an OpenGL driver behind libEGL|libegl-mesa0 libgl1-mesa-dri|the driver of your GPU, or Mesa's EGL and DRI drivers
TABLE
	[ "$mode" = test ] || return 0
	cat <<'TABLE'
llvmpipe|software OpenGL, on which the tests run every shader|libgl1-mesa-dri libegl-mesa0|Mesa's DRI drivers with llvmpipe
glslangValidator|the reference compiler that checks every shader|glslang-tools|glslang
readelf|shows which libraries the program links|binutils|binutils
unshare|proves that the program starts without libGL|util-linux|util-linux
ldd|names the libraries that the program needs|libc-bin|the C library's own tools
radv|compiles the shaders for AMD GPUs, which need not be there|mesa-vulkan-drivers|Mesa's Vulkan driver RADV
vulkan.pc|headers and loader for the program that asks RADV|libvulkan-dev|Vulkan's headers and loader
qemu-aarch64|runs the CPU kernels of arm64|qemu-user|qemu's user-mode emulators, qemu-user or qemu-linux-user
TABLE
}

# missing prints the lines of the table whose need is not there.
missing() {
	table | while IFS='|' read -r need why packages elsewhere; do
		has "$need" || echo "$need|$why|$packages|$elsewhere"
	done
}

list() {
	echo "$1" | while IFS='|' read -r need why packages elsewhere; do
		say "  $need: $why ($2: $([ "$2" = package ] && echo "$packages" || echo "$elsewhere"))"
	done
}

# apt installs the packages of the lines given; the list of packages is fetched once, and only here.
apt() {
	packages=$(echo "$1" | cut -d'|' -f3 | tr ' ' '\n' | sort -u | tr '\n' ' ')
	root=
	if [ "$(id -u)" -ne 0 ]; then
		if ! has_command sudo; then
			say "not root, and there is no sudo. As root, run:"
			say "  apt-get update && apt-get install -y --no-install-recommends $packages"
			return 1
		fi
		root=sudo
	fi
	say "installing by ${root:+$root }apt-get: $packages"
	log=$(mktemp) || return 1
	# shellcheck disable=SC2086 # a list of packages
	if $root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >"$log" 2>&1 &&
		$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >>"$log" 2>&1; then
		rm -f "$log"
		return 0
	fi
	say "apt-get failed:"
	tail -n 20 "$log" >&2
	rm -f "$log"
	return 1
}

if ! has_command go; then
	say "Go is missing: install Go 1.26 or later from https://go.dev/dl and put it on the PATH"
	exit 1
fi

if [ "$(uname -s)" != Linux ]; then
	if [ "$mode" = test ] && [ "${ATTN_REQUIRE-gpu}" = gpu ]; then
		say "the tests of the OpenGL backend run on Mesa's llvmpipe, which is set up here on Linux only;"
		say "test the rest with: make test-race conform ATTN_REQUIRE="
		exit 1
	fi
	has_cc && exit 0
	say "no C compiler: building for the CPU only"
	exit 2
fi

lacking=$(missing)
if [ -n "$lacking" ]; then
	say "missing:"
	if [ "${ATTN_DEPS:-install}" != check ] && has_command apt-get; then
		list "$lacking" package
		apt "$lacking"
		lacking=$(missing)
		[ -z "$lacking" ] && say "everything is there now" && exit 0
		say "still missing:"
	fi
	list "$lacking" install
	if [ "${CI:-}" != true ] && ! echo "$lacking" | grep -qvE '^(radv|vulkan\.pc|qemu-aarch64)\|'; then
		say "the tests that need those will say that they do not run"
		exit 0
	fi
	if [ "$mode" = bench ]; then
		# Without an EGL driver the GPU backend builds all the same and says that it finds no device.
		if has_cc && has_gl_pc; then
			say "the benchmark is built with the GPU backend, but will find no device"
			exit 0
		fi
		say "the benchmark is built for the CPU only; install the above and run it again for the GPU"
		exit 2
	fi
	exit 1
fi
