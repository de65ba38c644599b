# SPDX-License-Identifier: Apache-2.0
"""WebSocket and the client protocol, in exact bytes."""
import re
import socket
import time

from harness import SECRET, Failure, System, check, equal, has, http_request, timed, token
from harness.ws import BINARY, CLOSE, PING, PONG, TEXT, WebSocket, frame

INSECURE = {"client": {"insecure": True}}


def test_handshake(test):
    """The upgrade: subprotocols, origins, and refusals with their status."""
    system = System(test, front=None)
    equal(system.open().headers.get("sec-websocket-protocol"), None, "without a subprotocol")
    equal(system.open(headers={"Sec-WebSocket-Protocol": "x, centrifuge-json"}).headers["sec-websocket-protocol"],
          "centrifuge-json", "a known subprotocol")
    equal(system.open(headers={"Sec-WebSocket-Protocol": "x"}).headers.get("sec-websocket-protocol"), None, "an unknown one")
    system.open(headers={"Sec-WebSocket-Protocol": ""})
    system.open(headers={"Origin": "http://app.example"})
    system.open(headers={"Origin": "HTTP://APP.EXAMPLE"})
    refused = [(403, {"Origin": "http://evil.example"}), (400, {"Sec-WebSocket-Version": "12"}),
               (400, {"Sec-WebSocket-Key": "short"}), (400, {"Upgrade": "h2c"}), (400, {"Connection": "close"})]
    for status, headers in refused:
        try:
            system.open(headers=headers)
            raise AssertionError("the upgrade with %r was accepted" % headers)
        except Failure as problem:
            has(str(problem), " %d" % status, "%r" % headers)


def test_connect_reply(test):
    """The reply to connect, member by member."""
    system = System(test, {"client": {"ping_interval": None, "pong_timeout": None}}, front=None)
    client = system.open()
    client.send_text('{"id":1,"connect":{"token":"%s","name":"js"}}' % token(SECRET, {"sub": "42"}))
    got = client.recv_raw()
    check(re.fullmatch(r'\{"id":1,"connect":\{"client":"[0-9a-f-]{36}","version":"[^"]+","expires":true,"ttl":3(600|5\d\d),'
                       r'"ping":25,"pong":true\}\}', got), "the reply is " + got)


def test_several_commands_in_a_frame(test):
    """Commands of one frame are answered in their order, and replies may share a frame."""
    system = System(test, INSECURE, front=None)
    client = system.open()
    client.send_text('{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"a"}}\n'
                     '{"id":3,"publish":{"channel":"a","data":{}}}\n{"id":4,"unsubscribe":{"channel":"b"}}\n')
    messages = [client.recv() for _ in range(5)]
    equal([message.get("id") for message in messages if "push" not in message], [1, 2, 3, 4], "ids")
    equal([message["push"]["channel"] for message in messages if "push" in message], ["a"], "pushes")


def test_fragments_and_control_frames(test):
    """A message in fragments with a ping in between; pings are answered with their payload."""
    system = System(test, INSECURE, front=None)
    client = system.open()
    client.send_bytes(frame(TEXT, '{"id":1,', fin=False) + frame(PING, "abc") + frame(0, '"connect"', fin=False))
    equal(client.recv_frame(), (PONG, b"abc"), "the pong")
    client.send_frame(0, ":{}}")
    equal(client.recv()["id"], 1, "the reply")
    client.send_frame(PING, b"x" * 125)
    equal(client.recv_frame(), (PONG, b"x" * 125), "the pong")
    client.send_frame(CLOSE, b"\x03\xe8bye")
    equal(client.recv_frame()[0], CLOSE, "the answer to a close frame")


