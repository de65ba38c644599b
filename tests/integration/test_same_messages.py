# SPDX-License-Identifier: Apache-2.0
"""One publication is the same object for everybody: in JSON and in Protobuf, live, recovered and read from history."""
import json

from harness import SECRET, System, equal
from harness.tokens import token
from harness.ws import BINARY
from model import protobuf

CHANNEL = "same:1"
CONFIG = {"channel": {"namespaces": [
    {"name": "same", "allow_subscribe_for_client": True, "allow_publish_for_client": True, "history_size": 50,
     "history_ttl": "300s", "force_recovery": True, "allow_history_for_subscriber": True}]}}
CLAIMS = {"info": {"name": "Ada", "x": [1, 2.50]}}
PAYLOADS = ['{"a":1}', '"text with \\u0000 and \\"quotes\\""', "[1, 2.50, 1e3,null]", '{"é":"😀"}', "12345678901234567890"]


class Binary:
    """The same calls as harness.ws makes in JSON, in Protobuf."""

    def __init__(self, system, user):
        self.socket = system.open(path="/connection/websocket?format=protobuf")
        self.messages, self.next_id = [], 0
        self.call(connect={"token": token(SECRET, {"sub": user, **CLAIMS})})

    def recv(self):
        while not self.messages:
            self.messages = [m for m in protobuf.decode_all("Reply", self.socket.recv_payload()) if m]
        return self.messages.pop(0)

    def call(self, **request):
        self.next_id += 1
        body = protobuf.encode("Command", {"id": self.next_id, **request})
        self.socket.send_frame(BINARY, protobuf.varint(len(body)) + body)
        reply = self.recv()
        equal(reply.get("id"), self.next_id, "id of the reply %r" % reply)
        return reply


def in_json_shape(publication):
    """A publication of the Protobuf protocol as JSON shows it: payloads are values."""
    out = {**publication, "data": json.loads(publication["data"])}
    if "info" in out:
        out["info"] = {name: json.loads(value) if name.endswith("_info") else value for name, value in out["info"].items()}
    return out


def publish_all(system, writer):
    """From the API with and without tags, then from a client, so that info is there."""
    for number, payload in enumerate(PAYLOADS):
        tags = {"kind": "k%d" % number, "empty": ""} if number % 2 else {}
        body = '{"channel":"%s","data":%s,"tags":%s}' % (CHANNEL, payload, json.dumps(tags))
        equal(system.http("POST", "/api/publish", body, system.api_headers).status, 200, "publish")
    for payload in PAYLOADS:
        writer.send_text('{"id":9,"publish":{"channel":"%s","data":%s}}' % (CHANNEL, payload))
        equal(writer.recv(), {"id": 9, "publish": {}}, "the answer to a client's publish")


def without_epoch(publications):
    """A live publication with the offset 1 tells the epoch as well."""
    return [{name: value for name, value in publication.items() if name != "epoch"} for publication in publications]


def test_json_and_protobuf_live_recovered_and_from_history(test):
    """Data, tags, info and offset of each publication agree wherever it is read."""
    system = System(test, CONFIG)
    text, binary, writer = system.client("ada", claims=CLAIMS), Binary(system, "bob"), system.client("eve", claims=CLAIMS)
    start = text.subscribe(CHANNEL)
    binary.call(subscribe={"channel": CHANNEL})
    publish_all(system, writer)
    count = 2 * len(PAYLOADS)
    live = without_epoch(text.publication() for _ in range(count))
    equal([pub["data"] for pub in live], [json.loads(payload) for payload in PAYLOADS] * 2, "data")
    equal([pub["offset"] for pub in live], list(range(1, count + 1)), "offsets")
    equal([pub.get("tags") for pub in live[:2]], [None, {"kind": "k1", "empty": ""}], "tags")
    equal([pub.get("info", {}).get("user") for pub in live], [None] * len(PAYLOADS) + ["eve"] * len(PAYLOADS), "users")
    equal(live[-1]["info"]["conn_info"], CLAIMS["info"], "conn_info")

    raw = without_epoch(binary.recv()["push"]["pub"] for _ in range(count))
    equal([pub["data"].decode() for pub in raw], PAYLOADS * 2, "the bytes in Protobuf")
    equal([in_json_shape(pub) for pub in raw], live, "live in Protobuf")

    since = {"recover": True, "epoch": start["epoch"]}
    for client in (text, binary):
        client.call(unsubscribe={"channel": CHANNEL})
    recovered = text.subscribe(CHANNEL, **since)["publications"]
    equal(recovered, live, "recovered in JSON")
    recovered = binary.call(subscribe={"channel": CHANNEL, **since})["subscribe"]["publications"]
    equal(recovered, raw, "recovered in Protobuf")

    equal(text.call(history={"channel": CHANNEL, "limit": 50})["history"]["publications"], live, "history in JSON")
    equal(binary.call(history={"channel": CHANNEL, "limit": 50})["history"]["publications"], raw, "history in Protobuf")
    equal(system.result("history", {"channel": CHANNEL, "limit": 50})["publications"], live, "history of the API")
