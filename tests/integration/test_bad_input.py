# SPDX-License-Identifier: Apache-2.0
"""What hostile or broken clients send to pushd: each gets its clear refusal, and nobody else notices."""
import json
import os
import random
import resource
import socket
import struct
import time

from harness import PATIENCE, SECRET, Closed, System, check, equal, has, limit, timed, token, wait_for
from harness.check import Failure
from harness.tokens import b64url
from harness.ws import BINARY, TEXT, WebSocket, frame

PUBLIC_KEY = """-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo
4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0/IzW7yWR7QkrmBL7jTKEn5u
+qKhbwKfBstIs+bMY2Zkp18gnTxKLxoS2tFczGkPLPgizskuemMghRniWaoLcyeh
kd3qqGElvW/VDL5AaWTg0nLVkjRo9z+40RQzuVaE8AkAFmxZzow3x+VJYKdjykkJ
0iT9wCS0DRTXu269V264Vf/3jvredZiKRkgwlL9xNAwxXFg0x/XFw005UWVRIkdg
cKWTjpBP2dPwVZ4WWC+9aGVd+Gyn1o0CLelf4rEjGoXbAAEgAqeGUxrcIlbjXfbc
mwIDAQAB
-----END PUBLIC KEY-----
"""


def refused(system, text, opcode=TEXT):
    client = system.open()
    client.send_frame(opcode, text)
    end = client.expect_close()
    client.close()
    return end


def still_serves(system, bystander):
    bystander.call(publish={"channel": "test", "data": "alive"})
    equal(bystander.publication()["data"], "alive", "what a bystander gets")


def bystander_of(system):
    client = system.client("bystander")
    client.subscribe("test")
    return client


def test_malformed_json(test):
    """Malformed JSON closes with 3501 and an explanation; what came before it in the frame was executed."""
    system = System(test, front=None)
    bystander = bystander_of(system)
    for text in ("{", "[]", "null", '{"id":1,"connect":{}', '{"id":01,"connect":{}}', "nul", '"connect"', "{'id':1}",
                 '{"id":1,"connect":' + "[" * 100 + "]" * 100 + "}", '{"id":-1,"connect":{}}', '{"id":1e3,"connect":{}}',
                 '{"id":4294967296,"connect":{}}', "{\"id\":1,\"connect\":{\"token\":\"\x01\"}}", "\ufeff{}"):
        code, reason = refused(system, text)
        equal(code, 3501, "%r: close code (%s)" % (text[:60], reason))
        check(reason.startswith("bad request: ") and len(reason) > 15, "%r: reason %r" % (text[:60], reason))
    client = system.client()
    client.subscribe("org:1:messages")
    client.send_text('{"id":50,"publish":{"channel":"org:1:messages","data":1}}\n{"id":51,"publish"')
    got = []
    try:
        while True:
            got.append(client.recv())
    except Closed as end:
        equal(end.code, 3501, "close code (%s)" % end.reason)
    has([message.get("id") for message in got], 50, "answered ids")
    still_serves(system, bystander)


def test_binary_garbage(test):
    """Random bytes as messages, and random bytes instead of frames."""
    system = System(test, front=None)
    bystander = bystander_of(system)
    dice = random.Random(1)
    for size in (1, 2, 3, 10, 125, 126, 1000, 65000):
        code, _ = refused(system, dice.randbytes(size), BINARY)
        check(code in (3501, 1007), "a binary message of %d random bytes: %s" % (size, code))
        code, _ = refused(system, b"\xff" + dice.randbytes(size))
        check(code in (3501, 1007), "a text message that is not UTF-8: %s" % code)
    for number in range(60):
        client = system.open()
        client.send_bytes(dice.randbytes(1 + number * 7))
        if number % 2:
            client.sock.shutdown(1)
            client.expect_close()
        client.close()
    still_serves(system, bystander)


def test_protocol_violations(test):
    """Unmasked frames, reserved bits, unknown opcodes, long control frames: 1002, or the end of TCP."""
    system = System(test, front=None)
    bystander = bystander_of(system)
    good = '{"id":1,"connect":{}}'
    for name, data in (("unmasked", frame(TEXT, good, mask=None)), ("reserved bit", b"\xf1" + frame(TEXT, good)[1:]),
                       ("opcode 3", frame(3, good)), ("opcode 15", frame(15, good)), ("a long ping", frame(9, "x" * 126)),
                       ("a ping in fragments", frame(9, "x", fin=False)), ("continuation of nothing", frame(0, good)),
                       ("a message inside a message", frame(TEXT, "{", fin=False) + frame(TEXT, good)),
                       ("a close of one byte", frame(8, "x")), ("close code 1005", frame(8, struct.pack(">H", 1005))),
                       ("a length of 2^63", b"\x81\xff" + b"\xff" * 8 + b"\0" * 4)):
        client = system.open()
        client.send_bytes(data)
        code, reason = client.expect_close()
        check(code in (1002, 1009, None), "%s: closed with %s %r" % (name, code, reason))
        client.close()
    still_serves(system, bystander)


