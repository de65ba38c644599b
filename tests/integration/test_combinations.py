# SPDX-License-Identifier: Apache-2.0
"""Features of the client protocol together: tokens, recovery, deltas, filters, limits."""
import time

from harness import SECRET, System, check, equal, timed, token

STREAM = {"allow_subscribe_for_client": True, "allow_publish_for_client": True, "history_size": 10, "history_ttl": "300s",
          "force_recovery": True, "allow_history_for_client": True}
CONFIG = {"channel": {"namespaces": [
    {"name": "dt", **STREAM, "allowed_delta_types": ["fossil"], "delta_publish": True, "allow_tags_filter": True},
    {"name": "rec", **STREAM},
    {"name": "hist", **STREAM, "force_recovery": False},
    {"name": "closed"},
    {"name": "jl", "allow_subscribe_for_client": True, "presence": True, "join_leave": True, "force_push_join_leave": True},
]}}


def text(number):
    return {"n": number, "text": "x" * 300}


def test_deltas_behind_a_filter(test):
    """Recovery with delta and a tags filter: no patch has a base that the filter held back."""
    system = System(test, CONFIG)
    for number, tag in ((1, "a"), (2, "a"), (3, "b")):
        system.publish("dt:1", text(number), tags={"k": tag})
    client = system.client()
    client.subscribe("dt:1", recover=True, delta="fossil", tf={"key": "k", "cmp": "eq", "val": "a"})
    for number in (4, 5):
        system.publish("dt:1", text(number), tags={"k": "a"})
    equal([client.publication().get("delta", False) for _ in range(2)], [False, True], "patches")
    other = system.client("b", claims={"channels": ["dt:1"]}, subs={"dt:1": {"recover": True, "offset": 3, "delta": "fossil"}})
    system.publish("dt:1", text(6), tags={"k": "b"})
    equal(other.publication().get("delta", False), True, "a patch to what was recovered")


def test_server_side_subscriptions(test):
    """Token, personal channel and the client's own wishes name channels more than once: one subscription each, with the
    options of the token, or of the personal channel's namespace, and the client's position."""
    config = {**CONFIG, "client": {"channel_limit": 4, "subscribe_to_user_personal_channel": {
        "enabled": True, "personal_channel_namespace": "rec"}}}
    system = System(test, config)
    system.publish("hist:1", 1)
    client = system.open()
    subs = {"rec:#c": {"override": {"force_recovery": {"value": False}}, "data": {"of": "token"}},
            "hist:1": {"override": {"force_recovery": {"value": True}}}}
    reply = client.connect(token=token(SECRET, {"sub": "c", "subs": subs}),
                           subs={"hist:1": {"recover": True}, "dt:2": {"delta": "zip"}, "closed:1": {}, "$dt:1": {}})["subs"]
    epoch = reply["hist:1"].pop("epoch")
    for channel in ("dt:2", "rec:#c"):
        reply[channel].pop("epoch")
    equal(reply, {"rec:#c": {"recoverable": True, "positioned": True}, "dt:2": {"recoverable": True, "positioned": True},
                  "hist:1": {"recoverable": True, "positioned": True, "recovered": True, "was_recovering": True,
                             "publications": [{"data": 1, "offset": 1}]}}, "subs")
    equal(client.call(subscribe={"channel": "hist:1"})["error"]["code"], 105, "a second subscription")
    client.subscribe("jl:1")
    equal(client.recv()["push"]["join"]["info"]["user"], "c", "the own join")
    equal(client.call(subscribe={"channel": "test"})["error"]["code"], 106, "one more than channel_limit")
    client.call(unsubscribe={"channel": "hist:1"})
    equal(client.subscribe("rec:3", recover=True, offset=2**64 - 1, epoch=epoch).get("recovered"), None, "a far position")
    for channels, ends in ((["a", "b", "c"], False), (["a", "b", "c", "rec:#d"], False), (["a", "b", "c", "d"], True)):
        other = system.open()
        other.send({"id": 2**32 - 1, "connect": {"token": token(SECRET, {"sub": "d", "channels": channels})}})
        if ends:
            equal(other.expect_close()[0], 3505, "one channel too many")
        else:
            reply = other.recv()
            equal((reply["id"], len(reply["connect"]["subs"])), (2**32 - 1, 4), "as many as allowed: %r" % reply)


