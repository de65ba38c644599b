# SPDX-License-Identifier: Apache-2.0
"""Redis goes away in every way it can: clients stay, publishing answers in time, and all resumes."""
import itertools
import signal
import time

from harness import PROMPT, Closed, Failure, System, check, equal, has, limit, timed, wait_for

CHANNEL = "org:1:messages"
ANSWER_SECONDS = 1.2
RESUME_SECONDS = 2.0


def connected_clients(system, count=5):
    clients = [system.client("user%d" % number) for number in range(count)]
    for client in clients:
        client.subscribe(CHANNEL)
    system.wait_subscribers(CHANNEL, count)
    return clients


def publishing_fails_in_time(system, client):
    """Neither the API nor a client waits longer than 1.2 s for its error."""
    clock = system.test.clock
    for _ in range(2):
        begun = clock.mark()
        reply = system.call_api("publish", {"channel": CHANNEL, "data": "lost"})
        clock.at_most(begun, ANSWER_SECONDS, "POST /api/publish, answered with %r," % reply)
        equal(reply.json().get("error", {}).get("code"), 100, "the answer of /api/publish: %r; error" % reply)
    begun = clock.mark()
    reply = client.call(publish={"channel": CHANNEL, "data": "lost"})
    clock.at_most(begun, ANSWER_SECONDS, "a client's publish")
    equal(reply.get("error", {}).get("code"), 100, "the answer to a client's publish: %r; error" % reply)


def subscribing_fails_in_time(system, client):
    """A new subscription cannot be had without Redis: the connection is closed with 3004, as the reference does, and
    says why; the client's SDK comes back by itself."""
    begun = system.test.clock.mark()
    client.send({"id": 99, "subscribe": {"channel": CHANNEL}})
    code, reason = client.expect_close()
    system.test.clock.at_most(begun, ANSWER_SECONDS, "subscribe")
    equal(code, 3004, "close code (%s)" % reason)
    check(reason.startswith("internal server error: ") and "edis" in reason, "the reason explains itself: %r" % reason)


def resumes(system, clients, since=None):
    """Within 2 s of Redis being back a message reaches every client, over the connections of before."""
    clock = system.test.clock
    since = since or clock.mark()
    for number in itertools.count(1):
        reply = system.call_api("publish", {"channel": CHANNEL, "data": {"back": number}})
        # The pause for which it is waited grows, so that it is long enough on any machine.
        if "result" in reply.json() and all(arrived(client, number, max(0.3, 0.05 * number)) for client in clients):
            return
        clock.at_most(since, RESUME_SECONDS, "coming back; the last answer was %r; all that" % reply)


def arrived(client, number, seconds):
    """Whether publication `number` comes; earlier ones may have been lost or not."""
    client.sock.settimeout(seconds)
    try:
        while True:
            data = client.recv().get("push", {}).get("pub", {}).get("data")
            if data == {"back": number}:
                return True
    except Closed as end:
        raise Failure("a client was closed: %s %s" % (end.code, end.reason)) from None
    except Failure:
        return False
    finally:
        client.sock.settimeout(client.timeout)


@timed
def test_absent_at_start(test):
    """Without Redis the programs start, say so in the words of the guide, keep trying, and serve when it comes."""
    system = System(test, PROMPT, redis_up=False)
    system.pushd.wait_log(r"error creating engine: dial tcp 127\.0\.0\.1:%d: connect: connection refused"
                          % system.redis_port)
    equal(system.admin("GET", "/ready").status, 503, "/ready without Redis")
    equal(system.admin("GET", "/api/ping").body, b'{"result":{}}', "/api/ping without Redis")
    client = system.client()
    publishing_fails_in_time(system, client)
    subscribing_fails_in_time(system, system.client("other"))
    system.start_redis()
    since = test.clock.mark()
    test.clock.wait_for(since, RESUME_SECONDS, system.is_ready, "/ready after Redis came")
    client.subscribe(CHANNEL)
    resumes(system, [client])
    has(system.pushd.log(), "redis connected", "the log")


