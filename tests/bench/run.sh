#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Starts Redis and a server, measures the server with push-bench, stops both.
#
#   run.sh [COMMAND [OPTIONS]]   default: all; see push-bench --help and README.md beside this file
#
# Environment:
#   PUSH_BENCH      the program  (./tests/bench/push-bench)
#   LAUNCHER        starts the server; called as LAUNCHER CONFIG REDIS_URL  (tests/compat/launch)
#   BENCH_BATCHES   values of pushd.batch_send to measure one after the other ("io_uring send", or
#                   "send" where the kernel forbids io_uring; say "none" for another server)
#   BENCH_LOG       file for the server's log (none is kept)
#   BENCH_NICE      priority of everything measured, -20 to 19, on a machine with other work (0)
#   FRONT           web server of the default launcher (nginx)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
bench=${PUSH_BENCH:-./tests/bench/push-bench}
launcher=${LAUNCHER:-$here/../compat/launch}
export FRONT="${FRONT:-nginx}"
[ -x "$bench" ] || { echo "run.sh: no program at $bench: make bench builds it" >&2; exit 2; }
[ -x "$launcher" ] || { echo "run.sh: no launcher at $launcher" >&2; exit 2; }
command -v redis-server >/dev/null || { echo "run.sh: redis-server is not installed" >&2; exit 2; }
# The servers started below inherit it.
# shellcheck disable=SC3045
ulimit -n "$(ulimit -H -n)"

# A session of its own, because the scheduler weighs sessions against each other first.
if [ -n "${BENCH_NICE:-}" ] && [ -z "${BENCH_SESSION:-}" ]; then
    BENCH_SESSION=1 exec setsid -w "$0" "$@"
fi
if [ -n "${BENCH_NICE:-}" ]; then
    renice -n "$BENCH_NICE" -p $$ >/dev/null
    if [ -w /proc/$$/autogroup ]; then
        echo "$BENCH_NICE" >/proc/$$/autogroup
    fi
fi

dir=$(mktemp -d)
redis_pid=
launcher_pid=

stop_server()
{
    exec 8<&- 9>&- || true
    if [ -n "$launcher_pid" ]; then
        kill "$launcher_pid" 2>/dev/null || true
        wait "$launcher_pid" 2>/dev/null || true
        launcher_pid=
    fi
}

stop_all()
{
    stop_server
    if [ -n "$redis_pid" ]; then
        kill "$redis_pid" 2>/dev/null || true
        wait "$redis_pid" 2>/dev/null || true
    fi
    rm -rf "$dir"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start_redis()
{
    port=$("$bench" free-port)
    redis_url=redis://127.0.0.1:$port
    redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no --dir "$dir" \
        >"$dir/redis.log" 2>&1 &
    redis_pid=$!
    "$bench" wait-redis --redis "$redis_url"
}

# One worker, so that the server has as many cores for sending as the bare send() loop.
write_config()
{
    cat >"$dir/config.json" <<EOF
{
  "client": {"token": {"hmac_secret_key": "bench-secret"}},
  "http_api": {"key": "bench-key"},
  "engine": {"type": "redis"},
  "channel": {
    "without_namespace": {"allow_subscribe_for_client": true},
    "namespaces": [
      {"name": "history", "allow_subscribe_for_client": true, "history_size": 1000, "history_ttl": "300s"},
      {"name": "recovery", "allow_subscribe_for_client": true, "history_size": 1000, "history_ttl": "300s",
       "allow_positioning": true, "allow_recovery": true},
      {"name": "delta", "allow_subscribe_for_client": true, "history_size": 1000, "history_ttl": "300s",
       "allow_positioning": true, "allow_recovery": true, "allowed_delta_types": ["fossil"],
       "delta_publish": true},
      {"name": "protobuf", "allow_subscribe_for_client": true},
      {"name": "presence", "allow_subscribe_for_client": true, "presence": true},
      {"name": "tags", "allow_subscribe_for_client": true, "allow_tags_filter": true}
    ]
  },
  "pushd": {"workers": 1, "batch_send": "$1"}
}
EOF
}

member()
{
    printf '%s\n' "$line" | sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"
}

# The pipes are held open by descriptors 8 and 9: the launcher ends when its standard input does.
start_server()
{
    rm -f "$dir/in" "$dir/out"
    mkfifo "$dir/in" "$dir/out"
    "$launcher" "$dir/config.json" "$redis_url" <"$dir/in" >"$dir/out" 2>>"$dir/server.log" &
    launcher_pid=$!
    exec 9>"$dir/in" 8<"$dir/out"
    if ! read -r line <&8; then
        echo "run.sh: the launcher failed:" >&2
        tail -n 20 "$dir/server.log" >&2
        exit 1
    fi
    ws=$(member ws)
    api=$(member api)
    pids=$(printf '%s\n' "$line" | sed -n 's/.*"pids": *\[\([^]]*\)\].*/\1/p' | tr -d ' ')
}

measure()
{
    "$bench" "$@" --ws "$ws" --api "$api" --api-key bench-key --secret bench-secret \
        --redis "$redis_url" --redis-pid "$redis_pid" --pids "$pids" --batches "$batches" \
        8<&- 9>&-
}

if [ -z "${BENCH_BATCHES:-}" ]; then
    BENCH_BATCHES=send
    if "$bench" has-io-uring; then
        BENCH_BATCHES="io_uring send"
    else
        echo "run.sh: this kernel or sandbox forbids io_uring, only send() is measured" >&2
    fi
fi

start_redis
first=yes
for batches in $BENCH_BATCHES; do
    write_config "$batches"
    start_server
    if [ $# -gt 0 ]; then
        measure "$@"
    elif [ $first = yes ]; then
        measure all
    else
        # All other figures do not depend on how batches are sent.
        measure all --rows fanout-1000,fanout-10000
    fi
    first=no
    stop_server
    if [ -n "${BENCH_LOG:-}" ]; then
        cp "$dir/server.log" "$BENCH_LOG"
    fi
done
