#!/bin/sh
# Prints the folders of operator test vectors that ATTN_VECTORS names, as a colon list in which a folder
# that only holds suites stands for each of them. A folder that is missing, or holds no case, is an error.
set -eu

holds_cases() {
	for file in "$1"/*/case.json; do
		[ -e "$file" ] && return 0
	done
	return 1
}

list=
add() { list=$list${list:+:}$1; }

old=$IFS
IFS=:
for dir in ${ATTN_VECTORS:-}; do
	IFS=$old
	[ -n "$dir" ] || continue
	if [ ! -d "$dir" ]; then
		echo "vectors: ATTN_VECTORS names $dir, which is not a folder" >&2
		exit 1
	fi
	# Tests run in the folder of their package, so the list must not be relative.
	dir=$(cd "$dir" && pwd)
	before=$list
	holds_cases "$dir" && add "$dir"
	for suite in "$dir"/*/; do
		holds_cases "${suite%/}" && add "${suite%/}"
	done
	if [ "$list" = "$before" ]; then
		echo "vectors: no case.json in $dir or its suites" >&2
		exit 1
	fi
done
[ -n "$list" ] || echo "vectors: ATTN_VECTORS is empty, so no operator vectors are run" >&2
echo "$list"
