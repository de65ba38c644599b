#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs every test of pushd: installs what they need, builds with sanitizers, and ends with one line
# "N passed, N failed, N skipped". The exit status is 1 if anything failed.
set -eu

usage() {
    cat <<'EOF'
usage: sh tests/run.sh [--only PATTERN]... [--list] [--no-install] [-j N] [--keep]

  --only PATTERN   only the tests whose name matches (shell pattern, or a part of the name); lint.*, unit.*,
                   golden and AREA.NAME of the integration tests
  --list           name the tests and stop
  --no-install     install nothing; tests whose tools are missing are skipped
  -j N             how many at a time (default: number of cores)
  --keep           keep the folder of the build and the logs of failed tests

environment: PUSHD_TEST_BUILD=FOLDER builds there and keeps it, so that the next run is faster;
             PUSHD_TEST_ARTIFACTS=FOLDER receives screenshots;
             PUSHD_SEED=N repeats the choices of the model test, PUSHD_MODEL_SECONDS=N acts for that long
EOF
}

root=$(cd "$(dirname "$0")/.." && pwd)
only='' list='' install=yes jobs=$(nproc 2>/dev/null || echo 2) keep='' patterns=''
while [ $# -gt 0 ]; do
    case $1 in
    --only)
        [ $# -ge 2 ] || { usage >&2; exit 64; }
        patterns="$patterns $2"
        shift
        ;;
    --only=*) patterns="$patterns ${1#*=}" ;;
    --list) list=yes ;;
    --no-install) install= ;;
    -j) [ $# -ge 2 ] || { usage >&2; exit 64; }
        jobs=$2
        shift ;;
    -j*) jobs=${1#-j} ;;
    --keep) keep=yes ;;
    -h | --help) usage; exit 0 ;;
    *) echo "run.sh: unknown option $1" >&2; usage >&2; exit 64 ;;
    esac
    shift
done
case $jobs in
'' | *[!0-9]* | 0) echo "run.sh: -j takes a number" >&2; exit 64 ;;
esac
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

# Whether a part of the run has tests that --only wants. A pattern with a dot names an area.
wanted() {
    [ -n "$patterns" ] || return 0
    for pattern in $patterns; do
        case $pattern in
        "$1" | "$1".*) return 0 ;;
        esac
    done
    return 1
}

for pattern in $patterns; do
    case $pattern in
    lint | lint.* | unit | unit.* | golden) ;;
    *) only="$only --only $pattern" ;;
    esac
done

if [ -n "$list" ]; then
    printf '%-60s %s\n' lint "what is checked without building (tests/lint)" \
        unit "unit tests and replays of the fuzz corpora (make check)" \
        golden "recorded scenarios of what is built (../shared/golden, when it is there)"
    # shellcheck disable=SC2086 # a list of words
    exec python3 "$root/tests/integration/run.py" --list $only
fi

# ----------------------------------------------------------------------------------------- messages

begun=$(date +%s)
hang_seconds=3600 # ends what hangs; a busy machine does not need so long
step() { printf '\n==> %s (at %d s)\n' "$*" "$(($(date +%s) - begun))"; }
passed=0 failed=0 skipped=0 trouble=''
count() { # PASSED FAILED SKIPPED
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}
# Adds the "N passed, N failed, N skipped" at the end of a log; a log without one is a failure.
count_line() { # LOG NAME
    line=$(sed -n 's/^\(lint: \)\{0,1\}\([0-9][0-9]*\) passed, \([0-9][0-9]*\) failed, \([0-9][0-9]*\) skipped$/\2 \3 \4/p' "$1" | tail -n 1)
    if [ -n "$line" ]; then
        # shellcheck disable=SC2086 # three numbers
        count $line
    else
        count 0 1 0
        echo "FAIL $2 did not finish; its last lines:"
        tail -n 20 "$1" | sed 's/^/     /'
    fi
}

# ----------------------------------------------------------------------------------------- clean up

if [ -n "${PUSHD_TEST_BUILD:-}" ]; then
    mkdir -p "$PUSHD_TEST_BUILD"
    work=$(cd "$PUSHD_TEST_BUILD" && pwd)
    keep=yes
else
    work=$(mktemp -d "${TMPDIR:-/tmp}/pushd-tests.XXXXXX")
