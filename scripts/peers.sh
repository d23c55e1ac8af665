#!/bin/sh
# Installs what `make bench-peers` times beside the cpu backend: OpenBLAS and oneDNN by apt-get, ONNX
# Runtime by npm into .cache/peers. A second run finds everything and installs nothing.
#
# Whatever cannot be had is said and left out: the table then tells why, so the exit status is always 0.
# ATTN_DEPS=check reports only and installs nothing, as in scripts/deps.sh.
set -u

# The version is fixed, so that numbers of two days compare.
runtime=onnxruntime-node@1.30.0
folder=.cache/peers/node

say() { echo "peers: $*"; }

has_command() { command -v "$1" >/dev/null 2>&1; }

# links reports whether a C program that includes a header links with a library.
links() {
	has_command cc || return 1
	# shellcheck disable=SC2046 # flags are words
	echo "#include <$3>
int main(void) { return 0; }" | cc -x c - $(pkg-config --cflags --libs "$1" 2>/dev/null) "$2" -o /dev/null 2>/dev/null
}

has() {
	case $1 in
	openblas) links openblas -lopenblas cblas.h ;;
	onednn) links dnnl -ldnnl oneapi/dnnl/dnnl.h ;;
	openmp) echo 'int main(void) { return 0; }' | cc -fopenmp -x c - -o /dev/null 2>/dev/null ;;
	*) has_command "$1" ;;
	esac
}

# Each line is: need | Debian packages.
missing() {
	while IFS='|' read -r need packages; do
		has "$need" || echo "$need|$packages"
	done <<'TABLE'
cc|gcc libc6-dev
openmp|gcc libc6-dev
openblas|libopenblas-dev
onednn|libdnnl-dev
node|nodejs
npm|npm
TABLE
}

# root runs a command as root.
root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif has_command sudo; then
		sudo "$@"
	else
		echo "not root, and there is no sudo"
		return 1
	fi
}

# install takes packages one by one: what one distribution lacks must not keep the others out.
install() {
	log=$(mktemp) || return
	root apt-get update -qq >"$log" 2>&1
	for package in $1; do
		say "installing $package by apt-get"
		root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >"$log" 2>&1 ||
			say "$package: $(tail -n 1 "$log")"
	done
	rm -f "$log"
}

lacking=$(missing)
if [ -n "$lacking" ]; then
	packages=$(echo "$lacking" | cut -d'|' -f2 | tr ' ' '\n' | sort -u | tr '\n' ' ')
	if [ "${ATTN_DEPS:-install}" != check ] && has_command apt-get; then
		install "$packages"
		lacking=$(missing)
	fi
	[ -z "$lacking" ] || say "not there: $(echo "$lacking" | cut -d'|' -f1 | tr '\n' ' ')(on Debian: $packages)"
fi

# The package carries its CPU library; its install script would fetch others, for GPUs.
if [ -e "$folder/node_modules/onnxruntime-node/package.json" ] &&
	grep -q "\"version\": \"${runtime#*@}\"" "$folder/node_modules/onnxruntime-node/package.json"; then
	exit 0
fi
if [ "${ATTN_DEPS:-install}" = check ] || ! has_command npm; then
	say "not there: $runtime (npm install --ignore-scripts --prefix $folder $runtime)"
	exit 0
fi
say "installing $runtime by npm into $folder"
mkdir -p "$folder"
out=$(npm install --ignore-scripts --no-audit --no-fund --prefix "$folder" "$runtime" 2>&1) ||
	say "$runtime: $(echo "$out" | grep -m 1 'npm error' || echo "npm failed")"
exit 0
