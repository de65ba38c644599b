#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Try pushd: install what is needed, build it, and run a team inbox on one port of this machine.
#
# Everything lives in one private folder under ${TMPDIR:-/tmp} and goes away with Ctrl-C; the build
# is kept in _build/quickstart, so the second run starts at once. See --help.
set -eu
umask 077

usage() {
    cat <<'EOF'
usage: sh etc/quickstart.sh [--port N] [--proxy lighttpd|nginx] [--no-install] [--sdk FILE] [--keep]

Installs the packages that pushd needs (Debian and relatives, by apt-get), builds pushd, starts it
with a private Redis and a web server on 127.0.0.1, and prints where the demonstration page is and
how to publish to it. Ctrl-C stops everything that was started.

  --port N        port of the web server (default 8000)
  --proxy NAME    web server in front: lighttpd (default) or nginx
  --no-install    install nothing; say what is missing and stop
  --sdk FILE      use this centrifuge.js for the page instead of fetching it with npm
  --keep          keep the folder with configuration and logs at the end

environment: PUSHD_BUILD=FOLDER builds there instead of _build/quickstart
EOF
}

# ------------------------------------------------------------------------------------ messages

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$(printf '\033[1m') dim=$(printf '\033[2m') green=$(printf '\033[32m')
    red=$(printf '\033[31m') plain=$(printf '\033[0m') tty=yes
else
    bold='' dim='' green='' red='' plain='' tty=
fi

step() { printf '%s==>%s %s\n' "$bold" "$plain" "$*"; }
note() { printf '    %s\n' "$*"; }
die() {
    printf '%squickstart: %s%s\n' "$red" "$1" "$plain" >&2
    shift
    for line in "$@"; do
        printf '    %s\n' "$line" >&2
    done
    exit 1
}

# Redraws one line on a terminal; elsewhere prints a line for every further quarter.
progress() { # percent text
    if [ -n "$tty" ]; then
        filled=$(($1 * 30 / 100))
        bar=$(printf '%*s' "$filled" '' | tr ' ' '#')
        printf '\r\033[K    [%-30s] %3d%%  %.50s' "$bar" "$1" "$2"
    elif [ $(($1 / 25)) -gt "${progress_quarter:--1}" ]; then
        progress_quarter=$(($1 / 25))
        printf '    %3d%%  %s\n' "$1" "$2"
    fi
}
progress_end() {
    progress_quarter=-1
    [ -z "$tty" ] || printf '\r\033[K'
}

# ------------------------------------------------------------------------------------- options

port=8000 proxy=lighttpd install=yes keep='' given_sdk=''
while [ $# -gt 0 ]; do
    case $1 in
    --port | --proxy | --sdk)
        [ $# -ge 2 ] || { usage >&2; exit 64; }
        case $1 in
        --port) port=$2 ;;
        --proxy) proxy=$2 ;;
        --sdk) given_sdk=$2 ;;
        esac
        shift
        ;;
    --port=*) port=${1#*=} ;;
    --proxy=*) proxy=${1#*=} ;;
    --sdk=*) given_sdk=${1#*=} ;;
    --no-install) install='' ;;
    --keep) keep=yes ;;
    -h | --help) usage; exit 0 ;;
    *) echo "quickstart: unknown option $1" >&2; usage >&2; exit 64 ;;
    esac
    shift
done
case $port in
'' | *[!0-9]*) die "--port $port is not a number" ;;
esac
if [ "$port" -lt 1 ] || [ "$port" -gt 65535 ]; then
    die "--port $port is outside of 1 to 65535"
fi
case $proxy in
lighttpd | nginx) ;;
*) die "--proxy $proxy: choose lighttpd or nginx" ;;
esac
[ -z "$given_sdk" ] || [ -s "$given_sdk" ] || die "--sdk $given_sdk: no such file, or an empty one"

root=$(cd "$(dirname "$0")/.." && pwd)
build=${PUSHD_BUILD:-$root/_build/quickstart}
# Debian's web servers and Redis live in /usr/sbin, which is not in everybody's PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

