# SPDX-License-Identifier: Apache-2.0
"""The official Python and Go SDKs, unmodified from their registries, against the whole system behind nginx."""
import json
import os
import subprocess
import sys
import time

from harness import SECRET, Process, System, check, equal, limit, timed, token, wait_for
from harness.fronts import reserve_port

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from libraries import library  # noqa: E402

ROOM, PLAIN = "sdk:room", "sdk:plain"
CONFIG = {
    "channel": {"namespaces": [
        {"name": "sdk", "allow_subscribe_for_client": True, "allow_publish_for_subscriber": True,
         "allow_history_for_subscriber": True, "allow_presence_for_subscriber": True, "presence": True,
         "join_leave": True, "force_push_join_leave": True, "history_size": 100, "history_ttl": "300s",
         "force_recovery": True, "allowed_delta_types": ["fossil"], "delta_publish": True},
        {"name": "server", "allow_subscribe_for_client": True},
    ]},
}
FIRST_TOKEN_SECONDS = 5


class Sdk:
    """A running SDK and what it has said."""

    def __init__(self, test, system, argv, env, encoding):
        self.system = system
        claims = {"sub": "ada", "info": {"name": "Ada"}}
        self.process = test.add(Process("sdk", argv + ["ws://127.0.0.1:%d/connection/websocket" % system.port, encoding,
                                                       token(SECRET, claims), ROOM, PLAIN], test.dir, env=env,
                                        stdin=subprocess.PIPE))
        self.wait("started")
        first = token(SECRET, {**claims, "exp": int(time.time()) + FIRST_TOKEN_SECONDS})
        with self.process.process.stdin as target:
            target.write(first.encode() + b"\n")

    def lines(self, what=None, **more):
        found = [json.loads(line) for line in self.process.log().splitlines() if line.startswith("{")]
        errors = [line for line in found if line["what"] == "error"]
        equal(errors, [], "what the SDK complains about")
        return [line for line in found if what is None or line["what"] == what
                and all(line.get(name) == value for name, value in more.items())]

    def wait(self, what, count=1, **more):
        """The count-th line of a kind."""
        def enough():
            found = self.lines(what, **more)
            return found[count - 1] if len(found) >= count else None
        return wait_for(enough, lambda: "the SDK says %s %r; so far: %s" % (what, more, self.process.log()[-1500:]),
                        alive=[self.process])

    def ask(self, name, count=1):
        """Makes the SDK ask the server and returns what it was told."""
        self.system.publish(PLAIN, {"do": name})
        return self.wait(name, count)


def document(number):
    """Long and nearly the same every time, so that a delta is worth while."""
    return {"title": "minutes", "n": number, "text": ["the meeting is open", "nobody is late"] * 20}


def presence_history_and_rpc(system, sdk):
    name = {"user": "ada", "info": {"name": "Ada"}}
    equal(list(sdk.ask("presence")["clients"].values()), [name], "presence")
    other = system.client("bob")
    other.subscribe(PLAIN)
    sdk.wait("join", channel=PLAIN, user="bob")
    stats = sdk.ask("stats")
    equal((stats["num_clients"], stats["num_users"]), (2, 2), "presence stats")
    other.close()
    sdk.wait("leave", channel=PLAIN, user="bob")
    history = sdk.ask("history")
    equal((history["offset"], history["data"]), (3, [{"do": "presence"}, {"do": "stats"}, {"do": "history"}]), "history")
    system.publish(PLAIN, {"do": "publish"})
    equal(sdk.wait("publication", data={"from": "sdk"})["publisher"], "ada", "who published")
    system.publish(PLAIN, {"do": "rpc"})
    equal(sdk.wait("refused")["code"], 108, "an rpc nobody handles")


