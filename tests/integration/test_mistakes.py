# SPDX-License-Identifier: Apache-2.0
"""Mistakes that people make, and the lines from which they learn what was wrong: with which value, and what to do."""
import re
import socket
import subprocess
import time

from harness import PATIENCE, System, check, equal, has, tokens, wait_for
from harness.system import API_KEY, SECRET, build_path, clean_environment
from harness.web import http_request
from harness.ws import Closed


def line_of(process, mark, *words):
    """The log line since the mark that has all the words; they may stand in any order."""
    found = []

    def search():
        found[:] = [line for line in process.log_since(mark).splitlines() if all(word in line for word in words)]
        return found
    wait_for(search, "a line of %s with %r" % (process.name, words), alive=[process])
    return found[-1]


def test_errors_of_the_api_are_logged(test):
    """Most applications look at the status only, which is 200: the log has the error, its channel and the key."""
    system = System(test)
    for method, body, words in (
            ("publish", {"channel": "nope:a", "data": 1}, ("channel=nope:a", "code=102", "channel.namespaces")),
            ("publish", {"channel": "test"}, ("channel=test", "code=107", "data is required")),
            ("broadcast", {"channels": ["test", "nope:b"], "data": 1}, ("method=broadcast", "channel=nope:b", "code=102")),
            ("history", {"channel": "test"}, ("method=history", "channel=test", "code=108", "history_size")),
            ("batch", {"commands": [{"publish": {"channel": "nope:c", "data": 1}}]}, ("channel=nope:c", "code=102")),
            ("batch", {"commands": [{"presence": {"channel": "test"}}]}, ("method=presence", "channel=test", "code=108"))):
        mark = system.api.mark()
        equal(system.call_api(method, body).status, 200, method + ": status")
        line_of(system.api, mark, "command refused", "key=http_api.key", *words)


def test_requests_for_nobody_are_logged(test):
    """A wrong path, a wrong method and a body that is no JSON stand in the log of push-api."""
    system = System(test)
    key = {"X-API-Key": API_KEY}
    form = {**key, "Content-Type": "application/x-www-form-urlencoded"}
    for method, path, body, headers, status, words in (
            ("POST", "/api/publsh", {}, key, 404, ("reason=path.unknown", "path=/api/publsh")),
            ("GET", "/api/publish", None, key, 405, ("reason=http.method", "send POST")),
            ("POST", "/api/publish", "", key, 400, ("reason=body.malformed", "the body is empty")),
            ("POST", "/api/publish", "channel=a&data=1", form, 400, ("reason=body.malformed", "form")),
            ("POST", "/api/publish", {}, {"Authorization": "Bearer " + API_KEY}, 401, ("auth.wrong_scheme", "apikey KEY"))):
        mark = system.api.mark()
        reply = system.http(method, path, body, headers)
        equal(reply.status, status, "%s %s: status" % (method, path))
        line = line_of(system.api, mark, "request refused", *words)
        equal(API_KEY in line, False, "the key stands in the log: " + line)
        has(reply.headers.get("x-pushd-reason", ""), ".", "%s %s: X-Pushd-Reason" % (method, path))


def test_a_refused_command_names_its_channel(test):
    """In the log of pushd, whether it is answered with an error or ends the connection."""
    kept = {"name": "kept", "allow_subscribe_for_client": True, "history_size": 2, "history_ttl": "300s",
            "force_recovery": True}
    system = System(test, {"channel": {"namespaces": [kept, {"name": "closed"}]}}, front=None)
    client = system.client()
    # Flag 2: a position that is lost is an error.
    lost = {"channel": "kept:a", "recover": True, "offset": 1, "epoch": "x", "flag": 2}
    for request, words in (({"subscribe": {"channel": "nope:a"}}, ("channel=nope:a", "code=102")),
                           ({"subscribe": lost}, ("channel=kept:a", "code=112")),
                           ({"subscribe": {"channel": "closed:a"}}, ("channel=closed:a", "code=103")),
                           ({"history": {"channel": "test"}}, ("channel=test", "method=history", "code=108"))):
        mark = system.pushd.mark()
        has(client.call(**request), "error", "the answer")
        line_of(system.pushd, mark, "command refused", "user=ada", *words)
    mark = system.pushd.mark()
    try:
        client.call(publish={"channel": "", "data": 1})
    except Closed as end:
        equal(end.code, 3501, "no channel: close code")
    line_of(system.pushd, mark, "connection refused or closed", "reason=channel.empty")


def test_why_nothing_was_recovered(test):
    """The client learns that, the log says why."""
    history = {"allow_subscribe_for_client": True, "history_size": 2, "history_ttl": "300s", "force_recovery": True}
    system = System(test, {"channel": {"namespaces": [{"name": "two", **history},
                                                      {"name": "off", "allow_subscribe_for_client": True}]}})
    for number in range(5):
        system.publish("two:a", number)
    epoch = system.result("history", {"channel": "two:a"})["epoch"]
    client = system.client()
    for channel, offset, of, reason in (("two:a", 1, epoch, "recovery.trimmed"), ("two:a", 5, "lost", "recovery.epoch"),
                                        ("two:a", 9, epoch, "recovery.ahead"), ("off:a", 1, epoch, "recovery.off")):
        mark = system.pushd.mark()
        result = client.subscribe(channel, recover=True, offset=offset, epoch=of)
        equal((result.get("was_recovering"), result.get("recovered")), (True, None), reason)
        line_of(system.pushd, mark, "not recovered", "channel=" + channel, "reason=" + reason, "offset=%d" % offset)
        client.call(unsubscribe={"channel": channel})
    mark = system.pushd.mark()
    client.subscribe("two:a", recover=True, offset=3, epoch=epoch)
    equal("not recovered" in system.pushd.log_since(mark), False, "a line about a recovery that worked")