fi
build=$work/build node=$work/node logs=$work/logs
mkdir -p "$build" "$node" "$logs"
child=''
policy_written=''
sudo=''
cleanup() {
    status=$?
    trap - EXIT
    trap '' INT TERM HUP
    [ -z "$policy_written" ] || $sudo rm -f /usr/sbin/policy-rc.d
    if [ -n "$child" ]; then
        kill -TERM -- "-$child" 2>/dev/null || :
        wait "$child" 2>/dev/null || :
    fi
    if [ -n "$keep" ]; then echo "kept: $work"; else rm -rf "$work"; fi
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Runs a command in a process group of its own, so that a signal to us reaches all of it.
run() { # LOG COMMAND...
    log=$1
    shift
    set +e
    setsid "$@" </dev/null >"$log" 2>&1 &
    child=$!
    wait "$child"
    status=$?
    child=''
    set -e
    return "$status"
}

run_shown() { # LOG COMMAND...: the same, with its lines shown as they come
    log=$1
    shift
    : >"$log"
    set +e
    setsid "$@" </dev/null >"$log" 2>&1 &
    child=$!
    tail -n +1 -f --pid="$child" "$log" 2>/dev/null | grep -v '^[0-9]* passed, ' &
    shown=$!
    wait "$child"
    status=$?
    child=''
    wait "$shown" 2>/dev/null
    set -e
    return "$status"
}

# ------------------------------------------------------------------------------------------ install

packages="gcc libc6-dev make autoconf automake pkg-config curl ca-certificates openssl python3
    libwebsockets-dev libwebsockets-evlib-ev libev-dev libhiredis-dev libfcgi-dev libmicrohttpd-dev libjwt-dev
    libjansson-dev libssl-dev liburing-dev zlib1g-dev libcurl4-openssl-dev libcmocka-dev redis-server nginx lighttpd
    lighttpd-mod-openssl apache2-bin spawn-fcgi systemd mandoc shellcheck clang-format-14 lua5.1 procps"

missing_packages() {
    for package in $packages; do
        case $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) in
        ii*) ;;
        *) echo "$package" ;;
        esac
    done
    # These are often there from elsewhere than Debian.
    command -v node >/dev/null 2>&1 || echo nodejs
    command -v npm >/dev/null 2>&1 || echo npm
    command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || echo chromium
}

# What this distribution does not have (clang-format-14 on a newer one) is left out: its tests are skipped.
known() {
    for package in "$@"; do
        if [ -n "$(apt-cache policy "$package" 2>/dev/null | sed -n 's/^ *Candidate: \([^(].*\)/\1/p')" ]; then
            echo "$package"
        else
            echo "     $package is not to be had here" >&2
        fi
    done
}

