#!/bin/sh
# Compiles the shaders for AMD GPUs that need not be present, with Mesa's RADV driver, and looks at registers.
#
#   scripts/amdstat.sh write   writes bench/results/amdstat.md and .csv
#   scripts/amdstat.sh check   fails if a variant spills or if those files are old; with other versions of
#                              Mesa or glslang than they were made by, only if a variant spills
#
# Without the driver, the Vulkan headers or glslangValidator a check says so and passes, but fails where CI=true.
set -eu

mode=${1:-}
case $mode in
write) action=-o ;;
check) action=-check ;;
*)
	echo "usage: scripts/amdstat.sh write|check" >&2
	exit 1
	;;
esac

cannot() {
	echo "amdstat: NO SHADER COMPILED FOR AMD GPUS: $*" >&2
	echo "amdstat: needs a C compiler, glslangValidator, Mesa's RADV and Vulkan's loader and headers; scripts/deps.sh test" >&2
	[ "$mode" = check ] && [ "${CI:-}" != true ] && exit 0
	exit 1
}

driver=
for file in /usr/share/vulkan/icd.d/radeon_icd*.json /etc/vulkan/icd.d/radeon_icd*.json /usr/local/share/vulkan/icd.d/radeon_icd*.json; do
	[ -e "$file" ] && driver=$file && break
done
[ -n "$driver" ] || cannot "Mesa's RADV is not installed"
command -v glslangValidator >/dev/null 2>&1 || cannot "there is no glslangValidator"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$(${CC:-cc} -O1 -o "$work/radv" internal/cmd/amdstat/radv/radv.c -lvulkan 2>&1) || cannot "radv.c does not compile: $log"

# The loader took VK_ICD_FILENAMES before it took VK_DRIVER_FILES.
VK_DRIVER_FILES=$driver VK_ICD_FILENAMES=$driver MESA_SHADER_CACHE_DISABLE=true \
	go run ./internal/cmd/amdstat -radv "$work/radv" "$action" bench/results
