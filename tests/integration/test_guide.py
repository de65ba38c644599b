# SPDX-License-Identifier: Apache-2.0
"""The troubleshooting guide that operators follow: each of its commands, in its order, as it is typed there."""
import os
import re
import subprocess

from harness import PATIENCE, System, check, claims_of, equal, has, last_lines, limit, wait_for
from harness.browser import Browser

HOST = "centrifugo.whatrack.com"
ENV = {
    "CENTRIFUGO_URL": "https://centrifugo.whatrack.com",
    "CENTRIFUGO_API_KEY": "YOUR_CENTRIFUGO_API_KEY",
    "CENTRIFUGO_TOKEN_HMAC_SECRET_KEY": "token-secret-of-the-guide",
    "CENTRIFUGO_ADMIN_PASSWORD": "admin-password-of-the-guide",
    "CENTRIFUGO_ADMIN_SECRET": "admin-secret-of-the-guide",
}
SESSION = {"your_auth_cookie": {"REMOTE_USER": "ada", "REMOTE_ORGS": "ORG_ID"}}
# Keys come from the environment, as in the guide's checklist.
CONFIG = {
    "client": {"token": None, "allowed_origins": ["https://" + HOST]},
    "http_api": None,
    "admin": {"enabled": True, "password": None, "secret": None},
    "log": {"level": "debug"},
    "pushd": {"token": {"channels": ["org:{org}:messages", "org:{org}:tickets"]}},
}
SNIPPET = """
const ws = new WebSocket('wss://centrifugo.whatrack.com/connection/websocket');
ws.onopen = () => console.log('✓ WebSocket connected');
ws.onerror = (e) => console.error('✗ WebSocket error:', e);
ws.onclose = () => console.log('WebSocket closed');
ws.onmessage = (e) => console.log('Message:', e.data);
ws.addEventListener('close', (e) => { window.how_it_closed = [e.code, e.reason]; });

setTimeout(() => {
  ws.send(JSON.stringify({
    type: 1,
    subscribe: {
      channel: "test"
    }
  }));
}, 1000);
"""

# Stand-ins for programs that the guide calls and that have no place here: docker shows the logs of our processes,
# telnet and openssl reach the port that this test has instead of the guide's.
DOCKER = """#!/bin/sh
case "$1 $2" in
"service ls") echo "1 whatrack_centrifugo replicated 1/1"; echo "2 whatrack_traefik replicated 1/1" ;;
"service logs")
    case $3 in
    *centrifugo) cat "{dir}/pushd.log" "{dir}/push-api.log" ;;
    *traefik) cat "{dir}/front-access.log" ;;
    esac ;;
"service inspect") echo '"traefik.http.routers.centrifugo.tls": "true"' ;;
"exec whatrack_redis") shift 2; program=$1; shift; exec "$program" -p {redis} "$@" ;;
*) echo "docker: unknown $*" >&2; exit 1 ;;
esac
"""
TELNET = """#!/bin/bash
[ "$1 $2" = "localhost 8000" ] && exec 3<>/dev/tcp/127.0.0.1/{port} && echo "Connected to localhost."
"""
OPENSSL = """#!/bin/sh
[ "$*" = "s_client -connect centrifugo.whatrack.com:443" ] || exit 1
exec {openssl} s_client -connect 127.0.0.1:{tls} -servername centrifugo.whatrack.com -CAfile {dir}/tls.crt </dev/null
"""