@limit(90)
def test_frames_of_16_megabytes(test):
    """Messages over the limit are closed with 1009 and an empty reason, before they are in memory."""
    system = System(test, front=None)
    bystander = bystander_of(system)
    for opener in ("{", " "):
        for pieces in (1, 64):
            client = system.open()
            size = 16 << 20
            try:
                if pieces == 1:
                    client.send_bytes(b"\x81\xff" + struct.pack(">Q", size) + b"\0\0\0\0")
                    client.send_bytes(opener.encode() * size)
                else:
                    client.send_frame(TEXT, opener, fin=False)
                    for _ in range(pieces):
                        client.send_frame(0, " " * (size // pieces), fin=False)
            except OSError:
                pass  # closed before all of it was sent
            try:
                end = client.expect_close()
            except OSError:
                end = (None, "")
            check(end in ((1009, ""), (None, "")), "how it ends: %r" % (end,))
            client.close()
    client = system.client()
    client.send({"id": 9, "publish": {"channel": "test", "data": "x" * 70000}})
    equal(client.expect_close(), (1009, ""), "a message of 70 kB")
    still_serves(system, bystander)
    with open("/proc/%d/status" % system.pushd.pid, encoding="ascii") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    check(peak < 700 * 1024, "pushd took %d kB at its peak" % peak)


@timed
def test_half_frames_held_open(test):
    """Hundreds of connections that stop in the middle of a frame or of the handshake."""
    system = System(test, {"client": {"stale_close_delay": "2s"}}, front=None)
    bystander = bystander_of(system)
    held = []
    for number in range(150):
        client = system.open()
        client.send_bytes(frame(TEXT, '{"id":1,"connect":{}}')[:1 + number % 20])
        held.append(client)
    still_serves(system, bystander)
    for client in held:
        code, _ = client.expect_close()
        check(code in (3502, None), "a connection with half a frame ends with %s" % code)
    still_serves(system, bystander)


def test_forged_tokens(test):
    """alg none, a public key used as HMAC secret, exp in words and the like: all are 3500, and named in the log."""
    system = System(test, {"client": {"token": {"rsa_public_key": PUBLIC_KEY}}}, front=None)
    good = token(SECRET, {"sub": "a"})
    head, body, signature = good.split(".")
    big = token(SECRET, {"sub": "a" * 5000})
    forged = {
        "alg none": token("", {"sub": "a"}, alg="none"),
        "alg none with a signature": token(SECRET, {"sub": "a"}, header={"alg": "none"}),
        "alg None": token(SECRET, {"sub": "a"}, header={"alg": "None"}),
        "RSA public key as HMAC secret": token(PUBLIC_KEY, {"sub": "a"}),
        "RS256 with an HMAC": token(PUBLIC_KEY, {"sub": "a"}, header={"alg": "RS256"}),
        "another secret": token("another-secret", {"sub": "a"}),
        "the empty secret": token("", {"sub": "a"}),
        "exp as words": token(SECRET, {"sub": "a"}, exp="tomorrow"),
        "exp true": token(SECRET, {"sub": "a"}, exp=True),
        "sub a number": token(SECRET, {"sub": 42}),
        "sub a list": token(SECRET, {"sub": ["a"]}),
        "no signature": head + "." + body + ".",
        "two parts": head + "." + body,
        "four parts": good + "." + signature,
        "a cut signature": good[:-4],
        "a changed body": head + "." + b64url(b'{"sub":"root","exp":9999999999}') + "." + signature,
        "padding": good + "=",
        "a blank": good + " ",
        "not base64": head + ".???." + signature,
        "not JSON": head + "." + b64url(b"hello") + "." + signature,
        "alg missing": token(SECRET, {"sub": "a"}, header={"typ": "JWT"}),
        "alg a list": token(SECRET, {"sub": "a"}, header={"alg": ["HS256"]}),
        "a subscription token": token(SECRET, {"sub": "a", "channel": "test"}),
        "dots": "..",
        "NUL": "a\0b.c.d",
    }
    for name, text in forged.items():
        client = system.open()
        mark = system.pushd.mark()
        client.send({"id": 1, "connect": {"token": text}})
        code, reason = client.expect_close()
        equal(code, 3500, "%s: close code (%s)" % (name, reason))
        check(reason.startswith("invalid token: ") and len(reason.encode()) <= 123, "%s: reason %r" % (name, reason))
        system.pushd.wait_log("token", since=mark)
        client.close()
    system.open().connect(token=good)
    system.open().connect(token=big)
    check(SECRET not in system.pushd.log() and signature not in system.pushd.log(), "neither secret nor token is logged")


def test_token_of_16_megabytes(test):
    """Where the message limit allows it, a token of 16 MB is refused as a token, in little time."""
    system = System(test, {"websocket": {"message_size_limit": 40 << 20}}, front=None)
    bystander = bystander_of(system)
    for text in ("x" * (16 << 20), token(SECRET, {"sub": "a" * (12 << 20)}), "." * (16 << 20)):
        client = system.open()
        client.send({"id": 1, "connect": {"token": text}})
        code, reason = client.expect_close()
        equal(code, 3500, "close code (%s)" % reason)
        client.close()
        still_serves(system, bystander)


def test_many_commands_and_ids(test):
    """Thousands of commands in one frame, equal ids, id 0: answered or refused, never hung."""
    system = System(test, front=None)
    client = system.client()
    count = 1000
    client.send_text("\n".join('{"id":%d,"unsubscribe":{"channel":"a%d"}}' % (5, n) for n in range(count)))
    equal([client.recv() for _ in range(count)], [{"id": 5, "unsubscribe": {}}] * count, "replies")
    client.send_text('{"id":0,"subscribe":{"channel":"a"}}')
    equal(client.expect_close()[0], 3501, "a request without id")
    client = system.client()
    client.send({"id": 2, "connect": {}})
    equal(client.expect_close()[0], 3501, "a second connect")


def test_channel_names(test):
    """Odd channel names are refused or served, and travel as they are."""
    system = System(test)
    client = system.client()
    for name in ('"', "\\", "<&>", " ", "a b", "%s%n", "../x", "*", "{a}", "a\tb"):
        reply = client.call(subscribe={"channel": name})
        check("subscribe" in reply or reply["error"]["code"] in (102, 103, 107), "%r: %r" % (name, reply))
        if "subscribe" in reply:
            system.publish(name, {"in": name})
            push = client.recv()["push"]
            equal((push["channel"], push["pub"]["data"]), (name, {"in": name}), "what arrives")
    for name in ("x" * 256, "\u00e9", "a\nb", "\0"):
        reply = client.call(subscribe={"channel": name})
        check("subscribe" in reply or "error" in reply, "%r: %r" % (name[:10], reply))


def test_messages_from_redis_that_are_garbage(test):
    """Whoever writes garbage into our Redis channels cannot bring a node down."""
    system = System(test, front=None)
    client = system.client()
    client.subscribe("org:1:messages")
    dice = random.Random(2)
    with system.resp() as redis:
        for channel in ("centrifugo.client.org:1:messages", "centrifugo.control", "centrifugo.client."):
            for data in (b"", b"\0", b"__", b"__p1:1:x__", b"__p1:99999999999999999999:e__x", b"__d1:1:e:5:abc", b"__j__",
                         b"__l__\xff\xff", b"\x0a\xff\xff\xff\xff\x0f", dice.randbytes(50), dice.randbytes(5000),
                         json.dumps({"a": 1}).encode()):
                redis.call("PUBLISH", channel, data)
    client.call(publish={"channel": "org:1:messages", "data": "alive"})
    seen = []
    while "alive" not in seen:
        seen.append(client.recv().get("push", {}).get("pub", {}).get("data"))
    check(system.pushd.running(), "pushd runs")


@timed
def test_wrong_place(test):
    """HTTP requests that are no upgrade, other paths, and nothing at all."""
    system = System(test, {"client": {"stale_close_delay": "1s"}}, front=None)
    for data in (b"GET /connection/websocket HTTP/1.1\r\nHost: a\r\n\r\n", b"POST /connection/websocket HTTP/1.1\r\nHost: a\r\n"
                 b"Content-Length: 2\r\n\r\n{}", b"GET /nope HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00",
                 b"GET /connection/websocket HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
                 b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", os.urandom(300)):
        answer = raw_exchange(system.ws_port, data)
        check(answer == b"" or answer.startswith(b"HTTP/1."), "answered with %r" % answer[:100])
        check(b" 101 " not in answer.split(b"\r\n")[0], "no upgrade: %r" % answer[:100])
    bystander_of(system)


def test_more_sockets_than_descriptors(test):
    """Out of descriptors the log says so once, not with every look; when some are free again, clients are served."""
    system = System(test, {"pushd": {"workers": 1}}, front=None, start=False)
    system.start_redis()
    system.start_pushd(preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)))
    system.wait_ready()
    held = system.crowd(120)
    system.pushd.wait_log("cannot accept connections, out of descriptors")
    until = time.monotonic() + 1
    wait_for(lambda: time.monotonic() >= until, "some more looks, one each 200 ms")
    for peer in held:
        peer.close()
    wait_for(lambda: can_connect(system), "service")
    equal(system.pushd.log().count("cannot accept connections"), 1, "lines about it")


def can_connect(system):
    try:
        with WebSocket(("127.0.0.1", system.ws_port), timeout=5) as client:
            return client.connect(token=token(SECRET, {"sub": "a"}))
    except (OSError, Closed, Failure):
        return None


def raw_exchange(port, data):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as peer:
        answer = b""
        try:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            while got := peer.recv(65536):
                answer += got
        except ConnectionError:
            pass
        return answer
