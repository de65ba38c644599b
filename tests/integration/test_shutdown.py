# SPDX-License-Identifier: Apache-2.0
"""How the programs stop: clients hear why, nothing hangs, the status says that all went well."""
import signal
import threading

from harness import Closed, System, check, equal, has, timed, wait_for


def test_clients_hear_3001(test):
    """SIGTERM: every client gets 3001 `shutdown`, pushd ends with status 0 and says so."""
    system = System(test, front=None)
    clients = [system.client("user%d" % i) for i in range(20)]
    for client in clients[:10]:
        client.subscribe("org:1:messages")
    clients.append(system.open())  # upgraded, not connected
    system.pushd.send_signal(signal.SIGTERM)
    for client in clients:
        equal(client.expect_close(), (3001, "shutdown"), "how a client's connection ends")
    equal(system.pushd.wait_exit(), 0, "exit status")


def test_what_was_published_before_arrives_first(test):
    """Messages that were accepted before the signal reach the client before the close frame."""
    system = System(test)
    client = system.client()
    client.subscribe("org:1:messages")
    publish = system.publisher()
    for number in range(50):
        equal(publish("org:1:messages", b"%d" % number).status, 200, "publish")
    last = system.client("other")
    last.subscribe("org:1:messages")
    equal(len(last.call(history={"channel": "org:1:messages", "limit": -1})["history"]["publications"]), 50, "history")
    wait_for(lambda: b'"data":49' in client.sock.recv(1 << 20, 0x02), "the last one is there")  # MSG_PEEK
    system.pushd.send_signal(signal.SIGTERM)
    got = []
    try:
        while True:
            got.append(client.publication()["data"])
    except Closed as end:
        equal((end.code, end.reason), (3001, "shutdown"), "the end")
    equal(got, list(range(50)), "what arrived before")


def test_nobody_is_left_in_presence(test):
    """The presence of all clients is taken back before the end, also when Redis gets it all at once."""
    system = System(test, {"channel": {"namespaces": [
        {"name": "org", "allow_subscribe_for_client": True, "presence": True, "join_leave": True}]}}, front=None)
    channels = ["org:%d:messages" % number for number in range(40)]
    clients = [system.client("user%d" % number) for number in range(60)]
    for client in clients:
        client.send(*({"id": 100 + i, "subscribe": {"channel": channel}} for i, channel in enumerate(channels)))
    for client in clients:
        while client.recv().get("id") != 139:
            pass
    with system.resp() as redis:
        equal(len(redis.call("KEYS", "centrifugo.presence.data.*")), len(channels), "channels with presence")
        enders = [threading.Thread(target=client.expect_close) for client in clients]
        for ender in enders:
            ender.start()
        system.pushd.send_signal(signal.SIGTERM)
        equal(system.pushd.wait_exit(), 0, "exit status")
        for ender in enders:
            ender.join()
        equal(redis.call("KEYS", "centrifugo.presence.*"), [], "keys of presence afterwards")


@timed
def test_a_redis_that_hangs_cannot_hold_it(test):
    """A Redis that stands still delays the end by pushd.redis_timeout; workers that are done meanwhile do not hang."""
    system = System(test, {"pushd": {"redis_timeout": "6s"}}, front=None, env={"WATCHDOG_USEC": "1000000"})
    client = system.client()
    client.subscribe("org:1:messages")
    system.redis.send_signal(signal.SIGSTOP)
    system.pushd.send_signal(signal.SIGTERM)
    equal(client.expect_close(), (3001, "shutdown"), "how the connection ends")
    begun = test.clock.mark()
    equal(system.pushd.wait_exit(), 0, "exit status")
    test.clock.at_most(begun, 9, "the end of pushd")
    check("a worker hangs" not in system.pushd.log(), "the watchdog is content")


@timed
def test_a_client_that_does_not_answer_cannot_hold_it(test):
    """Clients that never answer the close frame delay the end by a few seconds at most."""
    system = System(test, front=None)
    clients = [system.client() for _ in range(3)]
    begun = test.clock.mark()
    system.pushd.send_signal(signal.SIGTERM)
    equal(system.pushd.wait_exit(), 0, "exit status")
    test.clock.at_most(begun, 8, "the end of pushd")
    equal(clients[0].expect_close()[0], 3001, "close code")


def test_interrupt_stops_as_well(test):
    """SIGINT, as from Ctrl-C, is the same clean stop; both programs end with status 0."""
    system = System(test)
    client = system.client()
    system.pushd.send_signal(signal.SIGINT)
    equal(client.expect_close(), (3001, "shutdown"), "how the connection ends")
    equal(system.pushd.wait_exit(), 0, "exit status of pushd")
    system.api.send_signal(signal.SIGINT)
    equal(system.api.wait_exit(), 0, "exit status of push-api")


@timed
def test_push_api_finishes_what_it_began(test):
    """SIGTERM to push-api: it ends with status 0, at once; the web server answers 5xx afterwards."""
    system = System(test)
    system.publish("test", 1)
    begun = test.clock.mark()
    equal(system.api.stop(), None, "the end of push-api")
    test.clock.at_most(begun, 5, "the end of push-api")
    reply = system.http("POST", "/api/publish", {"channel": "test", "data": 1}, {"X-API-Key": system.api_key})
    check(reply.status in (502, 503), "no application behind the web server: %r" % reply)


@timed
def test_the_node_leaves_the_cluster_at_once(test):
    """After a clean stop, info on another node no longer lists the one that left."""
    first = System(test)
    second = System(test, front=None, node="second", redis_port=first.redis_port)
    wait_for(lambda: len(first.result("info")["nodes"]) == 2, "two nodes in info")
    second.stop_pushd()
    test.clock.wait_for(test.clock.mark(), 2, lambda: len(first.result("info")["nodes"]) == 1, "one node in info")


def test_hangup_changes_nothing_silently(test):
    """SIGHUP does not end the programs; what they did about it stands in the log."""
    system = System(test, front=None)
    client = system.client()
    mark = system.pushd.mark()
    system.pushd.send_signal(signal.SIGHUP)
    system.pushd.wait_log(r"(?i)sighup|reopen|reload", since=mark)
    has(client.call(subscribe={"channel": "test"}), "subscribe", "the reply")
