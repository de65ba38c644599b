#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build an optimised tree outside of the source: etc/build.sh FOLDER [configure options].
#
# Safe to call from several processes at once (one lock on the source tree, because make may run
# automake again there) and again later (only what changed is built). What the tools print goes to
# FOLDER/build.log; its last lines are shown when something fails. PUSHD_BUILD_JOBS limits make.
set -eu

if [ $# -lt 1 ] || [ "$1" = --help ]; then
    echo "usage: etc/build.sh FOLDER [configure options]" >&2
    exit 64
fi

source_dir=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
build_dir=$(cd "$1" && pwd)
shift
log=$build_dir/build.log

exec 9<"$source_dir/configure.ac"
flock 9
: >"$log"

fail() {
    echo "build: $1 failed; the last lines of $log:" >&2
    tail -n 25 "$log" | sed 's/^/    /' >&2
    exit 1
}

cpus=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
# A compiler needs some 300 MB at worst: fewer jobs than cores on a small machine.
memory_mb=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo 2>/dev/null)
jobs=$((${memory_mb:-1024} / 300))
[ "$jobs" -le "$cpus" ] || jobs=$cpus
[ "$jobs" -ge 1 ] || jobs=1

# Later changes of configure.ac and the make fragments are noticed by make itself.
if [ ! -f "$source_dir/configure" ] || [ ! -f "$source_dir/Makefile.in" ]; then
    (cd "$source_dir" && autoreconf -i) >>"$log" 2>&1 9<&- || fail autoreconf
fi
cd "$build_dir"
if [ ! -f config.status ] || [ $# -gt 0 ]; then
    "$source_dir/configure" --quiet "$@" >>"$log" 2>&1 9<&- || fail configure
fi
make -j "${PUSHD_BUILD_JOBS:-$jobs}" >>"$log" 2>&1 9<&- || fail make
