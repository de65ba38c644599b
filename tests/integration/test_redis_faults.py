# SPDX-License-Identifier: Apache-2.0
"""Redis goes away in every way it can: clients stay, publishing answers in time, and all resumes."""
import signal
import time

from harness import Closed, System, check, equal, has, limit, wait_for

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
    for _ in range(2):
        begun = time.monotonic()
        reply = system.call_api("publish", {"channel": CHANNEL, "data": "lost"})
        took = time.monotonic() - begun
        check(took < ANSWER_SECONDS, "POST /api/publish took %.2f s: %r" % (took, reply))
        equal(reply.json().get("error", {}).get("code"), 100, "the answer of /api/publish: %r; error" % reply)
    begun = time.monotonic()
    reply = client.call(publish={"channel": CHANNEL, "data": "lost"})
    took = time.monotonic() - begun
    check(took < ANSWER_SECONDS, "a client's publish took %.2f s" % took)
    equal(reply.get("error", {}).get("code"), 100, "the answer to a client's publish: %r; error" % reply)


def subscribing_fails_in_time(client):
    """A new subscription cannot be had without Redis: the connection is closed with 3004, as the reference does, and
    says why; the client's SDK comes back by itself."""
    begun = time.monotonic()
    client.send({"id": 99, "subscribe": {"channel": CHANNEL}})
    code, reason = client.expect_close()
    check(time.monotonic() - begun < ANSWER_SECONDS, "subscribe took %.2f s" % (time.monotonic() - begun))
    equal(code, 3004, "close code (%s)" % reason)
    check(reason.startswith("internal server error: ") and "edis" in reason, "the reason explains itself: %r" % reason)


def resumes(system, clients, since):
    """Within 2 s of Redis being back a message reaches every client, over the connections of before."""
    deadline = since + RESUME_SECONDS
    number = 0
    while True:
        number += 1
        reply = system.call_api("publish", {"channel": CHANNEL, "data": {"back": number}})
        if "result" in reply.json() and all(arrived(client, number, deadline) for client in clients):
            return
        check(time.monotonic() < deadline, "nothing resumed within %g s; the last answer was %r" % (RESUME_SECONDS, reply))


def arrived(client, number, deadline):
    """Whether publication `number` comes; earlier ones may have been lost or not."""
    client.sock.settimeout(max(0.05, min(0.3, deadline - time.monotonic())))
    try:
        while True:
            data = client.recv().get("push", {}).get("pub", {}).get("data")
            if data == {"back": number}:
                return True
    except Closed as end:
        raise AssertionError("a client was closed: %s %s" % (end.code, end.reason)) from None
    except AssertionError:
        return False
    finally:
        client.sock.settimeout(client.timeout)


def test_absent_at_start(test):
    """Without Redis the programs start, say so in the words of the guide, keep trying, and serve when it comes."""
    system = System(test, redis_up=False)
    system.pushd.wait_log(r"error creating engine: dial tcp 127\.0\.0\.1:%d: connect: connection refused"
                          % system.redis_port)
    equal(system.admin("GET", "/ready").status, 503, "/ready without Redis")
    equal(system.admin("GET", "/api/ping").body, b'{"result":{}}', "/api/ping without Redis")
    client = system.client()
    publishing_fails_in_time(system, client)
    subscribing_fails_in_time(system.client("other"))
    system.start_redis()
    since = time.monotonic()
    wait_for(system.is_ready, "/ready after Redis came", RESUME_SECONDS)
    client.subscribe(CHANNEL)
    resumes(system, [client], since + 0.5)
    has(system.pushd.log(), "redis connected", "the log")


def test_killed_and_restarted(test):
    """Redis is killed with clients connected: they stay, publishing fails at once, and all resumes after a restart."""
    system = System(test)
    clients = connected_clients(system)
    system.redis.kill()
    system.pushd.wait_log(r"redis error: ", 3)
    publishing_fails_in_time(system, clients[0])
    equal(system.admin("GET", "/ready").status, 503, "/ready meanwhile")
    mark = system.pushd.mark()
    system.start_redis()
    resumes(system, clients, time.monotonic())
    has(system.pushd.log_since(mark), "redis connected", "the log after the restart")
    wait_for(system.is_ready, "/ready after the restart", RESUME_SECONDS)
    client = system.client("late")
    client.subscribe(CHANNEL)


def test_restarted_at_once(test):
    """A restart without pause: connections survive it, and the next message arrives."""
    system = System(test)
    clients = connected_clients(system, 3)
    for _ in range(3):
        system.redis.kill()
        system.start_redis()
        resumes(system, clients, time.monotonic())


@limit(90)
def test_stopped_process(test):
    """SIGSTOP: Redis accepts and answers nothing. Publishing answers in 1.2 s; all resumes after SIGCONT."""
    system = System(test)
    clients = connected_clients(system)
    system.redis.send_signal(signal.SIGSTOP)
    publishing_fails_in_time(system, clients[0])
    system.pushd.wait_log(r"redis error: ", 10)
    system.redis.send_signal(signal.SIGCONT)
    resumes(system, clients, time.monotonic())


@limit(90)
def test_stopped_before_a_new_client(test):
    """While Redis is stopped a new client can still connect; its subscribe fails in time instead of hanging."""
    system = System(test)
    system.redis.send_signal(signal.SIGSTOP)
    client = system.client()
    subscribing_fails_in_time(system.client("other"))
    system.redis.send_signal(signal.SIGCONT)
    since = time.monotonic()
    wait_for(system.is_ready, "/ready", RESUME_SECONDS)
    client.subscribe(CHANNEL)
    resumes(system, [client], since)


@limit(90)
def test_client_pause(test):
    """CLIENT PAUSE: commands are held back for 3 s, publishing answers an error meanwhile, and then all resumes."""
    system = System(test)
    clients = connected_clients(system)
    with system.resp() as redis:
        redis.call("CLIENT", "PAUSE", "3000", "ALL")
        paused = time.monotonic()
        publishing_fails_in_time(system, clients[0])
        wait_for(lambda: time.monotonic() > paused + 3.0, "the pause ends", 5)
    resumes(system, clients, time.monotonic())


def test_script_cache_flushed(test):
    """SCRIPT FLUSH is not noticed by anybody."""
    system = System(test)
    client = connected_clients(system, 1)[0]
    system.publish(CHANNEL, 1)
    with system.resp() as redis:
        redis.call("SCRIPT", "FLUSH")
    system.publish(CHANNEL, 2)
    equal([client.publication()["data"] for _ in range(2)], [1, 2], "what arrives")


def test_connections_killed_by_redis(test):
    """CLIENT KILL of everybody: the subscriptions are there again within 2 s."""
    system = System(test)
    clients = connected_clients(system, 3)
    with system.resp() as redis:
        redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        redis.call("CLIENT", "KILL", "TYPE", "pubsub")
    resumes(system, clients, time.monotonic())


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
