#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything that is checked without building: one line a check, findings below it. make lint runs it.
#
#   sh tests/lint/run.sh [--strict]    with --strict a missing tool is a failure
#   sh tests/lint/run.sh --format      rewrites the C files as clang-format 14 wants them
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"
passed=0 failed=0 skipped=0 strict=
work=$(mktemp -d "${TMPDIR:-/tmp}/pushd-lint.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

tree() { # PATTERN...: files of the project, generated ones left out
    for pattern in "$@"; do
        find . \( -name .git -o -name 'build*' -o -name _build -o -name autom4te.cache -o -name '*.in' \) -prune \
            -o -type f -name "$pattern" -print
    done | sort
}

c_files() { tree '*.[ch]' | grep -v '/unit\.h$'; } # it keeps its own order of includes

shell_files() {
    tree '*.sh'
    find ./.ci ./tests/compat ./etc -type f -perm -u+x ! -name '*.sh' ! -name '*.py' 2>/dev/null |
        while read -r file; do
            if head -n 1 "$file" | grep -q '^#!.*[/ ]\(ba\)\{0,1\}sh'; then echo "$file"; fi
        done
}

first_of() {
    for tool in "$@"; do
        if command -v "$tool" >/dev/null 2>&1; then
            echo "$tool"
            return 0
        fi
    done
    return 1
}

# Each check prints findings; its status is 0 for none, 77 for a tool that is not there, else failure.
check_selftest() { python3 "$here/check.py" --selftest; }
check_rules() { python3 "$here/check.py"; }
check_python() {
    tree '*.py' >"$work/python"
    { cat "$work/python"; echo ./tests/compat/launch; } | while read -r file; do
        [ ! -f "$file" ] || echo "$file"
    done | python3 -c 'import sys
for path in sys.stdin.read().split():
    compile(open(path, encoding="utf-8").read(), path, "exec")'
}
check_shell() {
    command -v shellcheck >/dev/null 2>&1 || return 77
    # shellcheck disable=SC2046 # our file names have no blanks
    shellcheck $(shell_files)
}
check_man() {
    command -v mandoc >/dev/null 2>&1 || return 77
    # The style level knows operating systems; we write for all of them.
    # shellcheck disable=SC2046
    mandoc -T lint -W warning $(tree '*.[1-8]')
}
check_format() {
    [ -f .clang-format ] || return 77
    clang_format=$(first_of clang-format-14) || return 77
    # shellcheck disable=SC2046
    "$clang_format" --dry-run -Werror $(c_files) 2>"$work/format" && return 0
    sed -n 's/^\([^:]*:[0-9]*\):.*error.*/\1: not as clang-format 14 writes it/p' "$work/format" |
        awk -F: '{n[$1]++; if (n[$1] == 1) first[$1] = $2} END {for (f in n) print f ":" first[f] ": " n[f] " places are not as clang-format 14 writes them; sh tests/lint/run.sh --format"}' | sort
    return 1
}
check_lua() {
    luac=$(first_of luac5.1 luac) || return 77
    for file in $(tree '*.lua'); do
        "$luac" -p "$file"
    done
}
check_json() {
    for file in $(tree '*.json' | grep -v '/tests/unit/data/'); do
        python3 -m json.tool "$file" /dev/null || { echo "$file is not JSON"; return 1; }
    done
}

run() { # NAME WORDS
    status=0
    "check_$1" >"$work/out" 2>&1 || status=$?
    if [ "$status" -eq 77 ] && [ -z "$strict" ]; then
        skipped=$((skipped + 1))
        echo "skip lint $1: the tool is not installed"
    elif [ "$status" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok   lint $1: $2"
    else
        failed=$((failed + 1))
        echo "FAIL lint $1: $2"
        head -n 60 "$work/out" | sed 's/^/     /'
    fi
}

case ${1:-} in
--format)
    tool=$(first_of clang-format-14) || { echo "clang-format-14 is not installed"; exit 1; }
    # shellcheck disable=SC2046
    exec "$tool" -i $(c_files)
    ;;
--strict) strict=yes ;;
esac

run selftest "each rule finds what it is there to find"
run rules "layers, homes of headers, sizes, heads, marks, names, sleeps"
run python "Python files compile"
run shell "shellcheck is quiet"
run man "mandoc is quiet about the man pages"
run format "C files are formatted"
run lua "Redis scripts compile"
run json "JSON files parse"
echo "lint: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
