#!/bin/sh
# Runs one step of `make test` under a heading, and prints how long it took.
#
#   scripts/step.sh NAME COMMAND      COMMAND is one line for sh
#   scripts/step.sh -q NAME COMMAND   no line at the end, so that the command's own summary stands last
#
# STARTED, seconds since the epoch, makes the heading tell the time since the whole run began.
set -u

quiet=
[ "$1" = -q ] && quiet=1 && shift
name=$1
command=$2

begin=$(date +%s)
echo "== $name (at $((begin - ${STARTED:-$begin})) s)"
sh -eu -c "$command"
status=$?
if [ "$status" -ne 0 ]; then
	echo "== $name: FAILED after $(($(date +%s) - begin)) s" >&2
	exit "$status"
fi
[ -n "$quiet" ] || echo "== $name: $(($(date +%s) - begin)) s"
