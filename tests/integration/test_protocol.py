# SPDX-License-Identifier: Apache-2.0
"""Rules of the client protocol that meet in one command: rights and wishes, kinds of tokens, recovery modes."""
import base64
import time

from harness import SECRET, Closed, System, check, equal, timed, token

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
    {"name": "dt", **KEPT, "force_recovery": True, "allowed_delta_types": ["fossil"], "delta_publish": True},
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


def test_connect_subs_only_carry_a_position(test):
    """Other members of connect.subs than the position and delta change nothing: rights are those of the namespace."""
    system = System(test, CONFIG, front=None)
    wish = {"positioned": True, "recoverable": True, "join_leave": True, "flag": 2, "recover": True, "offset": 5, "epoch": "x"}
    client = system.open()
    reply = client.connect(token=token(SECRET, {"sub": "a", "channels": ["jl:1", ""]}),
                           subs={"ask:1": wish, "jl:1": wish, "": wish})
    equal(reply["subs"], {"ask:1": {"was_recovering": True}, "jl:1": {"was_recovering": True}}, "subs")
    client.call(subscribe={"channel": "open:1"})
    check(client.silent(), "no join")
    client = system.open()
    reply = client.connect(token=token(SECRET, {"channels": ["x"]}), subs={"user:#": {}, "user:x": {}})
    equal(sorted(reply["subs"]), ["user:x", "x"], "the anonymous user is on no list")


def test_the_personal_channel_has_the_options_of_its_namespace(test):
    """What the token says about it does not count, and a refresh may leave it out."""
    system = System(test, {**CONFIG, "client": {"subscribe_to_user_personal_channel": {
        "enabled": True, "personal_channel_namespace": "ask"}}}, front=None)
    client = system.open()
    mine = {"ask:#a": {"data": {"of": "token"}, "override": {"force_recovery": {"value": True}}}, "open:1": {}}
    equal(client.connect(token=token(SECRET, {"sub": "a", "subs": mine}))["subs"], {"ask:#a": {}, "open:1": {}}, "subs")
    for subs in ({"open:1": {}}, {"ask:#a": {}, "open:1": {}}):
        reply = client.call(refresh={"token": token(SECRET, {"sub": "a", "subs": subs})})
        check(reply["refresh"]["expires"], "a refresh with %r: %r" % (subs, reply))


def test_the_personal_channel_counts_for_the_limit(test):
    """As many channels as client.channel_limit are taken, and one more is 3505, whoever asked for which of them."""
    system = System(test, {**CONFIG, "client": {"channel_limit": 2, "subscribe_to_user_personal_channel": {
        "enabled": True}}}, front=None)
    for listed, expected in ((["a"], None), (["a", "b"], 3505), (["a", "b", "c"], 3505), (["a", "b", "c", "d"], 3505)):
        bearer = token(SECRET, {"sub": "a", "channels": listed})
        equal(outcome(system.open(), connect={"token": bearer}), expected, "with %r" % listed)


def test_unknown_namespaces_in_tokens(test):
    """A token that names one is refused with error 102 before anything else is counted."""
    system = System(test, {**CONFIG, "client": {"channel_limit": 2}}, front=None)
    bad = token(SECRET, {"sub": "a", "channels": ["a", "b", "gone:1"]})
    equal(outcome(system.open(), connect={"token": bad}), 102, "connect")
    equal(outcome(system.open(), connect={"token": bad, "subs": {"gone:2": {}}}), 102, "connect with a wish")
    client = system.client("a")
    equal(error_of(client.call(refresh={"token": bad})), 102, "refresh")
    past = token(SECRET, {"sub": "a", "channels": ["a"], "expire_at": int(time.time()) - 9})
    equal(outcome(client, refresh={"token": past}), 3010, "other channels count before the expiration")


def test_sub_refresh(test):
    """The new token's info replaces the old one, none included; ttl has an end; what the server subscribed is its own."""
    system = System(test, CONFIG, front=None)
    client = system.open()
    client.connect(token=token(SECRET, {"sub": "a", "channels": ["open:2"]}))
    client.subscribe("open:1", token=sub_token("open:1", sub="a", info={"n": 1}))

    def published():
        client.call(publish={"channel": "open:1", "data": 1})
        return client.publication()["info"].get("chan_info")
    equal(published(), {"n": 1}, "info of the first token")
    far = sub_token("open:1", sub="a", info={"n": 2}, exp=int(time.time()) + 20 * 365 * 86400)
    equal(client.call(sub_refresh={"channel": "open:1", "token": far})["sub_refresh"],
          {"expires": True, "ttl": 365 * 86400}, "at most a year")
    equal(published(), {"n": 2}, "info of the second token")
    client.call(sub_refresh={"channel": "open:1", "token": sub_token("open:1", sub="a")})
    equal(published(), None, "info of a token without it")
    equal(outcome(client, sub_refresh={"channel": "open:2", "token": sub_token("open:2", sub="a")}), 3501, "server-side")


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


@timed
def test_a_pong_may_look_like_anything(test):
    """Whatever comes without an id answers an open ping, connect included."""
    system = System(test, {"client": {"ping_interval": "2s", "pong_timeout": "1900ms"}}, front=None)
    client = system.open()
    client.connect(token=token(SECRET, {"sub": "a"}))
    equal(client.recv_payload(), b"{}", "the ping")
    client.send({"connect": {}})
    equal(client.call(subscribe={"channel": "x"})["subscribe"], {}, "the connection goes on")
    client.send({"connect": {}})
    equal(client.expect_close()[0], 3501, "a second pong")