def test_an_end_by_the_server_is_logged(test):
    """unsubscribe of the API: who lost which channel, and with which code."""
    system = System(test)
    client = system.client()
    client.subscribe("test")
    mark = system.pushd.mark()
    system.result("unsubscribe", {"channel": "test", "user": "ada"})
    line_of(system.pushd, mark, "unsubscribed by the server", "channel=test", "code=2000", "user=ada")


def test_the_wrong_port_or_protocol(test):
    """What came to the port of clients, and where it belongs; TLS bytes are answered at once."""
    system = System(test, front=None)
    base = "http://127.0.0.1:%d" % system.ws_port
    for path, word in (("/connection/websockets", "websocket.handler_prefix"), ("/api/publish", "push-api"),
                       ("/metrics", "pushd.admin_listen")):
        mark = system.pushd.mark()
        reply = http_request("GET", base, path)
        equal((reply.status, reply.body), (404, b"404 page not found\n"), path)
        has(reply.headers["x-pushd-reason"], word, path)
        line_of(system.pushd, mark, "handshake refused", "path=" + path, word)
    for path, word in (("/api/publish", "push-api"), ("/connection/websocket", "pushd.websocket_listen")):
        reply = system.admin("GET", path)
        equal(reply.status, 404, path + " at the port of operators")
        has(reply.text, word, path + " at the port of operators")
    with socket.create_connection(("127.0.0.1", system.ws_port), timeout=PATIENCE) as raw:
        mark = system.pushd.mark()
        raw.sendall(b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + bytes(100))
        has(raw.recv(4096).decode(), "TLS", "the answer to TLS")
    line_of(system.pushd, mark, "handshake refused", "TLS", "http://")


def test_http_at_the_socket_of_fastcgi(test):
    """proxy_pass instead of fastcgi_pass: 502 for users, and a line that says why."""
    system = System(test)
    mark = system.api.mark()
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(PATIENCE)
        raw.connect(system.api_socket)
        raw.sendall(b"POST /api/publish HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
        try:
            equal(raw.recv(10), b"", "what comes")
        except ConnectionResetError:
            pass
    line_of(system.api, mark, "no FastCGI", "speaks HTTP", "fastcgi_pass")
    system.publish("test", 1)


def test_tokens_that_are_dressed_or_late(test):
    """What was put around a token, and by how much its times are off, in the close frame and the reply."""
    system = System(test, front=None)
    good = tokens.token(SECRET, {"sub": "ada"})
    for text, word in (("Bearer " + good, "Bearer"), (good + "\n", "line break"), ('"%s"' % good, "quote")):
        client = system.open()
        client.send({"id": 1, "connect": {"token": text}})
        code, reason = client.expect_close()
        equal(code, 3500, "%s: close code" % word)
        has(reason, word, "the reason")
    now = int(time.time())
    for claims, words in (({"exp": now - 10800}, r"passed 108\d\d s ago"), ({"nbf": now + 600}, r"(600|5\d\d) s in the future")):
        error = system.open().call(connect={"token": tokens.token(SECRET, {"sub": "ada", **claims})})["error"]
        equal(error["code"], 109, "%r: code" % claims)
        check(re.search(words, error["message"]), "%r says by how much: %s" % (claims, error["message"]))


def test_old_clients(test):
    """Libraries of protocol v1 are told that they are too old."""
    system = System(test, front=None)
    client = system.open()
    client.send_text('{"id":1,"params":{"token":"x"}}')
    code, reason = client.expect_close()
    equal(code, 3501, "close code")
    has(reason, "protocol v1", "the reason")
    check(len(reason.encode()) <= 123, "the reason is too long")


def test_redis_that_does_not_let_us_in(test):
    """Both programs, /ready and the answer to a publication say which option is wrong."""
    for node, password, url, option in (("password", "right", "redis://:wrong@127.0.0.1:%d", "engine.redis.password"),
                                        ("none", None, "redis://:x@127.0.0.1:%d", "remove engine.redis.password"),
                                        ("db", None, "redis://127.0.0.1:%d/99", "engine.redis.db")):
        system = System(test, start=False, redis_password=password, node=node)
        system.config["engine"]["redis"]["address"] = url % system.redis_port
        system.write_config()
        system.start_redis()
        system.start_pushd()
        system.start_api()
        system.start_front()
        system.pushd.wait_log(r"redis error: Redis does not let us in: .*" + re.escape(option))
        has(system.admin("GET", "/ready").text, option, "/ready")
        has(system.call_api("publish", {"channel": "test", "data": 1}).json()["error"]["message"], option, "publish")
        for process in (system.front, system.api, system.pushd, system.redis):
            process.stop()


def test_pushctl_repeats_what_pushd_says(test):
    """The reason of a refused handshake, in place of the two words that stand in its body."""
    system = System(test, front=None)
    for path, word in (("/connection/websockets", "websocket.handler_prefix"), ("/api/publish", "push-api")):
        done = subprocess.run([build_path("pushctl", "pushctl"), "connect", "-c", system.config_path, "-u", "ada", "--url",
                               "ws://127.0.0.1:%d%s" % (system.ws_port, path)], env=clean_environment(test),
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
        equal(done.returncode, 1, path + ": status")
        has(done.stderr, "it said: ", path)
        has(done.stderr, word, path)
