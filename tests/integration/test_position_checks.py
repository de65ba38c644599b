# SPDX-License-Identifier: Apache-2.0
"""Positions in a stream are checked while nothing is published."""
import time

from harness import System, check, equal, wait_for

CHANNEL = "stream:a"
META = "centrifugo.stream.meta." + CHANNEL
CLIENTS = 20
CHECKS = 5

CONFIG = {
    # At each tick all are due, and the ticks of the clients are a tenth of a second apart.
    "client": {"channel_position_check_delay": "400ms", "presence_update_interval": "1s"},
    "channel": {"namespaces": [{"name": "stream", "allow_subscribe_for_client": True, "history_size": 10,
                                "history_ttl": "300s", "force_recovery": True}]},
    "pushd": {"workers": 1},
}


def subscribed(system):
    clients = [system.client("user%d" % number) for number in range(CLIENTS)]
    for client in clients:
        client.subscribe(CHANNEL)
    return clients


def scripts_run(redis):
    stats = dict(line.split(":", 1) for line in redis.call("INFO", "commandstats").decode().split() if ":" in line)
    return int(stats.get("cmdstat_evalsha", "calls=0").split("calls=")[1].split(",")[0])


def test_subscribers_of_a_channel_share_a_check(test):
    """One subscriber that is due reads the top of the stream; it is not read again for the others."""
    system = System(test, CONFIG)
    subscribed(system)
    with system.resp() as redis:
        begun, before = time.monotonic(), scripts_run(redis)
        wait_for(lambda: scripts_run(redis) >= before + CHECKS, "the position is checked again and again", 20)
    took = time.monotonic() - begun
    check(took > CHECKS - 1, "%d subscribers, %d checks within %.2f s" % (CLIENTS, CHECKS, took))


def test_every_subscriber_learns_of_a_gap(test):
    """A publication that no node got is found missing, whoever read the top of the stream."""
    system = System(test, CONFIG)
    clients = subscribed(system)
    with system.resp() as redis:
        before = scripts_run(redis)
        wait_for(lambda: scripts_run(redis) > before, "the position was checked once")
        equal(redis.call("HINCRBY", META, "s", 1), 1, "the new top")
    for client in clients:
        equal(client.recv().get("push", {}).get("unsubscribe", {}).get("code"), 2500, "what the client is told")