# ------------------------------------------------------------------------------------ clean up

run='' pids='' nap='' build_pid='' policy_written='' sudo=''

cleanup() {
    status=$?
    trap '' INT TERM HUP
    trap - EXIT
    [ -z "$policy_written" ] || $sudo rm -f /usr/sbin/policy-rc.d
    [ -z "$build_pid" ] || kill -TERM "-$build_pid" 2>/dev/null || :
    [ -z "$nap" ] || kill "$nap" 2>/dev/null || :
    for pid in $pids; do # the last one started comes first
        kill -TERM "$pid" 2>/dev/null || continue
        tries=50
        while kill -0 "$pid" 2>/dev/null && [ "$tries" -gt 0 ]; do
            sleep 0.1
            tries=$((tries - 1))
        done
        kill -KILL "$pid" 2>/dev/null || :
        wait "$pid" 2>/dev/null || :
    done
    if [ -n "$run" ]; then
        if [ -n "$keep" ]; then
            echo "Kept: $run"
        else
            rm -rf "$run"
        fi
    fi
    exit "$status"
}
trap cleanup EXIT
trap 'echo; step "Stopping"; exit 130' INT
trap 'step "Stopping"; exit 143' TERM HUP

# ------------------------------------------------------------------------------- is the port free

# Names the listener on TCP port $1, from /proc alone because ss is not installed everywhere.
port_owner() {
    hex=$(printf '%04X' "$1")
    inode=$(awk -v port=":$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10; exit }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    [ -n "$inode" ] || return 0
    # One process for all descriptors: a busy machine has tens of thousands.
    fd=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" -print -quit 2>/dev/null || :)
    if [ -n "$fd" ]; then
        owner=${fd#/proc/}
        owner=${owner%%/*}
        echo "$(tr '\0' ' ' <"/proc/$owner/cmdline" | cut -c1-60) (process $owner)"
        return 0
    fi
    echo "a process of another user (sudo ss -ltnp 'sport = :$1' names it)"
}

check_port() {
    owner=$(port_owner "$port")
    [ -n "$owner" ] || return 0
    die "port $port is taken by $owner" \
        "Stop that program, or choose another port: sh etc/quickstart.sh --port $((port + 80))"
}
check_port

# ------------------------------------------------------------------------------------ packages

packages="gcc libc6-dev make autoconf automake pkg-config curl ca-certificates
    libwebsockets-dev libwebsockets-evlib-ev libev-dev libhiredis-dev libfcgi-dev
    libmicrohttpd-dev libjwt-dev libjansson-dev libssl-dev liburing-dev zlib1g-dev libcurl4-openssl-dev
    redis-server $proxy"

missing_packages() {
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) in
        ii*) ;;
        *) echo "$package" ;;
        esac
    done
}

no_candidate() {
    for package in $missing; do
        case $(apt-cache policy "$package" 2>/dev/null | sed -n 's/^ *Candidate: //p') in
        '' | '(none)') echo "$package" ;;
        esac
    done
}

# apt-get with its status lines (kind:item:percent:text) turned into a bar.
apt_with_progress() {
    {
        # shellcheck disable=SC2086 # $sudo is empty or one word with its options
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o APT::Status-Fd=3 \
            -o Dpkg::Use-Pty=0 "$@" 3>&1 >"$run/apt.log" 2>&1 </dev/null && : >"$run/apt.ok"
    } | while IFS=: read -r kind _ percent text; do
        case $kind in
        dlstatus) progress "$((${percent%%[!0-9]*} / 2))" "$text" ;;
        pmstatus) progress "$((50 + ${percent%%[!0-9]*} / 2))" "$text" ;;
        esac
    done
    progress_end
    if [ -f "$run/apt.ok" ]; then
        rm -f "$run/apt.ok"
        return 0
    fi
    return 1
}

become_root() {
    [ "$(id -u)" -ne 0 ] || return 0
    command -v sudo >/dev/null 2>&1 ||
        die "packages are missing, and there is neither root nor sudo" \
            "Ask somebody to run: apt-get install $*"
    sudo=sudo
    sudo -v || die "sudo refused" "Ask somebody to run: apt-get install $*"
}

# Debian starts a daemon when its package is installed. Here they are wanted as programs only.
forbid_services() {
    [ ! -e /usr/sbin/policy-rc.d ] || return 0
    printf '#!/bin/sh\nexit 101\n' >"$run/policy-rc.d"
    policy_written=yes
    $sudo install -m 755 "$run/policy-rc.d" /usr/sbin/policy-rc.d
}
allow_services() {
    [ -n "$policy_written" ] || return 0
    $sudo rm -f /usr/sbin/policy-rc.d
    policy_written=''
}
keep_off_at_boot() {
    for service in "$@"; do
        case $service in
        redis-server | lighttpd | nginx)
            $sudo update-rc.d "$service" disable >/dev/null 2>&1 || :
            $sudo deb-systemd-helper disable "$service.service" >/dev/null 2>&1 || :
            note "$service is installed but not started, and will not start at boot"
            ;;
        esac
    done
}

# Installs $missing; false when that did not work.
install_packages() {
    # shellcheck disable=SC2086 # a list of words
    set -- $missing
    step "Installing $# packages: ${dim}$*${plain}"
    become_root "$@"
    forbid_services
    if [ -n "$(no_candidate)" ] || [ -z "$(ls /var/lib/apt/lists/*Packages* 2>/dev/null)" ]; then
        note "refreshing the list of packages"
        apt_with_progress update || return 1
    fi
    unknown=$(no_candidate | tr '\n' ' ')
    if [ -n "$unknown" ]; then
        note "${red}This system's package sources do not have:${plain} $unknown"
        note "pushd is made for Debian 12 and 13 and Ubuntu 24.04; on Ubuntu enable 'universe'."
        note "Where a package has another name: install it by hand, then use --no-install."
        return 1
    fi
    if ! apt_with_progress install --no-install-recommends "$@"; then
        # A list of packages that is some weeks old names files that the mirror no longer has.
        note "some packages could not be had; refreshing the list and trying once more"
        apt_with_progress update || return 1
        apt_with_progress install --no-install-recommends "$@" || return 1
    fi
    allow_services
    keep_off_at_boot "$@"
}

apt_failed() {
    printf '%squickstart: the packages could not be installed%s\n' "$red" "$plain" >&2
    if [ -s "$run/apt.log" ]; then
        note "The last lines of apt-get:" >&2
        tail -n 12 "$run/apt.log" | sed 's/^/        /' >&2
        note "Is there a network, and room on the disk? Is another apt-get running?" >&2
    fi
    exit 1
}

run=$(mktemp -d "${TMPDIR:-/tmp}/pushd-quickstart.XXXXXX")
# A path of a Unix socket has at most 107 bytes.
[ ${#run} -le 80 ] || die "TMPDIR is too long for Unix sockets: $run" "Try: TMPDIR=/tmp sh etc/quickstart.sh"

has_apt=''
if command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1; then
    has_apt=yes
    # shellcheck disable=SC2086 # a list of words
    missing=$(missing_packages $packages)
    if [ -n "$missing" ] && [ -z "$install" ]; then
        # shellcheck disable=SC2086 # a list of words
        die "packages are missing:" "$(printf '%s ' $missing)" "Install them with apt-get install, or leave --no-install out."
    fi
    [ -z "$missing" ] || install_packages || apt_failed
else
    note "no apt-get here: taking for granted that the libraries listed in README.md are installed"
fi
for tool in cc make autoreconf pkg-config curl redis-server redis-cli "$proxy"; do
    command -v "$tool" >/dev/null 2>&1 || die "$tool is not installed (looked in $PATH)"
done

# --------------------------------------------------------------------------------------- build

if [ -n "${PUSHD_BUILD:-}" ] && [ -x "$build/pushd/pushd" ] && [ -x "$build/fcgi/push-api" ]; then
    step "Using the programs in $build"
else
    step "Building pushd ${dim}(log: $build/build.log)${plain}"
    # In a process group of its own: a signal reaches us at once, and we stop make with all it runs.
    (umask 022 && exec setsid sh "$root/etc/build.sh" "$build") </dev/null &
    build_pid=$!
    sources=$(find "$root/common" "$root/fcgi" "$root/pushd" "$root/pushctl" -name '*.c' | wc -l)
    while kill -0 "$build_pid" 2>/dev/null; do
        compiled=$(grep -c '^ *CC ' "$build/build.log" 2>/dev/null || :)
        percent=$((${compiled:-0} * 100 / sources))
        [ "${compiled:-0}" -eq 0 ] || progress "$((percent < 100 ? percent : 100))" "compiling"
        sleep 0.3 &
        nap=$!
        wait "$nap" || :
    done
    progress_end
    wait "$build_pid" || { build_pid=; die "the build failed (above); nothing was started"; }
    build_pid=
fi

# -------------------------------------------------------------------------------------- the SDK

step "Preparing the demonstration page"
www=$run/www
mkdir -p "$www" "$build/sdk"
cp "$root"/etc/demo/* "$www/"
fetch_sdk() {
    if ! command -v npm >/dev/null 2>&1; then
        [ -n "$has_apt" ] && [ -n "$install" ] || return 1
        note "the browser SDK comes by npm, which brings some hundred packages along; only the page needs it"
        missing=npm
        install_packages || return 1
    fi
    (cd "$run" && npm pack --silent centrifuge@5 >npm.out 2>npm.log &&
        tar -xzf "$(tail -n 1 npm.out)" package/dist/centrifuge.js) || return 1
    mv "$run/package/dist/centrifuge.js" "$sdk"
    rm -rf "$run/package" "$run"/centrifuge-*.tgz
}
sdk=$build/sdk/centrifuge.js
if [ -n "$given_sdk" ]; then
    cp "$given_sdk" "$sdk"
elif [ ! -s "$sdk" ] && ! fetch_sdk; then
    allow_services
    note "${bold}The browser SDK could not be had${plain}: npm pack centrifuge@5 failed."
    for log in "$run/apt.log" "$run/npm.log"; do
        [ ! -s "$log" ] || tail -n 3 "$log" | sed 's/^/        /'
    done
    note "The page will say so; curl and WebSocket work without it. To put it right, fetch the npm package"
    note "centrifuge on another machine, and give its dist/centrifuge.js to --sdk."
fi
[ ! -s "$sdk" ] || cp "$sdk" "$www/centrifuge.js"

# ------------------------------------------------------------------------------- configuration

random_hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
api_key=$(random_hex 16)
token_secret=$(random_hex 32)
admin_password=$(random_hex 6)
admin_secret=$(random_hex 32)
org=123 user=ada admin=''
base=http://127.0.0.1:$port

# nginx gives its workers to nobody when it is started as root; the run folder is the user's own.
nginx_user=''
[ "$(id -u)" -ne 0 ] || nginx_user='user root;'

# expand FILE: etc/quickstart/FILE.in with the values of this run
expand() {
    sed -e "s|@RUN@|$run|g" -e "s|@ROOT@|$(printf '%s' "$root" | sed 's/[&|\\]/\\&/g')|g" \
        -e "s|@PORT@|$port|g" -e "s|@ADMIN_PORT@|${admin#*:}|g" -e "s|@NGINX_USER@|$nginx_user|g" \
        -e "s|@API_KEY@|$api_key|g" -e "s|@TOKEN_SECRET@|$token_secret|g" \
        -e "s|@ADMIN_PASSWORD@|$admin_password|g" -e "s|@ADMIN_SECRET@|$admin_secret|g" \
        -e "s|@USER@|$user|g" -e "s|@ORG@|$org|g" "$root/etc/quickstart/$1.in"
}

expand config.json >"$run/config.json"
expand demo-config.js >"$www/demo-config.js"

# --------------------------------------------------------------------------------------- start

last_lines() {
    [ ! -s "$1" ] || tail -n 12 "$1" | sed 's/^/    /' >&2
}

# start NAME COMMAND...: in the background, output to RUN/NAME.log
start() {
    name=$1
    shift
    "$@" >>"$run/$name.log" 2>&1 </dev/null 9>&- &
    pids="$! $pids"
    current=$!
}

# until_ready NAME PROBE...: waits for the probe to succeed while the process just started lives
until_ready() {
    name=$1
    shift
    tries=200
    until "$@" >/dev/null 2>&1; do
        if ! kill -0 "$current" 2>/dev/null; then
            printf '%squickstart: %s ended; the last lines of its log:%s\n' "$red" "$name" "$plain" >&2
            last_lines "$run/$name.log"
            exit 1
        fi
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then
            printf '%squickstart: %s is not ready after 20 seconds; its log:%s\n' "$red" "$name" "$plain" >&2
            last_lines "$run/$name.log"
            exit 1
        fi
        sleep 0.1
    done
}

redis_answers() { [ "$(redis-cli -s "$run/redis.sock" ping 2>/dev/null)" = PONG ]; }
pushd_listens() {
    admin=$(sed -n 's/.*listening.*kind=admin.*address=\([0-9.:]*\).*/\1/p' "$run/pushd.log" | tail -n 1)
    [ -n "$admin" ] && [ -S "$run/websocket.sock" ] && curl -fsS -m 2 "http://$admin/api/ping"
}
api_listens() { [ -S "$run/push-api.sock" ]; }
front_answers() { curl -fsS -m 2 "$base/api/ping"; }
api_answers() {
    curl -fsS -m 2 -H "Authorization: apikey $api_key" -H 'Content-Type: application/json' \
        -d '{}' "$base/api/info"
}
token_answers() { curl -fsS -m 2 "$base/api/v1/centrifugo/token" | grep -q '"token"'; }

step "Starting redis-server, pushd, push-api and $proxy ${dim}(logs: $run)${plain}"
start redis redis-server --port 0 --unixsocket "$run/redis.sock" --unixsocketperm 700 \
    --save '' --appendonly no --dir "$run" --daemonize no
until_ready redis redis_answers
start push-api "$build/fcgi/push-api" -c "$run/config.json"
api_pid=$current
start pushd "$build/pushd/pushd" -c "$run/config.json"
pushd_pid=$current
until_ready pushd pushd_listens
current=$api_pid
until_ready push-api api_listens

expand "$proxy.conf" >"$run/$proxy.conf"
check_port
case $proxy in
lighttpd) start lighttpd lighttpd -D -f "$run/lighttpd.conf" ;;
nginx) start nginx nginx -p "$run" -e "$run/nginx.log" -c "$run/nginx.conf" ;;
esac
front_pid=$current
until_ready "$proxy" front_answers
current=$api_pid
until_ready push-api api_answers
until_ready push-api token_answers

# ---------------------------------------------------------------------------------------- ready

cat <<EOF

${green}${bold}Ready.${plain} Open the inbox in a browser:

    ${bold}$base/${plain}

and publish into it from another terminal:

    curl -X POST $base/api/publish \\
      -H "Content-Type: application/json" \\
      -H "Authorization: apikey $api_key" \\
      -d '{"channel":"org:$org:messages","data":{"from":"Grace","text":"hello from curl"}}'

    API key         $api_key
    admin           $base/admin   password $admin_password
    metrics, state  $base/metrics   $base/ready
    configuration   $run/config.json
    logs            $run/*.log

Ctrl-C stops everything and removes $run.
EOF

while :; do
    for watched in "pushd $pushd_pid" "push-api $api_pid" "$proxy $front_pid"; do
        if ! kill -0 "${watched#* }" 2>/dev/null; then
            printf '\n%squickstart: %s ended; the last lines of its log:%s\n' "$red" "${watched% *}" "$plain" >&2
            last_lines "$run/${watched% *}.log"
            keep=yes
            exit 1
        fi
    done
    sleep 1 &
    nap=$!
    wait "$nap" || :
done
