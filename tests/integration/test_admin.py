# SPDX-License-Identifier: Apache-2.0
"""pushd's own HTTP port: ping, health, readiness, metrics, and the admin page for people and for curl."""
import json
import re
import socket
import subprocess

from harness import PATIENCE, System, check, equal, find_program, has, wait_for
from harness.system import ADMIN_PASSWORD


def test_ping_and_health(test):
    """/api/ping and /health answer as the reference does."""
    system = System(test, front=None)
    reply = system.admin("GET", "/api/ping")
    equal((reply.status, reply.body), (200, b'{"result":{}}'), "/api/ping")
    has(reply.headers["content-type"], "application/json", "content type")
    equal(system.admin("POST", "/api/ping", {}).body, b'{"result":{}}', "POST /api/ping")
    reply = system.admin("GET", "/health")
    equal((reply.status, reply.body), (200, b"{}"), "/health")


def test_ready_follows_redis(test):
    """/ready is 200 with Redis and 503 without, and says which."""
    system = System(test, front=None)
    equal(system.admin("GET", "/ready").status, 200, "/ready")
    system.redis.kill()
    wait_for(lambda: not system.is_ready(), "/ready notices")
    reply = system.admin("GET", "/ready")
    equal(reply.status, 503, "/ready without Redis")
    has(reply.text.lower(), "redis", "its body")


def test_metrics_are_off_unless_enabled(test):
    """Without prometheus.enabled /metrics is 404, and says what to set."""
    system = System(test, {"prometheus": {"enabled": False}}, front=None)
    reply = system.admin("GET", "/metrics")
    equal(reply.status, 404, "status")
    has(reply.text, "prometheus.enabled", "the answer")
    equal(system.admin("GET", "/health").status, 200, "/health")


def test_metrics_know_why(test):
    """What is refused is counted by the reason that stands in the log."""
    system = System(test, front=None)
    client = system.client("a")
    for _ in range(2):
        equal(client.call(subscribe={"channel": "nowhere:x"})["error"]["code"], 102, "an unknown namespace")
    stranger = system.open()
    stranger.send({"id": 1, "connect": {"token": "no.token.atall"}})
    equal(stranger.expect_close()[0], 3500, "no token")
    log = system.pushd.wait_log(r"connection refused or closed .*reason=(\S+)")
    text = system.admin("GET", "/metrics").text
    reasons = dict(re.findall(r'^pushd_refusals_total\{reason="(\S+)"\} (\d+)$', text, re.M))
    equal(reasons, {re.search(r"command refused .*reason=(\S+)", system.pushd.log()).group(1): "2", log.group(1): "1"},
          "what was refused, by reason")


def test_metrics(test):
    """/metrics is Prometheus text with the reference's names, and the figures move."""
    system = System(test)
    client = system.client()
    client.subscribe("test")
    system.publish("test", 1)
    client.publication()
    reply = system.admin("GET", "/metrics")
    has(reply.headers["content-type"], "text/plain", "content type")
    seen = set()
    for line in reply.text.splitlines():
        if line.startswith("#"):
            check(re.fullmatch(r"# (HELP \w+ .+|TYPE \w+ (counter|gauge|histogram|summary))", line), "comment %r" % line)
            continue
        match = re.fullmatch(r"(\w+)(\{[^}]*\})? (\S+)", line)
        check(match, "sample %r" % line)
        float(match.group(3).replace("+Inf", "inf"))
        check(line.rpartition(" ")[0] not in seen, "the series %r comes twice" % line)
        seen.add(line.rpartition(" ")[0])
    for name in ("centrifugo_node_num_clients", "centrifugo_node_num_subscriptions", "centrifugo_node_num_channels",
                 "centrifugo_node_build", "centrifugo_node_messages_received_count", "centrifugo_transport_messages_sent",
                 "centrifugo_client_connections_accepted"):
        has(reply.text, name, "/metrics")

    def gauge(name):
        match = re.search(r"^%s (\S+)$" % name, system.admin("GET", "/metrics").text, re.M)
        return float(match.group(1)) if match else None
    wait_for(lambda: gauge("centrifugo_node_num_clients") == 1, "one client in /metrics")
    client.close()
    wait_for(lambda: gauge("centrifugo_node_num_clients") == 0, "no client in /metrics")


def test_users_without_subscriptions_count(test):
    """Clients that only connect stand among the users as soon as the node tells the cluster of itself again."""
    system = System(test, front=None)
    clients = [system.client(user) for user in ("a", "b", "b")]

    def users():
        return re.search(r"^centrifugo_node_num_users (\d+)$", system.admin("GET", "/metrics").text, re.M).group(1)
    wait_for(lambda: users() == "2", "two users")
    for client in clients:
        client.close()
    wait_for(lambda: users() == "0", "no user")