def test_the_api_subscribes_from_a_position(test):
    """subscribe with recover_since: what was missed comes after the push, then what is new."""
    system = System(test, CONFIG)
    client = system.client("a")
    for number in (1, 2, 3):
        epoch = system.publish("rec:1", number)["epoch"]
    system.result("subscribe", {"user": "a", "channel": "rec:1", "recover_since": {"offset": 1, "epoch": epoch}})
    equal(client.recv(), {"push": {"channel": "rec:1", "subscribe": {"recoverable": True, "epoch": epoch, "offset": 1,
                                                                     "positioned": True}}}, "the push")
    system.publish("rec:1", 4)
    equal([client.publication() for _ in range(3)], [{"data": number, "offset": number} for number in (2, 3, 4)],
          "publications")
    system.result("subscribe", {"user": "a", "channel": "rec:2", "recover_since": {"offset": 9, "epoch": "gone"}})
    equal(client.recv()["push"]["subscribe"].get("offset", 0), 0, "a lost position gives the current one")
    check(client.silent(), "nothing else comes")


def test_a_map_publish_is_no_publication(test):
    """publish with type 1 is meant for a map: elsewhere it is refused, and nobody gets it as a publication."""
    system = System(test, CONFIG, front=None)
    client = system.client()
    client.subscribe("test")
    equal(client.call(publish={"channel": "test", "data": 1, "type": 1, "key": "k"})["error"]["code"], 103, "the error")
    client.call(publish={"channel": "test", "data": 2})
    equal(client.publication()["data"], 2, "what comes")


def test_join_and_leave_keep_their_order(test):
    """subscribe, unsubscribe and subscribe in one frame: others see join, leave, join; replies come before pushes."""
    system = System(test, CONFIG, front=None)
    watcher, client = system.client("w"), system.client("a")
    watcher.subscribe("jl:1")
    watcher.recv()
    client.send({"id": 50, "subscribe": {"channel": "jl:1"}}, {"id": 51, "unsubscribe": {"channel": "jl:1"}},
                {"id": 52, "subscribe": {"channel": "jl:1"}}, {"id": 53, "subscribe": {"channel": "jl:1"}})
    seen = [watcher.recv()["push"] for _ in range(3)]
    equal([next(iter(set(push) - {"channel"})) for push in seen], ["join", "leave", "join"], "what others see")
    got = [client.recv() for _ in range(7)]
    equal([message["id"] for message in got if "id" in message], [50, 51, 52, 53], "replies: %r" % got)
    equal(got[0], {"id": 50, "subscribe": {}}, "the first message")


@timed
def test_expiry_at_its_edges(test):
    """Subscription tokens: expired, in the past, never, beyond 32 bits; then the end of the subscription."""
    system = System(test, {"client": {"presence_update_interval": "1s", "expired_sub_close_delay": "1s"}}, front=None)
    client = system.client("b")

    def of(**claims):
        return token(SECRET, {"sub": "b", "channel": "$x", **claims})
    equal(client.subscribe("$x", token=of(expire_at=int(time.time()) + 10**12)), {"expires": True, "ttl": 2**32 - 1}, "far away")
    for claims, code in (({"exp": int(time.time()) - 1}, 109), ({"expire_at": int(time.time()) - 1}, 110), ({"channel": "$x"}, None)):
        reply = client.call(sub_refresh={"channel": "$x", "token": of(**claims)})
        equal(reply.get("error", {}).get("code"), code, "%r: %r" % (claims, reply))
    equal(client.call(sub_refresh={"channel": "$x", "token": of(expire_at=0)})["sub_refresh"], {}, "never")
    reply = client.call(sub_refresh={"channel": "$x", "token": of(exp=int(time.time()) + 3)})["sub_refresh"]
    check(reply["expires"] and reply["ttl"] <= 3, "%r" % reply)
    equal(client.recv(), {"push": {"channel": "$x", "unsubscribe": {"code": 2501, "reason": "subscription expired"}}}, "the end")
    equal(client.call(sub_refresh={"channel": "$x", "token": of()})["error"]["code"], 103, "after the end")
    client.send({"id": 90, "refresh": {"token": token(SECRET, {"sub": "b", "channels": ["new"]})}})
    equal(client.expect_close()[0], 3010, "a refresh with other channels")