@timed
def test_killed_and_restarted(test):
    """Redis is killed with clients connected: they stay, publishing fails at once, and all resumes after a restart."""
    system = System(test, PROMPT)
    clients = connected_clients(system)
    system.redis.kill()
    system.pushd.wait_log(r"redis error: ")
    publishing_fails_in_time(system, clients[0])
    equal(system.admin("GET", "/ready").status, 503, "/ready meanwhile")
    mark = system.pushd.mark()
    system.start_redis()
    resumes(system, clients)
    has(system.pushd.log_since(mark), "redis connected", "the log after the restart")
    test.clock.wait_for(test.clock.mark(), RESUME_SECONDS, system.is_ready, "/ready after the restart")
    client = system.client("late")
    client.subscribe(CHANNEL)


@timed
def test_restarted_at_once(test):
    """A restart without pause: connections survive it, and the next message arrives."""
    system = System(test, PROMPT)
    clients = connected_clients(system, 3)
    for _ in range(3):
        system.redis.kill()
        system.start_redis()
        resumes(system, clients)


@timed
@limit(90)
def test_stopped_process(test):
    """SIGSTOP: Redis accepts and answers nothing. Publishing answers in 1.2 s; all resumes after SIGCONT."""
    system = System(test, PROMPT)
    clients = connected_clients(system)
    system.redis.send_signal(signal.SIGSTOP)
    publishing_fails_in_time(system, clients[0])
    system.pushd.wait_log(r"redis error: ")
    system.redis.send_signal(signal.SIGCONT)
    resumes(system, clients)


@timed
@limit(90)
def test_stopped_before_a_new_client(test):
    """While Redis is stopped a new client can still connect; its subscribe fails in time instead of hanging."""
    system = System(test, PROMPT)
    system.redis.send_signal(signal.SIGSTOP)
    client = system.client()
    subscribing_fails_in_time(system, system.client("other"))
    system.redis.send_signal(signal.SIGCONT)
    since = test.clock.mark()
    test.clock.wait_for(since, RESUME_SECONDS, system.is_ready, "/ready")
    client.subscribe(CHANNEL)
    resumes(system, [client], since)


@timed
@limit(90)
def test_client_pause(test):
    """CLIENT PAUSE: commands are held back for 3 s, publishing answers an error meanwhile, and then all resumes."""
    system = System(test, PROMPT)
    clients = connected_clients(system)
    with system.resp() as redis:
        redis.call("CLIENT", "PAUSE", "3000", "ALL")
        paused = time.monotonic()
        publishing_fails_in_time(system, clients[0])
        wait_for(lambda: time.monotonic() > paused + 3.0, "the pause ends")
    resumes(system, clients)


def test_script_cache_flushed(test):
    """SCRIPT FLUSH is not noticed by anybody."""
    system = System(test, PROMPT)
    client = connected_clients(system, 1)[0]
    system.publish(CHANNEL, 1)
    with system.resp() as redis:
        redis.call("SCRIPT", "FLUSH")
    system.publish(CHANNEL, 2)
    equal([client.publication()["data"] for _ in range(2)], [1, 2], "what arrives")


@timed
def test_connections_killed_by_redis(test):
    """CLIENT KILL of everybody: the subscriptions are there again within 2 s."""
    system = System(test, PROMPT)
    clients = connected_clients(system, 3)
    with system.resp() as redis:
        redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        redis.call("CLIENT", "KILL", "TYPE", "pubsub")
    resumes(system, clients)


def test_wrong_password_is_named(test):
    """A password that Redis refuses stands in the log, without the password."""
    system = System(test, {"engine": {"redis": {"address": None, "password": "wrong-password"}}}, redis_up=False,
                    redis_password="right-password", start=False)
    system.config["engine"]["redis"]["address"] = "redis://127.0.0.1:%d" % system.redis_port
    system.write_config()
    system.start_redis()
    system.start_pushd()
    system.pushd.wait_log(r"(?i)WRONGPASS|invalid username-password|invalid password|NOAUTH")
    check("wrong-password" not in system.pushd.log(), "the password is not logged")
    equal(system.admin("GET", "/ready").status, 503, "/ready")
