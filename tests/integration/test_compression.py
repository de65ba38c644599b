# SPDX-License-Identifier: Apache-2.0
"""permessage-deflate: shared frames, commands, refusals, and a real browser."""
import os

from harness import System, check, equal, has
from harness.browser import Browser
from harness.ws import PING, PONG, TEXT, deflated, frame

COMPRESSED = {"client": {"insecure": True}, "websocket": {"compression": True}}
OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
ANSWER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"


def compressed_client(system, **options):
    client = system.open(headers=OFFER, **options)
    equal(client.headers.get("sec-websocket-extensions"), ANSWER, "the answer to the offer")
    client.connect()
    return client


def test_negotiation(test):
    """Accepted where an offer fits, ignored else, and always ignored when the option is off."""
    system = System(test, COMPRESSED, front=None)
    for offer, answer in (("permessage-deflate", ANSWER), ("x; a=\"b\", PERMESSAGE-DEFLATE", ANSWER),
                          ("permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", None),
                          ("permessage-deflate; server_max_window_bits=12, permessage-deflate", ANSWER),
                          ("permessage-deflate; unknown", None), ("permessage-bzip2", None)):
        client = system.open(headers={"Sec-WebSocket-Extensions": offer})
        equal(client.headers.get("sec-websocket-extensions"), answer, offer)
        equal(client.connect()["ping"], 25, "connect after " + offer)
        equal(client.is_deflated(), answer is not None, "the reply is compressed after " + offer)


def test_off_by_default(test):
    """Without websocket.compression an offer is ignored, and a compressed frame is a protocol error."""
    system = System(test, {"client": {"insecure": True}}, front=None)
    client = system.open(headers=OFFER)
    equal(client.headers.get("sec-websocket-extensions"), None, "the answer")
    client.connect()
    client.send_frame(TEXT, deflated(b'{"id":2,"subscribe":{"channel":"a"}}'), rsv1=True)
    equal(client.expect_close()[0], 1002, "close code")


def test_two_compressed_and_one_plain(test):
    """Subscribers with and without compression see the same; those with it get the very same bytes."""
    system = System(test, {**COMPRESSED, "pushd": {"workers": 2}})
    first, second, plain = compressed_client(system), compressed_client(system), system.open()
    plain.connect()
    clients = (first, second, plain)
    for client in clients:
        client.subscribe("a")
    publish = system.publisher()
    for text in ('"x"', '{"n":1,"list":[1,2,3,4,5,6,7,8,9,10]}', '"' + "ab" * 2000 + '"',
                 '"' + os.urandom(3000).hex() + '"', '"' + "0123456789abcdef" * 20000 + '"'):
        equal(publish("a", text.encode()).status, 200, "publish")
        frames = []
        for client in clients:
            equal(client.recv_payload().decode(), '{"push":{"channel":"a","pub":{"data":%s}}}' % text, "what arrives")
            frames.append(client.last_frame)
        check(frames[0] == frames[1], "both compressed subscribers get the same bytes")
        check(not plain.is_deflated(), "the other one gets a plain frame")
        check(not first.is_deflated() or len(frames[0]) < len(frames[2]), "compression makes it shorter")
        check(first.is_deflated() or len(text) < 60, "%d bytes are worth it" % len(text))


def test_min_size(test):
    """What is no longer than compression_min_size goes plain, replies as well as publications."""
    config = {**COMPRESSED, "websocket": {"compression": True, "compression_min_size": 1000, "compression_level": 9}}
    system = System(test, config)
    client = compressed_client(system)
    check(not client.is_deflated(), "the connect reply is plain")
    client.subscribe("a")
    envelope = len('{"push":{"channel":"a","pub":{"data":""}}}')
    for length, is_deflated in ((1000, False), (1001, True)):
        system.publish("a", "x" * (length - envelope))
        equal(len(client.recv_payload()), length, "bytes of the message")
        equal(client.is_deflated(), is_deflated, "compressed at %d bytes" % length)


def test_compressed_commands(test):
    """Whole and in fragments, with a control frame in between; control frames are plain both ways."""
    system = System(test, COMPRESSED, front=None)
    client = compressed_client(system)
    client.send_frame(TEXT, deflated(b'{"id":2,"subscribe":{"channel":"a"}}'), rsv1=True)
    equal(client.recv()["id"], 2, "the reply to a compressed command")
    packed = deflated(b'{"id":3,"publish":{"channel":"a","data":"%s"}}' % (b"0123456789" * 4000))
    client.send_bytes(frame(TEXT, packed[:40], fin=False, rsv1=True) + frame(PING, "between") + frame(0, packed[40:]))
    equal(client.recv_frame(), (PONG, b"between"), "the pong")
    check(not client.is_deflated(), "a pong is plain")
    equal(sorted(sorted(client.recv()) for _ in range(2)), [["id", "publish"], ["push"]], "what follows")
    client.send_text('{"id":4,"unsubscribe":{"channel":"a"}}')
    equal(client.recv()["id"], 4, "the reply to a plain command among compressed ones")


def peak_memory(system):
    with open("/proc/%d/status" % system.pushd.process.pid, encoding="ascii") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1])