install_packages() {
    command -v apt-get >/dev/null 2>&1 || { echo "     no apt-get here: taking for granted that the tools are there"; return 0; }
    missing=$(missing_packages)
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || { echo "     neither root nor sudo; not installed:" "$missing"; return 0; }
        sudo=sudo
    fi
    # Debian starts a daemon when its package is installed; here they are wanted as programs only.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >"$work/policy-rc.d"
        policy_written=yes
        $sudo install -m 755 "$work/policy-rc.d" /usr/sbin/policy-rc.d
    fi
    run "$logs/apt.log" $sudo apt-get -q update || echo "     apt-get update failed; see below if packages are missing"
    # shellcheck disable=SC2046,SC2086 # lists of words
    set -- $(known $missing)
    if [ $# -gt 0 ] && ! run "$logs/apt.log" $sudo env DEBIAN_FRONTEND=noninteractive apt-get -y -q install \
        --no-install-recommends "$@"; then
        echo "     apt-get install failed; its last lines:"
        tail -n 8 "$logs/apt.log" | sed 's/^/     /'
    fi
    if [ -n "$policy_written" ]; then
        $sudo rm -f /usr/sbin/policy-rc.d
        policy_written=''
    fi
}

install_npm() {
    [ ! -d "$node/node_modules/centrifuge" ] || [ ! -d "$node/node_modules/ws" ] || return 0
    command -v npm >/dev/null 2>&1 || { echo "     no npm: the tests of the SDK are skipped"; return 0; }
    run "$logs/npm.log" npm install --prefix "$node" --no-audit --no-fund --silent centrifuge@5 ws@8 ||
        { echo "     npm install centrifuge ws failed: the tests of the SDK are skipped"; tail -n 3 "$logs/npm.log"; }
}

# -------------------------------------------------------------------------------------------- parts

compile() {
    if [ ! -x "$root/configure" ]; then # later changes are noticed by make
        (cd "$root" && run "$logs/autoreconf.log" autoreconf -i) || { tail -n 20 "$logs/autoreconf.log"; return 1; }
    fi
    cd "$build"
    if [ ! -f Makefile ]; then
        run "$logs/configure.log" "$root/configure" --prefix=/usr --sysconfdir=/etc --localstatedir=/var \
            --runstatedir=/run --enable-werror --enable-sanitizers || { tail -n 20 "$logs/configure.log"; return 1; }
    fi
    run "$logs/make.log" make -j"$jobs" all || { grep -E 'error|warning|undefined' "$logs/make.log" | head -n 30; return 1; }
}

unit_tests() {
    cd "$build"
    run "$logs/check.log" timeout -k 10 "$hang_seconds" make -j"$jobs" -k check || :
    line=$(sed -n 's/^# \(TOTAL\|PASS\|SKIP\|XFAIL\|FAIL\|XPASS\|ERROR\): *\([0-9]*\)$/\1=\2/p' "$logs/check.log" | tail -n 7 | tr '\n' ' ')
    if [ -z "$line" ]; then
        count 0 1 0
        echo "FAIL make check did not finish; what went wrong:"
        grep -E 'error|undefined|\*\*\*' "$logs/check.log" | head -n 20 | sed 's/^/     /'
        return
    fi
    number() { echo "$line" | tr ' ' '\n' | sed -n "s/^$1=//p"; }
    bad=$(($(number FAIL) + $(number ERROR) + $(number XPASS)))
    count "$(number PASS)" "$bad" "$(number SKIP)"
    echo "     $(number PASS) programs passed, $bad failed, $(number SKIP) skipped"
    sed -n 's/^\(FAIL\|ERROR\): \(.*\)/\2/p' "$logs/check.log" | sort -u | while read -r name; do
        echo "FAIL unit $name; its last lines:"
        tail -n 25 "$build/${name%.log}.log" 2>/dev/null | sed 's/^/     /'
    done
}

# Scenarios of the kit, whose report goes to a log; those that differ beyond tests/compat/differences are in $bad.
# A step takes 5 s at most: one scenario waits in vain for so long, and a node is forgotten after 7.
scenarios() { # LOG OPTION...
    report=$1
    shift
    run "$report" timeout -k 10 "$hang_seconds" env CONFORMANCE_START_TIMEOUT=120 CONFORMANCE_TIMEOUT=5 \
        CONFORMANCE_SCENARIO_TIMEOUT=300 python3 -B "$kit" check --skip-tags proxy,uni,stream,map,sharedpoll \
        --launcher "$root/tests/compat/launch" "$@" || :
    tail -n 1 "$report" | sed 's/^/     /'
    if ! grep -q '^[0-9]* passed, [0-9]* failed, [0-9]* skipped$' "$report"; then
        count 0 1 0
        echo "FAIL golden did not finish; its last lines:"
        tail -n 20 "$report" | sed 's/^/     /'
        return 1
    fi
    sed -n 's/^FAILED \([^:]*\):.*/\1/p' "$report" | sort >"$work/golden.differ"
    bad=$(comm -23 "$work/golden.differ" "$work/golden.known" | tr '\n' ' ')
}

# Every recorded scenario of what is built, but for those that tests/compat/differences names with their reasons.
golden() {
    kit=$root/../shared/golden/conformance.py
    if [ ! -f "$kit" ]; then
        count 0 0 1
        echo "skip golden: ../shared is not here"
        return
    fi
    run "$logs/launch-build.log" "$root/tests/compat/launch" --build || {
        count 0 1 0
        echo "FAIL golden: the optimised build failed; its last lines:"
        tail -n 20 "$logs/launch-build.log" | sed 's/^/     /'
        return
    }
    sed -n 's/^\([a-z][a-z0-9-]*\) .*/\1/p' "$root/tests/compat/differences" | sort >"$work/golden.known"
    scenarios "$logs/golden.log" --jobs "$jobs" || return 0
    good=$(sed -n 's/^\([0-9]*\) passed, .*/\1/p' "$logs/golden.log")
    if [ -n "$bad" ]; then
        # The kit takes a tenth of a second without a message for the end of the messages, which a busy machine may
        # exceed; there is no bound to mend, because the kit is not ours. So what differs has to differ alone as well.
        first=$bad
        echo "     once more, one at a time: $first"
        # shellcheck disable=SC2086 # a list of words
        scenarios "$logs/golden-again.log" --jobs 1 --only "$(printf '%s,' $first)" || return 0
        good=$((good + $(printf '%s' "$first" | wc -w) - $(printf '%s' "$bad" | wc -w)))
    fi
    count "$good" "$(printf '%s' "$bad" | wc -w)" 0
    if [ -n "$bad" ]; then
        echo "FAIL golden: $bad"
        echo "     with the last lines of the report:"
        tail -n 60 "$logs/golden-again.log" | sed 's/^/     /'
    fi
}

step "Installing what the tests need"
if [ -n "$install" ]; then
    install_packages
    install_npm
fi

if wanted lint; then
    step "Lint"
    run_shown "$logs/lint.log" sh "$root/tests/lint/run.sh" || :
    count_line "$logs/lint.log" lint
fi

step "Building with sanitizers in $build"
if ! compile; then
    count 0 1 0
    trouble=build
    echo "FAIL the build"
fi

if [ -z "$trouble" ] && wanted unit; then
    step "Unit tests and fuzz corpora (make check)"
    unit_tests
fi

if [ -z "$trouble" ] && { [ -z "$patterns" ] || [ -n "$only" ]; }; then
    step "Integration tests"
    export PUSHD_BUILD="$build" PUSHD_NODE="$node" PUSHD_INSTALL="$install"
    # shellcheck disable=SC2086 # a list of words
    run_shown "$logs/integration.log" python3 -B "$root/tests/integration/run.py" -j "$jobs" $only || :
    count_line "$logs/integration.log" "the integration tests"
    unset PUSHD_BUILD
fi

if wanted golden; then
    step "Recorded scenarios of the reference server"
    golden
fi

step "Done"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
