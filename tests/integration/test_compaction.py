# SPDX-License-Identifier: Apache-2.0
"""Channel compaction: numbers instead of names in pushes, for those who ask (client protocol 15.3)."""
from harness import System, check, equal

CONFIG = {"channel": {"namespaces": [
    {"name": "org", "allow_subscribe_for_client": True, "presence": True, "join_leave": True, "allow_publish_for_client": True,
     "allow_presence_for_client": True, "allow_channel_compaction": True, "history_size": 10, "history_ttl": "60s",
     "force_recovery": True},
    {"name": "plain", "allow_subscribe_for_client": True}]}}
OFFER = 1


def test_who_asks_gets_numbers(test):
    """Two workers and both kinds of subscribers: each channel has a number, unsubscribe pushes keep the name."""
    system = System(test, CONFIG)
    asks = [system.client("a%d" % number) for number in range(4)]
    other = system.client("b")
    ids = {}
    for channel in ("org:1", "org:2", "org:3"):
        got = {client.subscribe(channel, flag=OFFER)["id"] for client in asks}
        equal(len(got), 1, "numbers of one channel in one node")
        ids[channel] = got.pop()
    equal(len(set(ids.values()) - {0}), 3, "numbers of three channels in %r" % ids)
    check("id" not in other.subscribe("org:1"), "no number without the offer")
    check("id" not in other.subscribe("plain:1", flag=OFFER), "no number where the namespace does not allow it")
    system.publish("org:1", {"a": 1})
    for client in asks:
        push = client.recv()["push"]
        equal((set(push), push["id"], push["pub"]["data"]), ({"id", "pub"}, ids["org:1"], {"a": 1}), "a compact push")
    equal(other.publication()["data"], {"a": 1}, "a push with the name")
    system.result("unsubscribe", {"user": "a0", "channel": "org:1"})
    equal(asks[0].recv()["push"]["channel"], "org:1", "the channel of an unsubscribe push")


def test_joins_and_recovery(test):
    """Joins and leaves come by number, and a new connection gets a number of its own time."""
    system = System(test, CONFIG, front="lighttpd")
    first = system.client("a")
    result = first.subscribe("org:1", flag=OFFER, join_leave=True)
    equal(first.recv()["push"]["id"], result["id"], "the number in one's own join")
    second = system.client("b")
    second.subscribe("org:1")
    push = first.recv()["push"]
    equal((push["id"], push["join"]["info"]["user"]), (result["id"], "b"), "a join")
    first.close()
    system.wait_subscribers("org:1", 1)
    system.publish("org:1", 1)
    again = system.client("a")
    back = again.subscribe("org:1", flag=OFFER, recover=True, offset=0, epoch=result["epoch"])
    equal(([p["data"] for p in back["publications"]], back["recovered"]), ([1], True), "what was missed")
    check(back["id"] > 0, "a number again")
    system.publish("org:1", 2)
    equal(again.recv(), {"push": {"id": back["id"], "pub": {"data": 2, "offset": 2}}}, "a push after recovery")


def test_server_side_subscriptions_keep_names(test):
    """Subscriptions from a token know no numbers."""
    system = System(test, CONFIG)
    client = system.client("a", claims={"channels": ["org:1"]})
    system.publish("org:1", 1)
    message = client.recv()
    while "pub" not in message["push"]:
        message = client.recv()
    equal(message["push"]["channel"], "org:1", "the channel of a push")
