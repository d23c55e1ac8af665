#!/bin/sh
# Writes every shader variant that the GPU backend can ask for, as it would be sent to the driver, and
# compiles each with the Khronos reference compiler under the rules of OpenGL and of Vulkan.
#
#   scripts/shaders.sh [DIR]   keeps the sources in DIR
set -eu

if [ $# -gt 0 ]; then
	dir=$1
	mkdir -p "$dir"
else
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
fi

go run ./internal/cmd/shaders -o "$dir"

count=$(find "$dir" -name '*.comp' | wc -l)
if [ "$count" -eq 0 ]; then
	echo "shaders: internal/cmd/shaders wrote no variant" >&2
	exit 1
fi

# glslangValidator links what it is given together, so each variant has a process of its own. 255 makes
# xargs stop, since one mistake in a shared part would fail hundreds of variants.
# shellcheck disable=SC2016 # expanded by the inner shell
find "$dir" -name '*.comp' -print0 | sort -z | xargs -0 -P "$(getconf _NPROCESSORS_ONLN)" -n 1 sh -c '
	for target in opengl vulkan1.0; do
		log=$(glslangValidator --target-env $target -S comp -o /dev/null "$0") && continue
		printf "%s: refused under the rules of %s:\n%s\n" "$0" "$target" "$log" >&2
		exit 255
	done'
echo "$count variants compile under the rules of OpenGL and of Vulkan"
