# SPDX-License-Identifier: Apache-2.0
"""Rules of the client protocol that meet in one command: rights and wishes, kinds of tokens, recovery modes."""
from harness import SECRET, Closed, System, check, equal, token

OPEN = {"allow_subscribe_for_client": True}
KEPT = {**OPEN, "history_size": 10, "history_ttl": "300s"}
CONFIG = {"channel": {"namespaces": [
    {"name": "open", **OPEN, "allow_publish_for_client": True},
    {"name": "jl", **OPEN, "join_leave": True, "allow_presence_for_subscriber": True},
    {"name": "jlno", **OPEN, "allow_presence_for_subscriber": True, "presence": True},
    {"name": "nohist", **OPEN, "allow_history_for_client": True},
    {"name": "ask", **KEPT, "allow_recovery": True, "allow_positioning": True, "allow_history_for_client": True},
    {"name": "cache", **KEPT, "force_recovery": True, "force_recovery_mode": "cache", "auto_cache_recover": True,
     "allow_tags_filter": True},
    {"name": "user", **OPEN, "allow_user_limited_channels": True, "allow_subscribe_for_anonymous": True},
]}}


def sub_token(channel, **claims):
    return token(SECRET, {"channel": channel, **claims})


def error_of(reply):
    return reply.get("error", {}).get("code")


def outcome(client, **request):
    """The code of the error or of the close frame that a command is answered with; None when it succeeds."""
    client.send({"id": 77, **request})
    try:
        return error_of(client.recv())
    except Closed as end:
        return end.code


def test_wishes_follow_the_rights_of_the_namespace(test):
    """positioned and recoverable need the right to read history, not history; join_leave that to read presence."""
    system = System(test, CONFIG, front=None)
    client = system.client("a")
    got = client.subscribe("nohist:1", positioned=True)
    check(got.pop("epoch"), "an epoch")
    equal(got, {"positioned": True}, "positioned without history")
    got = client.subscribe("nohist:2", recoverable=True)
    check(got.pop("epoch"), "an epoch")
    equal(got, {"positioned": True, "recoverable": True}, "recoverable without history")
    client.subscribe("jl:1", join_leave=True)
    equal(client.recv()["push"]["join"]["info"]["user"], "a", "the own join in a namespace without presence")
    claims = {"sub": "a", "override": {"join_leave": {"value": True}}}
    client.subscribe("jlno:1", token=sub_token("jlno:1", **claims), join_leave=True)
    check(client.silent(), "a join: only the namespace decides what may be asked for")
    quiet = {"sub": "a", "override": {"join_leave": {"value": False}}}
    client.subscribe("jl:2", token=sub_token("jl:2", **quiet), join_leave=True)
    system.client("b").subscribe("jl:2")
    equal(client.recv()["push"]["join"]["info"]["user"], "b", "who emits nothing still may listen")


def test_flag_2_rejects_in_streams_only(test):
    """Error 112 is for a stream that was to be recovered; a cache, or a subscription without recovery, goes on."""
    system = System(test, CONFIG, front=None)
    client = system.client("a")
    lost = {"recover": True, "offset": 3, "epoch": "_", "flag": 2}
    equal(error_of(client.call(subscribe={"channel": "ask:1", "recoverable": True, **lost})), 112, "a stream")
    got = client.subscribe("ask:1", positioned=True, **lost)
    equal((got.get("recovered"), got["was_recovering"], got.get("recoverable")), (None, True, None), "positioned only: %r" % got)
    got = client.subscribe("cache:1", **lost)
    equal((got.get("recovered"), got["was_recovering"]), (None, True), "a cache: %r" % got)


def test_cache_recovery_and_rights(test):
    """A cache recovers by itself where recovery is on, and with what a filter lets through."""
    system = System(test, CONFIG)
    client = system.client("a")
    off = {"sub": "a", "override": {"force_recovery": {"value": False}}}
    equal(client.subscribe("cache:1", token=sub_token("cache:1", exp=None, **off)), {}, "recovery switched off")
    for number in (1, 2):
        system.publish("cache:2", number, tags={"k": "a"})
    got = client.subscribe("cache:2", tf={"key": "k", "cmp": "eq", "val": "b"})
    equal((got.get("recovered"), got.get("publications"), got["offset"]), (None, None, 2), "nothing passes: %r" % got)
    client.call(unsubscribe={"channel": "cache:2"})
    got = client.subscribe("cache:2", tf={"key": "k", "cmp": "eq", "val": "a"})
    equal((got["recovered"], [p["data"] for p in got["publications"]]), (True, [2]), "the newest that passes")
