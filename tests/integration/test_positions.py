# SPDX-License-Identifier: Apache-2.0
"""Narrow windows in which a position could go wrong, each held open: the way to Redis passes a relay that stops
where the test says."""
from harness import Relay, System, check, equal, redis_kind, timed, wait_for

CHANNEL = "org:1:messages"
NAMESPACES = [
    {"name": "org", "allow_subscribe_for_client": True, "history_size": 100, "history_ttl": "300s",
     "allow_history_for_subscriber": True},
    {"name": "delta", "allow_subscribe_for_client": True, "history_size": 100, "history_ttl": "300s",
     "force_recovery": True, "allowed_delta_types": ["fossil"], "delta_publish": True, "allow_tags_filter": True},
]
# Nothing but what a test looks at may find a fault: the periodic check stays away.
CONFIG = {"channel": {"namespaces": NAMESPACES}, "pushd": {"workers": 1, "redis_timeout": "60s"},
          "client": {"channel_position_check_delay": "300s"}}


def behind_relay(test, config=None):
    """pushd reaches Redis through a relay, push-api does not."""
    system = System(test, config or CONFIG, start=False)
    system.start_redis()
    relay = Relay(test, ("127.0.0.1", system.redis_port), redis_kind)
    system.env["CENTRIFUGO_ENGINE_REDIS_ADDRESS"] = "redis://127.0.0.1:%d" % relay.port
    system.start_pushd()
    del system.env["CENTRIFUGO_ENGINE_REDIS_ADDRESS"]
    system.start_api()
    system.start_front()
    system.wait_ready()
    return system, relay


def wait_resubscribed(system, channel=CHANNEL):
    with system.resp() as redis:
        wait_for(lambda: redis.call("PUBSUB", "NUMSUB", "centrifugo.client." + channel)[1] == 1,
                 "the channel is subscribed again in Redis")


def insufficient(client, channel=CHANNEL):
    """The next message says that the position is lost."""
    message = client.recv()
    equal(message.get("push", {}).get("unsubscribe", {}).get("code"), 2500, "code in %r" % message)
    equal(message["push"]["channel"], channel, "channel")


def lose_pubsub(system, relay, missed):
    """The subscription connections end, `missed` is published while there are none, and they come back."""
    relay.refuse()
    check(relay.drop("subscriptions", "cluster") >= 1, "there were connections for subscriptions")
    with system.resp() as redis:
        wait_for(lambda: redis.call("PUBSUB", "NUMSUB", "centrifugo.client." + CHANNEL)[1] == 0, "Redis sees the end")
    system.publish(CHANNEL, missed)
    relay.refuse(False)


def test_an_outage_is_checked_when_only_newcomers_hold_a_position(test):
    """Messages missed between a newcomer's read of history and the subscription in Redis are noticed, though no
    established subscriber has a position."""
    system, relay = behind_relay(test)
    plain = system.client("plain")
    plain.subscribe(CHANNEL)
    late = system.client("late")
    relay.hold("commands", "down")
    late.send({"id": 7, "subscribe": {"channel": CHANNEL, "recoverable": True}})
    with system.resp() as redis:
        wait_for(lambda: redis.call("EXISTS", "centrifugo.stream.meta." + CHANNEL), "history was read")
    lose_pubsub(system, relay, "missed")
    wait_resubscribed(system)
    relay.release()
    reply = late.recv()
    equal(reply["subscribe"].get("offset", 0), 0, "the position that was read before the publication")
    insufficient(late)
    again = late.subscribe(CHANNEL, recoverable=True, recover=True, offset=0, epoch=reply["subscribe"]["epoch"])
    equal([pub["data"] for pub in again["publications"]], ["missed"], "what is recovered")


@timed
def test_an_outage_is_checked_as_soon_as_redis_answers(test):
    """The check after an outage is repeated when Redis does not answer it the first time."""
    system, relay = behind_relay(test, {**CONFIG, "pushd": {"workers": 1, "redis_timeout": "300ms"}})
    client = system.client("ada")
    position = client.subscribe(CHANNEL, recoverable=True)
    mark = system.pushd.mark()
    relay.hold("commands", "down")
    lose_pubsub(system, relay, "missed")
    wait_resubscribed(system)
    system.pushd.wait_log("no answer to a command within 300 ms", since=mark)
    relay.release()
    insufficient(client)
    again = client.subscribe(CHANNEL, recoverable=True, recover=True, epoch=position["epoch"])
    equal([pub["data"] for pub in again["publications"]], ["missed"], "what is recovered")