def test_the_query_chooses_protobuf(test):
    """Also beside a subprotocol that names JSON, as in the reference."""
    system = System(test, {"client": {"allow_anonymous_connect_without_token": True}}, front=None)
    client = system.open(path="/connection/websocket?format=protobuf", headers={"Sec-WebSocket-Protocol": "centrifuge-json"})
    equal(client.headers.get("sec-websocket-protocol"), "centrifuge-json", "the echo")
    client.send_frame(2, b"\x04\x08\x01\x22\x00")  # {"id":1,"connect":{}}
    payload = client.recv_payload()
    equal((payload[0], payload[1:4]), (len(payload) - 1, b"\x08\x01\x2a"), "the reply, in Protobuf")


def test_what_a_proxy_would_decide_stays_closed(test):
    """A namespace that asks a proxy, which cannot be configured yet, refuses with 108, not what its other options allow."""
    system = System(test, {"client": {"insecure": True}, "channel": {"namespaces": [
        {"name": "px", **OPEN, "allow_publish_for_client": True, "allow_user_limited_channels": True,
         "subscribe_proxy_enabled": True, "publish_proxy_enabled": True}]}}, front=None)
    client = system.client("a", subs={"px:1": {}})
    equal(error_of(client.call(subscribe={"channel": "px:1"})), 108, "subscribe")
    equal(error_of(client.call(publish={"channel": "px:1", "data": 1})), 108, "publish")
    equal(error_of(client.call(publish={"channel": "px:1"})), 107, "the data comes first")
    equal(client.subscribe("px:#a"), {}, "the own user-limited channel")
    equal(client.subscribe("px:1", token=sub_token("px:1", sub="a", exp=None)), {}, "a token")


def test_types_of_subscriptions(test):
    """What is no stream yet is refused with 108; a poll is looked for before anything else."""
    kinds = [{"name": "map", **OPEN, "subscription_type": "map", "map": {"mode": "ephemeral", "key_ttl": "5s"}},
             {"name": "poll", **OPEN, "subscription_type": "shared_poll"}, {"name": "open", **OPEN}]
    system = System(test, {"channel": {"namespaces": kinds}}, front=None)
    client = system.client("a")
    client.subscribe("open:1")
    for channel, kind, code in (("map:1", 1, 108), ("map:1", 0, 103), ("map:1", 2, 103), ("poll:1", 4, 108), ("poll:1", 0, 107),
                                ("open:1", 4, 108), ("gone:1", 4, 108), ("gone:1", 1, 102), ("open:2", 1, 103)):
        equal(error_of(client.call(subscribe={"channel": channel, "type": kind})), code, "%s as type %d" % (channel, kind))


def test_the_limit_of_a_user_comes_before_an_expiration(test):
    """3504 where both hold; and who was refused with 110 is not counted."""
    system = System(test, {"client": {"user_connection_limit": 2}}, front=None)
    past = {"token": token(SECRET, {"sub": "a", "expire_at": int(time.time()) - 9})}
    system.client("a")
    for _ in range(3):
        equal(outcome(system.open(), connect=past), 110, "one connection")
    system.client("a")
    equal(outcome(system.open(), connect=past), 3504, "two connections")


def test_text_with_delta_in_json(test):
    """With delta the data are a JSON string, live as in a recovery, so text will do that is no JSON; bytes will not."""
    system = System(test, CONFIG)
    client, other = system.client("a"), system.client("b")
    client.subscribe("dt:1", delta="fossil")
    other.subscribe("dt:1")
    texts = ["hello", "hello " * 30, "hello " * 30 + "!"]
    for text in texts:
        system.result("publish", {"channel": "dt:1", "b64data": base64.b64encode(text.encode()).decode()})
    equal(other.expect_close()[0], 3506, "a client without delta")
    live = [client.publication() for _ in texts]
    equal(([pub["data"] for pub in live[:2]], live[2].get("delta")), (texts[:2], True), "live")
    again = system.client("c").subscribe("dt:1", delta="fossil", recover=True)["publications"]
    equal([pub["data"] for pub in again], [pub["data"] for pub in live], "recovered")
    system.result("publish", {"channel": "dt:1", "b64data": base64.b64encode(b"\xff\xfe").decode()})
    equal(client.expect_close()[0], 3506, "what is no text")


@timed
def test_a_pong_that_nobody_waits_for(test):
    """Without a pong timeout pongs are not asked for; one for each ping is taken all the same."""
    system = System(test, {"client": {"ping_interval": "2s", "pong_timeout": "-1s"}}, front=None)
    client = system.open()
    reply = client.connect(token=token(SECRET, {"sub": "a"}))
    equal((reply["ping"], reply.get("pong")), (2, None), "what the reply asks for")
    equal(client.recv_payload(), b"{}", "the ping")
    client.send({})
    equal(client.call(subscribe={"channel": "x"})["subscribe"], {}, "the connection goes on")
    client.send({})
    equal(client.expect_close()[0], 3501, "a second pong")
