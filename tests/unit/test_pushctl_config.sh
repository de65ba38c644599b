#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# pushctl genconfig, checkconfig, print-config: what they print and how they end.
set -u

here=$(pwd)
pushctl=$here/pushctl/pushctl
folder=$(mktemp -d) || exit 99
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 99
failures=0

# expect STATUS TEXT COMMAND...: runs it; its output has to contain the text.
expect() {
    wanted=$1 text=$2
    shift 2
    "$@" >out 2>&1
    status=$?
    if [ "$status" -ne "$wanted" ]; then
        echo "status $status instead of $wanted: $*"
        cat out
        failures=$((failures + 1))
    elif [ -n "$text" ] && ! grep -qF -e "$text" out; then
        echo "no \"$text\" in the output of: $*"
        cat out
        failures=$((failures + 1))
    fi
}

refuse() {
    if grep -qF -e "$1" out; then
        echo "\"$1\" is in the output"
        cat out
        failures=$((failures + 1))
    fi
}

expect 0 '' "$pushctl" genconfig
expect 1 'exists already' "$pushctl" genconfig
expect 64 'only JSON' "$pushctl" genconfig -c other.yaml
case $(ls -l config.json) in
-rw-------*) ;;
*) echo "config.json is not private" && failures=$((failures + 1)) ;;
esac
"$pushctl" genconfig -c second.json
if cmp -s config.json second.json; then
    echo "two configurations have the same secrets"
    failures=$((failures + 1))
fi

expect 0 'configuration ok' "$pushctl" checkconfig -c config.json
expect 0 '' "$pushctl" checkconfig -q -c config.json
[ -s out ] && echo "checkconfig -q is not quiet" && failures=$((failures + 1))
expect 0 '' "$pushctl" checkconfig -s -c config.json

expect 0 '"hmac_secret_key": "***"' "$pushctl" print-config -c config.json
secret=$(sed -n 's/.*"hmac_secret_key": "\(.*\)".*/\1/p' config.json)
[ ${#secret} -eq 86 ] || { echo "the secret has ${#secret} characters"; failures=$((failures + 1)); }
refuse "$secret"

echo '{"client": {"alowed_origins": ["*"]}}' >unknown.json
expect 0 'did you mean client.allowed_origins?' "$pushctl" checkconfig -c unknown.json
expect 1 'unknown.json:1: client.alowed_origins: unknown option' "$pushctl" checkconfig --strict -c unknown.json
echo '{"client": {"channel_limit": "x"}}' >wrong.json
expect 1 'error: wrong.json:1: client.channel_limit: expected a whole number' "$pushctl" checkconfig -c wrong.json
echo '{"engine": {"redis": {"address": "rediss://h:1"}}}' >tls.json
expect 1 'engine.redis.address' "$pushctl" checkconfig -c tls.json
echo '{"client": {"token": {"rsa_public_key": "/etc/keys/public.pem"}}}' >pem.json
expect 1 'error: pem.json: client.token: rsa_public_key is not a PEM public key' "$pushctl" checkconfig -c pem.json
expect 1 'missing.json' "$pushctl" checkconfig -c missing.json
expect 0 '"key": "***"' env CENTRIFUGO_API_KEY=visible "$pushctl" print-config -c unknown.json
refuse visible

expect 0 'pushctl 0' "$pushctl" --version
expect 0 'usage: pushctl checkconfig' "$pushctl" checkconfig --help
expect 0 'usage: pushctl genconfig' "$pushctl" help genconfig
expect 64 'there is no command nothing' "$pushctl" nothing
expect 64 'usage: pushctl' "$pushctl"
expect 64 'one argument too many' "$pushctl" checkconfig x
[ "$failures" -eq 0 ]