def test_an_outage_in_which_redis_lost_the_newest_is_noticed(test):
    """A Redis that comes back with an older state of the same stream: whoever has more than it has is told."""
    system, relay = behind_relay(test)
    client = system.client("ada")
    client.subscribe(CHANNEL, recoverable=True)
    for number in range(3):
        system.publish(CHANNEL, number)
    equal([client.publication()["data"] for _ in range(3)], [0, 1, 2], "what arrives")
    with system.resp() as redis:
        redis.call("HSET", "centrifugo.stream.meta." + CHANNEL, "s", 1)
    check(relay.drop("subscriptions", "cluster") >= 1, "there were connections for subscriptions")
    insufficient(client)


def test_what_is_held_back_belongs_to_its_own_epoch(test):
    """A publication of a lost stream, held back while a subscription begins in the new one, does not count as the
    new stream's."""
    system, relay = behind_relay(test)
    plain = system.client("plain")
    plain.subscribe(CHANNEL)
    late = system.client("late")
    relay.hold("commands", "up")
    late.send({"id": 7, "subscribe": {"channel": CHANNEL, "recoverable": True}})
    system.publish(CHANNEL, "of the old stream")
    equal(plain.publication()["data"], "of the old stream", "what the established one gets")
    with system.resp() as redis:
        redis.call("FLUSHALL")
    relay.release()
    reply = late.recv()["subscribe"]
    equal(reply.get("offset", 0), 0, "offset in the new stream")
    insufficient(late)
    system.publish(CHANNEL, "of the new stream")
    again = late.subscribe(CHANNEL, recoverable=True, recover=True, offset=0, epoch=reply["epoch"])
    equal([pub["data"] for pub in again["publications"]], ["of the new stream"], "what is recovered")


def test_what_comes_while_history_is_read_follows_the_answer(test):
    """Publications between the read of history and its answer are delivered after the answer, once and in order."""
    system, relay = behind_relay(test)
    system.publish(CHANNEL, 1)
    plain, late = system.client("plain"), system.client("late")
    plain.subscribe(CHANNEL)
    relay.hold("commands", "down")
    late.send({"id": 7, "subscribe": {"channel": CHANNEL, "recoverable": True, "recover": True}})
    with system.resp() as redis:
        wait_for(lambda: b"cmdstat_evalsha:calls=2," in redis.call("INFO", "commandstats"),
                 "history was read")
    for number in (2, 3):
        system.publish(CHANNEL, number)
    equal([plain.publication()["data"] for _ in range(2)], [2, 3], "what the established one gets")
    relay.release()
    reply = late.recv()["subscribe"]
    equal([pub["data"] for pub in reply["publications"]], [1], "what history held when it was read")
    equal([late.publication()["data"] for _ in range(2)], [2, 3], "what came meanwhile")
    check(late.silent(), "and nothing more")


def test_a_patch_never_needs_what_the_filter_kept_back(test):
    """After a recovery whose newest publication did not pass the filter the next one comes whole."""
    system = System(test, CONFIG)
    channel, padding = "delta:1", "the same in every publication " * 20
    wish = {"delta": "fossil", "tf": {"key": "kind", "cmp": "eq", "val": "a"}}
    first = system.client("ada")
    position = first.subscribe(channel, **wish)
    first.call(unsubscribe={"channel": channel})
    for number, kind in enumerate("ab"):
        system.publish(channel, {"number": number, "text": padding}, tags={"kind": kind})
    again = first.subscribe(channel, recover=True, epoch=position["epoch"], **wish)
    equal([pub["offset"] for pub in again["publications"]], [1], "what is recovered")
    system.publish(channel, {"number": 2, "text": padding}, tags={"kind": "a"})
    pub = first.publication()
    check(not pub.get("delta"), "a patch came whose base was filtered: %r" % pub)
    system.publish(channel, {"number": 3, "text": padding}, tags={"kind": "a"})
    check(first.publication().get("delta"), "the one after that is a patch")
