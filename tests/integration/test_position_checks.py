# SPDX-License-Identifier: Apache-2.0
"""Positions in a stream are checked while nothing is published."""
import time

from harness import System, check, equal, wait_for

CHANNEL = "stream:a"
META = "centrifugo.stream.meta." + CHANNEL
CLIENTS = 20
CHECKS = 5
DELAY = 0.4

CONFIG = {
    # At its tick, which each client has once a second, it is due.
    "client": {"channel_position_check_delay": "400ms", "presence_update_interval": "1s"},
    "channel": {"namespaces": [{"name": "stream", "allow_subscribe_for_client": True, "history_size": 10,
                                "history_ttl": "300s", "force_recovery": True}]},
    "pushd": {"workers": 1},
}


def subscribed(system, apart=0):
    """Clients whose ticks are so many seconds apart."""
    clients = []
    begun = time.monotonic()
    for number in range(CLIENTS):
        wait_for(lambda due=begun + apart * number: time.monotonic() >= due, "the next one's turn")
        clients.append(system.client("user%d" % number))
        clients[-1].subscribe(CHANNEL)
    return clients


def scripts_run(redis):
    stats = dict(line.split(":", 1) for line in redis.call("INFO", "commandstats").decode().split() if ":" in line)
    return int(stats.get("cmdstat_evalsha", "calls=0").split("calls=")[1].split(",")[0])


def test_subscribers_of_a_channel_share_a_check(test):
    """One subscriber that is due reads the top of the stream; it is not read again for the others until the delay has
    passed. The ticks decide how many checks that makes, so only the most there may be is known."""
    system = System(test, CONFIG)
    subscribed(system, apart=1 / CLIENTS)
    with system.resp() as redis:
        begun, before = time.monotonic(), scripts_run(redis)
        wait_for(lambda: scripts_run(redis) >= before + CHECKS, "the position is checked again and again")
        done = scripts_run(redis) - before
    took = time.monotonic() - begun
    most = took / DELAY + 2
    check(done <= most, "%d subscribers, %d checks within %.2f s, %.1f would be many" % (CLIENTS, done, took, most))


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