def recovery(system, sdk, pinned):
    """The node dies, messages are posted meanwhile, a new node takes its place."""
    for number in range(1, 6):
        system.publish(ROOM, document(number), tags={"number": str(number)})
    sdk.wait("publication", 5, channel=ROOM)
    system.pushd.kill()
    sdk.wait("connecting", 2)
    for number in range(6, 11):
        system.publish(ROOM, document(number), tags={"number": str(number)})
    pinned.start_again()
    for channel in (ROOM, PLAIN):
        again = sdk.wait("subscribed", 2, channel=channel, side="client")
        check(again["recovered"], "after the restart: %r" % again)
    for number in range(11, 16):
        system.publish(ROOM, document(number), tags={"number": str(number)})
    sdk.wait("publication", 15, channel=ROOM)
    got = sdk.lines("publication", channel=ROOM)
    equal([line["offset"] for line in got], list(range(1, 16)), "offsets")
    equal([line["data"] for line in got], [document(number) for number in range(1, 16)], "contents")
    equal([line["tags"] for line in got], [{"number": str(number)} for number in range(1, 16)], "tags")
    # The Python SDK also tells in which form it came: whole after each subscribe, then as a difference.
    forms = [line["delta"] for line in got if "delta" in line]
    equal(forms, forms and [False] + [True] * 4 + [False] + [True] * 9, "what came as a delta")


def server_side(system, sdk):
    system.result("subscribe", {"user": "ada", "channel": "server:news", "data": {"welcome": 1}})
    equal(sdk.wait("subscribed", channel="server:news")["data"], {"welcome": 1}, "data of the subscription")
    system.publish("server:news", {"n": 1})
    equal(sdk.wait("publication", channel="server:news")["side"], "server", "the side of the subscription")
    system.result("unsubscribe", {"user": "ada", "channel": "server:news"})
    sdk.wait("unsubscribed", channel="server:news")
    system.result("unsubscribe", {"user": "ada", "channel": PLAIN})
    equal(sdk.wait("unsubscribed", channel=PLAIN)["code"], 2000, "code of the unsubscribe")
    system.result("disconnect", {"user": "ada"})
    equal(sdk.wait("disconnected")["code"], 3503, "code of the disconnect")


class Pinned:
    """pushd on a port that it gets again after a restart."""

    def __init__(self, test):
        self.holder, self.port = reserve_port()
        test.on_end(self.holder.close)
        self.system = System(test, {**CONFIG, "pushd": {"websocket_listen": ["127.0.0.1:%d" % self.port]}}, front="nginx")

    def start_again(self):
        self.system.start_pushd()
        self.system.wait_ready()


def everything(test, argv, env, encoding):
    pinned = Pinned(test)
    system = pinned.system
    sdk = Sdk(test, system, argv, {**system.env, **env}, encoding)
    sdk.wait("connected")
    for channel in (ROOM, PLAIN):
        check(sdk.wait("subscribed", channel=channel)["recoverable"], "%s is recoverable" % channel)
    presence_history_and_rpc(system, sdk)
    sdk.wait("token")
    equal((sdk.lines("trouble"), len(sdk.lines("connected"))), ([], 1), "a refresh that nobody notices")
    recovery(system, sdk, pinned)
    server_side(system, sdk)
    equal(len(sdk.lines("token")), 1, "tokens that were asked for")
    equal(sdk.process.wait_exit(), 0, "the status of the SDK")


def python_client(test, encoding):
    argv = [sys.executable, "-B", os.path.join(HERE, "sdk_python.py")]
    everything(test, argv, {"PYTHONPATH": library("python")}, encoding)


def go_client(test, encoding):
    everything(test, [os.path.join(library("go"), "sdk")], {}, encoding)


@timed
@limit(300)
def test_python_sdk_json(test):
    """Token and refresh, presence, history, join, publish, deltas, recovery after a restart, server subscriptions."""
    python_client(test, "json")


@timed
@limit(300)
def test_python_sdk_protobuf(test):
    """The same in Protobuf."""
    python_client(test, "protobuf")


@timed
@limit(300)
def test_go_sdk_json(test):
    """The same with the Go SDK."""
    go_client(test, "json")


@timed
@limit(300)
def test_go_sdk_protobuf(test):
    """The same with the Go SDK in Protobuf."""
    go_client(test, "protobuf")