def test_one_byte_at_a_time(test):
    """A handshake and a frame that come byte by byte are as good as any."""
    system = System(test, INSECURE, front=None)
    sock = socket.create_connection(("127.0.0.1", system.ws_port), 5)
    test.on_end(sock.close)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = (b"GET /connection/websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
    for byte in request + frame(TEXT, '{"id":1,"connect":{}}'):
        sock.sendall(bytes([byte]))
    data = b""
    while b'"pong":true}}' not in data:
        got = sock.recv(4096)
        check(got, "closed after %r" % data)
        data += got
    has(data, b"HTTP/1.1 101 ", "the answer")
    has(data.lower(), b"sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=", "the accept key of the RFC")


def test_frame_and_handshake_in_one_packet(test):
    """What follows the handshake in the same packet is not lost."""
    system = System(test, INSECURE, front=None)
    sock = socket.create_connection(("127.0.0.1", system.ws_port), 5)
    test.on_end(sock.close)
    sock.sendall(b"GET /connection/websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
                 + frame(TEXT, '{"id":1,"connect":{}}'))
    data = b""
    while b'"connect"' not in data:
        got = sock.recv(4096)
        check(got, "closed after %r" % data)
        data += got


@timed
def test_protocol_pings(test):
    """The server pings with {} and closes with 3012 when no pong comes; clients that answer stay."""
    system = System(test, {"client": {"insecure": True, "ping_interval": "2s", "pong_timeout": "1s"}}, front=None)
    silent = system.open()
    equal(silent.connect()["ping"], 2, "ping in the reply")
    equal(silent.recv_payload(), b"{}", "the ping")
    pinged = test.clock.mark()
    code, reason = silent.expect_close()
    test.clock.at_most(pinged, 3, "the end after a pong_timeout of 1 s")
    equal(code, 3012, "close code (%s)" % reason)
    check(reason.startswith("no pong"), "reason %r" % reason)
    answering = system.open()
    answering.connect()
    answering.subscribe("a")
    begun = test.clock.mark()
    while answering.pings < 2:
        answering.call(publish={"channel": "a", "data": 1})
        answering.publication()
        test.clock.at_most(begun, 8, "the second ping")


@timed
def test_ping_frames(test):
    """With cf_ws_frame_ping_pong=true pings are frames of WebSocket, from the start, and silence just ends TCP."""
    system = System(test, {"client": {"insecure": True, "ping_interval": "1s", "pong_timeout": "500ms"}}, front=None)
    path = "/connection/websocket?cf_ws_frame_ping_pong=true"
    client = system.open(path=path)
    client.send_text('{"id":1,"connect":{}}')
    reply = client.recv()["connect"]
    equal(sorted(reply), ["client", "version"], "members of the connect reply: no ping, no pong")
    for _ in range(3):
        equal(client.recv_frame(), (PING, b""), "a ping frame and nothing else")
        client.send_frame(PONG, b"")
    equal(client.recv_frame(), (PING, b""), "one more")
    begun = test.clock.mark()
    client.send_text('{"id":2,"subscribe":{"channel":"a"}}')  # any frame is a sign of life
    equal(client.recv()["id"], 2, "the reply")
    equal(client.recv_frame(), (PING, b""), "the ping after it")
    equal(client.expect_close(), (None, ""), "the end, without a close frame")
    waited = test.clock.took(begun)[0]
    check(waited > 1.3, "it took interval and timeout, not %.2f s" % waited)
    test.clock.at_most(begun, 4, "the end after interval and timeout of 1.5 s")
    idle = system.open(path=path)  # never connects: pinged all the same
    equal(idle.recv_frame(), (PING, b""), "a ping before connect")
    equal(idle.expect_close(), (None, ""), "its end")
    other = system.open(path="/connection/websocket?cf_ws_frame_ping_pong=1")
    equal(other.connect()["ping"], 1, "another value means nothing")


def test_init(test):
    """/connection/init: answers and closes, whatever follows on the same connection; off unless switched on."""
    system = System(test, {"init": {"enabled": True}}, front="nginx")
    origin = {"Origin": "http://app.example"}
    for base in (system.url, "http://127.0.0.1:%d" % system.ws_port):
        reply = http_request("GET", base, "/connection/init", headers=origin)
        equal((reply.status, reply.body), (200, b"{}"), "GET " + base)
        equal(reply.headers["content-type"], "application/json; charset=utf-8", "its type")
        equal(reply.headers["access-control-allow-origin"], "http://app.example", "the origin that may read it")
        equal(http_request("POST", base, "/connection/init", "{}").status, 405, "POST " + base)
        foreign = http_request("GET", base, "/connection/init", headers={"Origin": "http://evil.example"})
        check(foreign.status == 200 and "access-control-allow-origin" not in foreign.headers, "another origin: %r" % foreign)
    # A proxy that keeps connections sends the next request at once: one answer, that says it is the last, and an orderly end.
    request = b"GET /connection/init HTTP/1.1\r\nHost: a\r\n\r\n"
    with socket.create_connection(("127.0.0.1", system.ws_port), 5) as sock:
        sock.sendall(request * 2 + b"POST /connection/init HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70000)
        data = b""
        while got := sock.recv(4096):
            data += got
    equal((data.count(b"HTTP/1.1"), data[-2:]), (1, b"{}"), "answers to three requests")
    has(data, b"Connection: close\r\n", "the answer")
    metrics = system.admin("GET", "/metrics").text
    has(metrics, 'pushd_handshake_refusals_total{status="405"} 2', "only the refused ones are counted")
    off = System(test, node="off", front=None, redis_port=system.redis_port)
    equal(http_request("GET", "http://127.0.0.1:%d" % off.ws_port, "/connection/init").status, 404, "when it is off")


def test_stale_connections(test):
    """Who upgrades and never connects is closed with 3502 `stale`."""
    system = System(test, {"client": {"stale_close_delay": "1s"}}, front=None)
    code, reason = system.open().expect_close()
    equal(code, 3502, "close code")
    check(reason.startswith("stale"), "reason %r" % reason)


def test_unix_listener(test):
    """pushd listens on a Unix socket when told to, beside a port."""
    path = test.dir + "/ws.sock"
    system = System(test, {"client": {"insecure": True}, "pushd": {"websocket_listen": ["127.0.0.1:0", "unix:" + path]}},
                    front=None)
    client = WebSocket(path)
    test.on_end(client.close)
    client.connect()
    other = system.open()
    other.connect()
    client.subscribe("a")
    other.call(publish={"channel": "a", "data": 1})
    equal(client.publication()["data"], 1, "what arrives")


@timed
def test_token_flows(test):
    """Expired tokens get error 109, other users' refresh is refused, expiry closes with 3005."""
    system = System(test, {"client": {"expired_close_delay": "1s"}}, front=None)
    client = system.open()
    client.send({"id": 1, "connect": {"token": token(SECRET, {"sub": "a"}, exp=int(time.time()) - 5)}})
    error = client.recv()["error"]
    equal(error["code"], 109, "an expired token: %r; code" % error)
    check(error["message"].startswith("token expired"), "an expired token: %r" % error)
    client = system.open()
    client.connect(token=token(SECRET, {"sub": "a"}, exp=int(time.time()) + 4))
    other = system.open()
    other.connect(token=token(SECRET, {"sub": "a"}, exp=int(time.time()) + 4))
    reply = other.call(refresh={"token": token(SECRET, {"sub": "a"})})
    check(reply["refresh"]["ttl"] > 3000, "refresh: %r" % reply)
    code, reason = client.expect_close()
    equal(code, 3005, "close code (%s)" % reason)
    has(other.call(subscribe={"channel": "test"}), "subscribe", "the refreshed connection")


def test_hmac_lengths(test):
    """HS256, HS384 and HS512 are accepted, with a secret of 64 bytes and of 10."""
    for secret in ("s" * 64, "s" * 10):
        system = System(test, {"client": {"token": {"hmac_secret_key": secret}}}, front=None, node=str(len(secret)))
        for alg in ("HS256", "HS384", "HS512"):
            system.open().connect(token=token(secret, {"sub": "a"}, alg=alg))


def test_large_tokens(test):
    """A token with a hundred channels and their options is as good as any."""
    system = System(test, front=None)
    subs = {"org:%04d:messages" % number: {"override": {"presence": {"value": False}, "join_leave": {"value": False}},
                                           "info": "x" * 200} for number in range(100)}
    large = token(SECRET, {"sub": "a", "subs": subs})
    check(len(large) > 40000, "the token has %d bytes" % len(large))
    equal(sorted(system.open().connect(token=large)["subs"]), sorted(subs), "channels")


def test_refusals_explain_themselves(test):
    """Every refusal of a first frame carries the protocol's words and, behind them, what was wrong."""
    system = System(test, front=None)
    for text, words in (('{"type":1,"subscribe":{"channel":"test"}}', "connect"), ("{}", "connect"),
                        ('{"id":1,"subscribe":{"channel":"test"}}', "connect"), ("hello", "JSON"),
                        ('{"id":"1","connect":{}}', "id"), ('{"id":1}', ""), ("", ""), ("\n", "")):
        client = system.open()
        client.send_text(text)
        code, reason = client.expect_close()
        equal(code, 3501, "%r: close code (%s)" % (text, reason))
        check(reason.startswith("bad request: "), "%r: reason %r" % (text, reason))
        check(words in reason, "%r: the reason %r does not speak of %s" % (text, reason, words))
        check(len(reason.encode()) <= 123, "%r: the reason is too long" % text)
    client = system.open()
    client.send({"id": 1, "connect": {}})
    code, reason = client.expect_close()
    equal(code, 3501, "no token: close code")
    has(reason, "token", "no token: reason")
    client = system.client()
    for channel, code in (("nope:a", 102), ("closed:a", 103), ("x" * 300, 107)):
        error = client.call(subscribe={"channel": channel})["error"]
        equal(error["code"], code, "%s: %r" % (channel[:20], error))
        check(": " in error["message"], "%s: the error explains itself: %r" % (channel[:20], error))


def test_binary_frames_carry_json_too(test):
    """The opcode of an incoming frame is not looked at."""
    system = System(test, INSECURE, front=None)
    client = system.open()
    client.send_frame(BINARY, '{"id":1,"connect":{}}')
    equal(client.recv()["id"], 1, "the reply")


def test_workers_and_send_modes(test):
    """One worker or four, io_uring or send(): a hundred subscribers get everything in order."""
    for node, settings in (("one-send", {"workers": 1, "batch_send": "send"}), ("four-auto", {"workers": 4, "batch_send": "auto"})):
        system = System(test, {"pushd": settings}, node=node)
        clients = [system.client("u%d" % number) for number in range(100)]
        for client in clients:
            client.subscribe("org:1:messages")
        publish = system.publisher()
        for number in range(50):
            equal(publish("org:1:messages", b"%d" % number).status, 200, "publish")
        for client in clients:
            equal([client.publication()["data"] for _ in range(50)], list(range(50)), "what arrives with " + node)
            client.close()
        for process in (system.front, system.api, system.pushd, system.redis):
            equal(process.stop(), None, "the end")