class Shell:
    """Where the guide's commands are typed: its host names lead to this test's system."""

    def __init__(self, system):
        self.bin = os.path.join(system.dir, "bin")
        os.makedirs(self.bin)
        values = {"dir": system.dir, "redis": system.redis_port, "port": system.port, "tls": system.tls_port,
                  "openssl": "/usr/bin/openssl"}
        for name, text in (("docker", DOCKER), ("telnet", TELNET), ("openssl", OPENSSL)):
            path = os.path.join(self.bin, name)
            with open(path, "w", encoding="utf-8") as target:
                target.write(text.format(**values))
            os.chmod(path, 0o755)
        with open(os.path.join(system.dir, ".curlrc"), "w", encoding="utf-8") as curl:
            for name in ("localhost:8000", "localhost:3000", HOST + ":80"):
                curl.write('connect-to = "%s:127.0.0.1:%d"\n' % (name, system.port))
            curl.write('connect-to = "%s:443:127.0.0.1:%d"\ncacert = "%s/tls.crt"\n' % (HOST, system.tls_port, system.dir))
            curl.write("silent\nshow-error\n")
        self.env = {**system.env, "PATH": self.bin + ":" + system.env["PATH"], "HOME": system.dir}
        self.cwd = system.dir

    def type(self, command):
        """Output and error output of a command that has to succeed."""
        done = subprocess.run(["bash", "-c", command], env=self.env, cwd=self.cwd, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
        output = done.stdout.decode("utf-8", "replace")
        equal(done.returncode, 0, "%s\n%s\nstatus" % (command, output))
        return output


def quick_diagnostics(shell):
    equal(shell.type('curl -H "Host: centrifugo.whatrack.com" http://localhost:8000/api/ping'), '{"result":{}}', "ping")
    output = shell.type('curl -H "Cookie: your_auth_cookie" http://localhost:3000/api/v1/centrifugo/token')
    check(re.match(r'\{"token":"eyJ[\w-]+\.[\w-]+\.[\w-]+"', output), "a token, not " + output)
    claims = claims_of(output.split('"')[3])
    equal(claims["sub"], "ada", "the token's user")
    return output


def devtools_snippet(test, system):
    browser = Browser(test, {HOST + ":443": "127.0.0.1:%d" % system.tls_port})
    with open(os.path.join(system.dir, "www", "index.html"), "w", encoding="utf-8") as page:
        page.write("<!doctype html><title>guide</title>")
    browser.open("https://%s/" % HOST)
    browser.paste(SNIPPET)
    code, reason = browser.wait("window.how_it_closed")
    has(browser.console, "✓ WebSocket connected", "the console")
    has(browser.console, "WebSocket closed", "the console")
    equal(code, 3501, "close code of the ill-formed first frame (%s)" % reason)
    check(reason.startswith("bad request: "), "the reason explains itself, not %r" % reason)
    has(reason, "connect", "the reason: what a first frame looks like")
    has(reason, '"id"', "the reason: what a first frame looks like")
    check(len(reason.encode()) <= 123, "the reason fits into a close frame")


def issue_1(shell, system):
    equal(system.http("GET", "/api/v1/centrifugo/token").status, 401, "token without a session")
    has(shell.type("grep CENTRIFUGO_TOKEN_HMAC_SECRET_KEY %s/.env" % system.dir), "token-secret-of-the-guide", "grep")


def issue_2(shell, system):
    has(shell.type("docker service ls | grep centrifugo"), "whatrack_centrifugo")
    has(shell.type("docker service logs whatrack_centrifugo --tail 100"), "listening")
    has(shell.type("curl https://centrifugo.whatrack.com/admin"), "admin password", "what /admin says without a password")
    output = shell.type("curl -u admin:%s https://centrifugo.whatrack.com/admin" % ENV["CENTRIFUGO_ADMIN_PASSWORD"])
    has(output, '"redis"', "what /admin says with it")
    has(shell.type("docker service logs whatrack_centrifugo --tail 100"), "redis connected", "the log")
    wait_for(lambda: HOST in shell.type("docker service logs whatrack_traefik --tail 50"), "the access log is written")
    has(shell.type("docker service logs whatrack_traefik --tail 50 | grep centrifugo"), HOST, "the access log")
    has(shell.type("telnet localhost 8000"), "Connected")


def issue_3(shell, system):
    with system.open("front") as browser:
        browser.connect(token=shell.token)
        browser.subscribe("test")
        output = shell.type("""curl -X POST https://centrifugo.whatrack.com/api/publish \\
  -H "Content-Type: application/json" \\
  -H "Authorization: apikey YOUR_CENTRIFUGO_API_KEY" \\
  -d '{
    "channel": "test",
    "data": {"message": "hello"}
  }'""")
        equal(output, '{"result":{}}', "publish")
        equal(browser.publication()["data"], {"message": "hello"}, "what arrives")
    has(shell.type("docker service logs whatrack_centrifugo --tail 100 | grep -i publish"), "channel=test", "the log")
    has(shell.type("docker service logs whatrack_centrifugo --tail 100 | grep -i redis"), "redis connected", "the log")
    has(shell.type("docker service logs whatrack_centrifugo --tail 100 | grep -i subscribe"), "channel=test", "the log")


def issue_4(shell):
    output = shell.type("curl -v https://centrifugo.whatrack.com/admin")
    has(output, "SSL certificate verify ok")
    check(re.search(r"< HTTP/[\d.]+ \d+", output), "curl -v shows the answer:\n" + output)
    has(shell.type("openssl s_client -connect centrifugo.whatrack.com:443"), "Verify return code: 0 (ok)")
    has(shell.type("docker service inspect whatrack_traefik | grep -i tls"), "tls")


def debugging_steps(shell):
    output = shell.type("curl -H \"Cookie: your_auth_cookie\" \\\n  http://localhost:3000/api/v1/centrifugo/token")
    has(output, '{"token":"eyJ')
    output = shell.type("curl -H \"Host: centrifugo.whatrack.com\" \\\n  http://localhost:8000/api/ping")
    equal(output, '{"result":{}}', "ping")
    log = shell.type("docker service logs whatrack_centrifugo --tail 200")
    for event in ("redis connected", "connect", "subscribe"):
        has(log, event, "the log")
    output = shell.type("docker exec whatrack_redis redis-cli -a PASSWORD ping")
    equal(output.splitlines()[-1], "PONG", "redis-cli")


def useful_commands(shell, system):
    with system.client("bob", token_secret=ENV["CENTRIFUGO_TOKEN_HMAC_SECRET_KEY"]) as bob:
        bob.subscribe("test")
        system.wait_subscribers("test", 1)
        stats = ('curl -H "Authorization: apikey YOUR_CENTRIFUGO_API_KEY" \\\n'
                 "  https://centrifugo.whatrack.com/api/stats")
        check(re.match(r'\{"result":\{.*"num_clients":\d', shell.type(stats)), "stats, not " + shell.type(stats))
        wait_for(lambda: '"num_clients":1' in shell.type(stats), "the client is counted (nodes report every 3 s)")
        channels = shell.type('curl -H "Authorization: apikey YOUR_CENTRIFUGO_API_KEY" \\\n'
                              "  https://centrifugo.whatrack.com/api/channels")
        equal(channels, '{"result":{"channels":{"test":{"num_clients":1}}}}', "channels")
        output = shell.type("""curl -X POST https://centrifugo.whatrack.com/api/publish \\
  -H "Content-Type: application/json" \\
  -H "Authorization: apikey YOUR_CENTRIFUGO_API_KEY" \\
  -d '{"channel":"test","data":{"hello":"world"}}'""")
        equal(output, '{"result":{}}', "publish")
        equal(bob.publication()["data"], {"hello": "world"}, "what arrives")


def testing_channels(shell, system):
    """The token carries the organisation's channels; messages posted to them arrive."""
    with system.open("front") as browser:
        reply = browser.connect(token=shell.token)
        equal(sorted(reply["subs"]), ["org:ORG_ID:messages", "org:ORG_ID:tickets"], "server-side subscriptions")
        for channel in sorted(reply["subs"]):
            system.publish(channel, {"to": channel})
            equal(browser.publication()["data"], {"to": channel}, "what arrives")


def whole_guide(test, front):
    with open(os.path.join(test.dir, ".env"), "w", encoding="utf-8") as env:
        env.write("".join("%s=%s\n" % pair for pair in ENV.items()))
    system = System(test, CONFIG, front=front, session=SESSION, env=ENV, redis_password="PASSWORD", tls=True,
                    api_key=ENV["CENTRIFUGO_API_KEY"])
    shell = Shell(system)
    shell.token = quick_diagnostics(shell).split('"')[3]
    devtools_snippet(test, system)
    issue_1(shell, system)
    issue_2(shell, system)
    issue_3(shell, system)
    issue_4(shell)
    debugging_steps(shell)
    useful_commands(shell, system)
    testing_channels(shell, system)
    for process in (system.pushd, system.api):
        for name in ENV:
            if name != "CENTRIFUGO_URL":
                check(ENV[name] not in process.log(), "%s shows the value of %s in its log:\n%s"
                      % (process.name, name, "\n".join(last_lines(process.log_path, 5))))


@limit(120)
def test_commands_through_lighttpd(test):
    """Every command of the guide, in its order, with what it promises: lighttpd in front."""
    whole_guide(test, "lighttpd")


@limit(120)
def test_commands_through_nginx(test):
    """Every command of the guide, in its order, with what it promises: nginx in front."""
    whole_guide(test, "nginx")