def sign_in(system):
    reply = system.admin("POST", "/admin/auth", "password=" + ADMIN_PASSWORD,
                         {"Content-Type": "application/x-www-form-urlencoded"})
    equal(reply.status, 200, "/admin/auth: %r" % reply)
    return reply.json()["token"]


def test_admin_for_curl(test):
    """curl /admin says what it needs; with the password, or a token for it, it shows the state of the node."""
    system = System(test)
    url = "http://127.0.0.1:%d/admin" % system.port

    def curl(*words):
        return subprocess.run([find_program("curl"), "-sS", *words, url], capture_output=True, text=True, timeout=PATIENCE,
                              check=True).stdout
    has(curl(), "curl -u admin:PASSWORD", "without a password")
    equal(json.loads(curl("-u", "admin:" + ADMIN_PASSWORD))["result"]["redis"]["state"], "ready", "redis, of /admin")
    token = sign_in(system)
    reply = system.admin("GET", "/admin", headers={"Authorization": "token " + token})
    has(reply.json()["result"], "node", "/admin with a token")
    page = system.admin("GET", "/admin", headers={"Accept": "text/html"})
    has(page.headers["content-type"], "text/html", "for a browser")
    uid = reply.json()["result"]["node"]["uid"]
    check(uid not in page.text and system.redis_address() not in page.text, "the page alone tells nothing")
    for headers, authenticated in (({}, False), ({"Authorization": "token " + token}, True)):
        equal(system.admin("GET", "/admin/init", headers=headers).json()["authenticated"], authenticated, "%r" % headers)


def test_admin_refuses(test):
    """Wrong passwords, forged and missing tokens do not get in; the password is not logged."""
    system = System(test)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in ("", "password=", "password=wrong", "password=%s" % ADMIN_PASSWORD[:-1], "passwd=" + ADMIN_PASSWORD):
        reply = system.admin("POST", "/admin/auth", body, form)
        check(reply.status in (400, 401, 429), "%r: %r" % (body, reply))
    for header in (None, "token ", "token x", "token " + "A" * 5000, "Bearer x"):
        headers = {} if header is None else {"Authorization": header}
        reply = system.admin("POST", "/admin/api", {"method": "info"}, headers)
        equal(reply.status, 401, "%r" % header)
    equal(system.admin("GET", "/admin/auth").status, 405, "GET /admin/auth")
    check(ADMIN_PASSWORD not in system.pushd.log(), "the password is not logged")
    check("centrifugo_node" not in system.admin("GET", "/admin").text, "nothing is shown without a password")


def test_admin_without_password_is_closed(test):
    """Neither password nor secret configured: nobody can sign in."""
    system = System(test, {"admin": {"enabled": True, "password": None, "secret": None}}, front=None)
    for password in ("", "x"):
        reply = system.admin("POST", "/admin/auth", "password=" + password,
                             {"Content-Type": "application/x-www-form-urlencoded"})
        check(reply.status in (400, 401, 403), "%r" % reply)
    equal(system.admin("POST", "/admin/api", {"method": "info"}, {"Authorization": "token "}).status, 401, "/admin/api")


def test_a_token_stays_after_a_restart(test):
    """Admin tokens are signed with the secret: they outlive a restart."""
    system = System(test, front=None)
    token = sign_in(system)
    system.stop_pushd()
    system.start_pushd()
    system.wait_ready()
    reply = system.admin("GET", "/admin/init", headers={"Authorization": "token " + token})
    equal(reply.json()["authenticated"], True, "authenticated")


def test_bad_http(test):
    """Garbage, half requests and huge headers on the operators' port harm nobody."""
    system = System(test, front=None)
    for data in (b"\x00" * 200, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /health HTTP/1.1\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: " + b"y" * 200000, b"POST /admin/auth HTTP/1.1\r\nHost: a\r\n"
                 b"Content-Length: 99999999999999999999\r\n\r\nx", b"POST /admin/auth HTTP/1.1\r\nHost: a\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
                 b"POST /admin/auth HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", system.admin_port), 5) as peer:
            try:
                peer.sendall(data)
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(65536):
                    pass
            except OSError:
                pass
    held = [socket.create_connection(("127.0.0.1", system.admin_port), 5) for _ in range(50)]
    for peer in held:
        test.on_end(peer.close)
        peer.sendall(b"GET /health HTTP/1.1\r\nHo")
    equal(system.admin("GET", "/health").body, b"{}", "/health while 50 others hold half a request open")
    equal(system.admin("GET", "/nope").status, 404, "an unknown path")
    equal(system.admin("GET", "/../etc/passwd").status, 404, "a path with dots")