def test_bad_frames(test):
    """Bombs, broken data, and RSV1 where it has no place; somebody else stays connected."""
    system = System(test, COMPRESSED, front=None)
    bystander = compressed_client(system)
    before = peak_memory(system)
    bomb = deflated(b"[" * (60 << 20))
    check(len(bomb) < 65536, "the bomb is small: %d bytes" % len(bomb))
    for what, data, code in (("a bomb", frame(TEXT, bomb, rsv1=True), 1009),
                             ("no DEFLATE", frame(TEXT, b"\xff" * 5, rsv1=True), 1007),
                             ("a part of it", frame(TEXT, deflated(b'{"id":2,"ping":{}}')[:-3], rsv1=True), 1007),
                             ("RSV1 on a ping", frame(PING, b"", rsv1=True), 1002),
                             ("RSV1 on a continuation", frame(TEXT, b"a", fin=False) + frame(0, b"b", rsv1=True), 1002)):
        client = compressed_client(system)
        client.send_bytes(data)
        got, reason = client.expect_close()
        equal(got, code, "%s (%s)" % (what, reason))
        if code == 1009:
            equal(reason, "message too big after decompression", "the reason")
            check(not client.is_deflated(), "a close frame is plain")
    bystander.subscribe("a")
    grown = peak_memory(system) - before
    check(grown < 20 << 10, "no memory was given to the bomb: the peak grew by %d KiB" % grown)


def test_decompressed_limit(test):
    """A limit of its own for what a compressed message becomes."""
    config = {**COMPRESSED, "websocket": {"compression": True, "message_size_limit": 1000,
                                          "decompressed_message_size_limit": 5000}}
    system = System(test, config, front=None)
    client = compressed_client(system)
    command = b'{"id":%d,"subscribe":{"channel":"a","data":"%s"}}'
    client.send_frame(TEXT, deflated(command % (2, b"x" * 4900)), rsv1=True)
    equal(client.recv()["id"], 2, "below the limit")
    client.send_frame(TEXT, deflated(command % (3, b"x" * 5000)), rsv1=True)
    equal(client.expect_close()[0], 1009, "above it")


PAGE = """
window.done = [];
const large = "0123456789abcdef".repeat(3000);
const url = "ws://127.0.0.1:%d/connection/websocket";
const json = new WebSocket(url);
json.onopen = () => json.send('{"id":1,"connect":{}}\\n{"id":2,"subscribe":{"channel":"a"}}\\n'
    + JSON.stringify({id: 3, publish: {channel: "a", data: "small"}}) + "\\n"
    + JSON.stringify({id: 4, publish: {channel: "a", data: large}}));
json.onmessage = (event) => {
    for (const line of event.data.split("\\n")) {
        const pub = (JSON.parse(line).push || {}).pub;
        if (pub) window.done.push("json " + pub.data.length + " " + (pub.data === "small" || pub.data === large));
    }
};
// Protobuf by hand: a length, then field numbers with their types.
const text = (s) => [...s].map((c) => c.charCodeAt(0));
const varint = (n) => n < 128 ? [n] : [n & 127 | 128, ...varint(n >> 7)];
const part = (field, bytes) => [...varint(field << 3 | 2), ...varint(bytes.length), ...bytes];
const command = (id, field, request) => {
    const bytes = [8, id, ...part(field, request)];
    return [...varint(bytes.length), ...bytes];
};
const binary = new WebSocket(url, "centrifuge-protobuf");
binary.binaryType = "arraybuffer";
binary.onopen = () => binary.send(new Uint8Array([...command(1, 4, []), ...command(2, 5, part(1, text("b"))),
    ...command(3, 7, [...part(1, text("b")), ...part(2, text("small"))]),
    ...command(4, 7, [...part(1, text("b")), ...part(2, text(large))])]));
binary.onmessage = (event) => {
    const seen = String.fromCharCode(...new Uint8Array(event.data));
    if (seen.includes("small")) window.done.push("protobuf small");
    if (seen.includes(large)) window.done.push("protobuf large");
};
"""


def test_in_a_browser(test):
    """Chromium negotiates it and both directions work, JSON and Protobuf, small and large."""
    system = System(test, {**COMPRESSED, "client": {"insecure": True, "allowed_origins": ["*"]}})
    with open(os.path.join(system.dir, "www", "index.html"), "w", encoding="utf-8") as page:
        page.write("<!doctype html><title>compression</title>")
    browser = Browser(test)
    browser.open(system.url + "/")
    browser.paste(PAGE % system.port)
    browser.wait("window.done.length >= 4")
    equal(sorted(browser.evaluate("window.done")), ["json 48000 true", "json 5 true", "protobuf large", "protobuf small"],
          "what came back")
    equal(browser.evaluate("[json.extensions, binary.extensions]"), [ANSWER, ANSWER], "what the browser negotiated")
    metrics = system.admin("GET", "/metrics").text
    for direction in ("received", "sent"):
        line = next(line for line in metrics.splitlines()
                    if line.startswith("centrifugo_transport_messages_%s_size{" % direction))
        check(int(line.split()[-1]) < 40000, "it travelled compressed: " + line)
    has(metrics, "pushd_slow_clients_total", "the metrics")
