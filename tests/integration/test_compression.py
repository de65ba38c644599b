# SPDX-License-Identifier: Apache-2.0
"""permessage-deflate (RFC 7692): what is compressed, for whom, and what comes in."""
import json
import os
import struct

from harness import System, check, equal, has
from harness.browser import Browser
from harness.ws import BINARY, CLOSE, TEXT, deflated, frame

OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
CONFIG = {"client": {"insecure": True}, "websocket": {"compression": True}}
LONG = {"text": "abc" * 2000}


def next_message(client):
    """(compressed?, payload) of the next data frame."""
    opcode, payload = client.recv_frame()
    if opcode in (TEXT, BINARY):
        return client.is_deflated(), payload
    equal(opcode, CLOSE, "a frame other than data (%r)" % payload)
    code = struct.unpack(">H", payload[:2])[0]
    return None, (code, payload[2:].decode())


def connected(system, headers=OFFER):
    client = system.open(headers=headers)
    client.send_text('{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"test"}}')
    replies = [next_message(client) for _ in range(2)]
    return client, [is_packed for is_packed, _ in replies]


def test_each_gets_what_it_negotiated(test):
    """Two compressed and a plain subscriber see the same messages; small ones are left alone."""
    system = System(test, {**CONFIG, "websocket": {"compression": True, "compression_min_size": 150}})
    first, packs = connected(system)
    equal(first.headers["sec-websocket-extensions"], "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
          "what is negotiated")
    equal(packs, [False, False], "short replies are compressed")
    second, _ = connected(system)
    plain, _ = connected(system, {})
    check("sec-websocket-extensions" not in plain.headers, "nothing is negotiated without an offer")
    for data, want in ((LONG, True), ({"n": 1}, False), (LONG, True)):
        system.publish("test", data)
        got = [next_message(client) for client in (first, second, plain)]
        equal([is_packed for is_packed, _ in got], [want, want, False], "what is compressed")
        equal({payload for _, payload in got}, {got[0][1]}, "what they see")
        equal(json.loads(got[0][1])["push"]["pub"]["data"], data, "the data")


def test_incoming(test):
    """Compressed commands, in fragments too; plain ones on the same connection."""
    system = System(test, CONFIG, front=None)
    client = system.open(headers=OFFER)
    client.send_bytes(frame(0x40 | TEXT, deflated(b'{"id":1,"connect":{}}')))
    has(next_message(client)[1].decode(), '"connect"', "the reply to a compressed command")
    body = deflated(json.dumps({"id": 2, "publish": {"channel": "test", "data": LONG}}).encode())
    client.send_bytes(frame(0x40 | TEXT, body[:10], fin=False) + frame(0, body[10:20], fin=False) + frame(0, body[20:]))
    has(next_message(client)[1].decode(), '{"id":2,"publish":{}}', "the reply to a fragmented one")
    client.send_text('{"id":3,"presence_stats":{"channel":"test"}}')
    has(next_message(client)[1].decode(), '"id":3', "the reply to a plain one")


def test_limits_and_damage(test):
    """A bomb, damaged data, and the bit where it has no meaning."""
    system = System(test, {**CONFIG, "websocket": {"compression": True, "message_size_limit": 10000}}, front=None)
    cases = [(OFFER, 0x40 | TEXT, deflated(b" " * 100001), 1009, "message too big after decompression"),
             (OFFER, 0x40 | TEXT, os.urandom(10001), 1009, ""),
             (OFFER, 0x40 | TEXT, b"\xff\xff\xff\xff", 1007, "a compressed message is damaged"),
             (OFFER, 0x40 | 9, b"", 1002, "a reserved bit is set"),
             ({}, 0x40 | TEXT, deflated(b"{}"), 1002, "a reserved bit is set")]
    for headers, first, payload, code, reason in cases:
        client = system.open(headers=headers)
        client.send_bytes(frame(first, payload))
        equal(next_message(client), (None, (code, reason)), "the close for %r" % payload[:10])


def test_protobuf(test):
    """The same with Protobuf: what a plain client gets comes out."""
    system = System(test, CONFIG)
    clients = []
    for headers in (OFFER, {}):
        client = system.open(headers={**headers, "Sec-WebSocket-Protocol": "centrifuge-protobuf"})
        for command in (b"\x08\x01\x22\x00", b"\x08\x02\x2a\x06\x0a\x04test"):
            client.send_frame(BINARY, bytes([len(command)]) + command)
            next_message(client)
        clients.append(client)
    system.publish("test", LONG)
    got = [next_message(client) for client in clients]
    equal([is_packed for is_packed, _ in got], [True, False], "what is compressed")
    equal(got[0][1], got[1][1], "what comes out")


PAGE = """new Promise((done) => {
  const ws = new WebSocket(%r), seen = [];
  ws.onopen = () => ws.send(JSON.stringify({id: 1, connect: {}}) + "\\n" + JSON.stringify({id: 2, subscribe: {channel: "test"}}) +
    "\\n" + JSON.stringify({id: 3, publish: {channel: "test", data: {text: "x".repeat(5000)}}}));
  ws.onmessage = (event) => { seen.push(event.data); if (event.data.includes('"push"')) done([ws.extensions, seen]); };
  ws.onclose = (event) => done([event.code + " " + event.reason, seen]);
})"""


def test_in_a_browser(test):
    """Chromium negotiates it and both sides understand each other, through nginx."""
    system = System(test, {**CONFIG, "client": {"insecure": True, "allowed_origins": ["*"]}}, front="nginx")
    browser = Browser(test)
    browser.open(system.url + "/")
    extensions, seen = browser.evaluate(PAGE % ("ws://127.0.0.1:%d/connection/websocket" % system.port))
    has(extensions, "permessage-deflate", "ws.extensions")
    push = json.loads(next(line for line in "\n".join(seen).split("\n") if '"push"' in line))
    equal(push["push"]["pub"]["data"], {"text": "x" * 5000}, "the publication")
