# SPDX-License-Identifier: Apache-2.0
"""Redis answers with an error, or falls silent: each call of the API gets a clear error in time, and what was refused is
not half done, so that repeating it publishes once."""
import os
import signal
import subprocess

from harness import PROMPT, Skip, System, check, equal, find_program, has, limit, timed, wait_for
from harness.resp import RespError

KEPT, PLAIN = "org:1:messages", "test"  # with history and without
ANSWER_SECONDS = 1.2
ONE_THREAD = {"pushd": {"api_threads": 1, **PROMPT["pushd"]}}  # and one connection, over which the next call goes


class Once:
    """A publication with an idempotency key into each channel, which fails, is repeated, and arrives once."""

    def __init__(self, system):
        self.system, self.client = system, system.client()
        for channel in (KEPT, PLAIN):
            self.client.subscribe(channel)
        system.publish(KEPT, "first")
        self.client.publication()

    def call(self, channel, **more):
        clock = self.system.test.clock
        begun = clock.mark()
        reply = self.system.call_api("publish", {"channel": channel, "data": "once", "idempotency_key": "k", **more})
        clock.at_most(begun, ANSWER_SECONDS, "publish into %s, answered with %r," % (channel, reply))
        return reply

    def fails(self, channel, *parts, **more):
        error = self.call(channel, **more).json().get("error", {})
        equal(error.get("code"), 100, "publish into %s: %r; code" % (channel, error))
        check(error["message"].startswith("internal server error: "), "the message: %r" % error)
        for part in parts:
            has(error["message"], part, "the message for %s" % channel)

    def both_fail(self, *parts):
        for channel in (KEPT, PLAIN):
            self.fails(channel, *parts)

    def wait_message(self, part):
        """Until the error has this in it; one for a connection that has just died may come before."""
        wait_for(lambda: part in self.call(KEPT).json()["error"]["message"], "an error with " + part)

    def published(self, channel):
        """It is repeated until it is taken, and once more; returns the result."""
        wait_for(lambda: "result" in self.call(channel).json(), "publish into %s works again" % channel)
        return self.call(channel).json()["result"]

    def arrives_once(self, kept=True):
        self.published(KEPT)
        self.published(PLAIN)
        self.system.publish(KEPT, "last")
        self.system.publish(PLAIN, "last")
        got = {KEPT: [], PLAIN: []}
        while any("last" not in list_ for list_ in got.values()):
            push = self.client.recv()["push"]
            got[push["channel"]].append(push["pub"]["data"])
        equal(got, {KEPT: ["once", "last"], PLAIN: ["once", "last"]}, "what arrives")
        if kept:
            history = self.system.result("history", {"channel": KEPT, "limit": -1})["publications"]
            equal([(one["offset"], one["data"]) for one in history], [(1, "first"), (2, "once"), (3, "last")], "history")


@timed
def test_out_of_memory(test):
    """OOM with noeviction: nothing is published without its key being kept."""
    system = System(test, PROMPT)
    once = Once(system)
    with system.resp() as redis:
        redis.call("CONFIG", "SET", "maxmemory", "1")
        once.both_fail("Redis answered: OOM ", "; give Redis more maxmemory")
        system.api.wait_log(r"redis error: Redis answered: OOM .*maxmemory")
        equal(system.publish(PLAIN, "unkeyed"), {}, "a publication that needs no memory")
        equal(once.client.publication()["data"], "unkeyed", "what arrives")
        redis.call("CONFIG", "SET", "maxmemory", "0")
    once.arrives_once()


@timed
def test_saving_fails(test):
    """MISCONF, because BGSAVE really fails; connections that are made meanwhile work as far as they can."""
    system = System(test, PROMPT)
    once = Once(system)
    os.mkdir(os.path.join(system.dir, "dump.rdb"))
    with system.resp() as redis:
        redis.call("CONFIG", "SET", "save", "3600 1")
        redis.call("BGSAVE")
        wait_for(lambda: b"rdb_last_bgsave_status:err" in redis.call("INFO", "persistence"), "BGSAVE fails")
        once.both_fail("Redis answered: MISCONF ", "; Redis cannot save to its disk")
        mark = system.pushd.mark()
        redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        redis.call("CLIENT", "KILL", "TYPE", "pubsub")
        system.pushd.wait_log("redis connected", since=mark)
        wait_for(system.is_ready, "/ready")
        wait_for(lambda: "result" in system.call_api("publish", {"channel": PLAIN, "data": "unkeyed"}).json()
                 and not once.client.silent(0.1), "publications that need no disk arrive again")
        equal(once.client.publication()["data"], "unkeyed", "what arrives")
        once.both_fail("MISCONF")
        os.rmdir(os.path.join(system.dir, "dump.rdb"))
        redis.call("BGSAVE")
        wait_for(lambda: b"rdb_last_bgsave_status:ok" in redis.call("INFO", "persistence"), "BGSAVE works")
    drain(once.client)
    once.arrives_once(kept=False)


def drain(client):
    while not client.silent(0.1):
        client.recv()


@timed
def test_replica(test):
    """READONLY: this Redis became a replica."""
    system = System(test, PROMPT)
    once = Once(system)
    with system.resp() as redis:
        redis.call("REPLICAOF", "127.0.0.1", "1")
        once.both_fail("Redis answered: READONLY ", "; this Redis is a replica: engine.redis.address has to name the primary")
        equal(system.admin("GET", "/ready").json().get("warnings"), None, "pushd has nothing to complain about yet; warnings")
        newcomer = system.client("newcomer")
        newcomer.send({"id": 9, "subscribe": {"channel": "org:2:messages"}})
        equal(newcomer.expect_close()[0], 3004, "presence cannot be written; close code")
        ready = system.admin("GET", "/ready")
        equal(ready.status, 200, "/ready: publications still arrive")
        has(ready.json().get("warnings", [""])[0], "READONLY", "what /ready says")
        has(ready.json()["warnings"][0], "engine.redis.address has to name the primary", "what /ready says")
        has(system.admin("GET", "/metrics").text, "pushd_redis_refusals_total ", "/metrics")
        redis.call("REPLICAOF", "NO", "ONE")
    once.arrives_once()


@timed
def test_foreign_keys(test):
    """WRONGTYPE: another program has keys where ours belong."""
    system = System(test, PROMPT)
    once = Once(system)
    keys = ("centrifugo.stream." + KEPT, "centrifugo.result.%s.k" % PLAIN)
    with system.resp() as redis:
        redis.call("RENAME", keys[0], "aside")
        for key in keys:
            redis.call("SET", key, "x")
        once.both_fail("Redis answered: WRONGTYPE ", "; another program uses keys with the same beginning")
        once.fails(KEPT, "WRONGTYPE", version=7)
        reply = system.call_api("history", {"channel": KEPT, "limit": 1}).json()
        has(reply["error"]["message"], "Redis answered: WRONGTYPE ", "history")
        redis.call("DEL", *keys)
        redis.call("RENAME", "aside", keys[0])
    equal(once.call(KEPT, version=7).json()["result"]["offset"], 2, "the offset: no number was lost, nor version 7 kept")
    equal(once.client.recv()["push"]["pub"]["data"], "once", "it arrives")
    once.published(PLAIN)
    equal(once.client.recv()["push"]["pub"]["data"], "once", "it arrives")
    once.published(KEPT)
    check(once.client.silent(), "nothing more arrives")


@timed
def test_password_appears(test):
    """NOAUTH: Redis wants a password since its last restart or a CONFIG SET."""
    system = System(test, ONE_THREAD)
    once = Once(system)
    with system.resp() as redis:
        redis.call("CONFIG", "SET", "requirepass", "new-password")
        redis.call("AUTH", "new-password")
        redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        redis.call("CLIENT", "KILL", "TYPE", "pubsub")
        once.wait_message("NOAUTH")
        once.both_fail("Redis is not reachable, so nothing was done: ", "NOAUTH", "; Redis wants a password")
        redis.call("CONFIG", "SET", "requirepass", "")
    wait_for(system.is_ready, "/ready")
    once.arrives_once()


@timed
def test_password_is_not_quoted(test):
    """A Redis that does not know AUTH quotes its arguments; neither the log nor an answer repeats them."""
    secret = "hunter2-of-redis"
    system = System(test, {**PROMPT, "engine": {"redis": {"password": secret}}}, front="nginx", start=False)
    system.start_redis(options=["--rename-command", "AUTH", ""])
    system.start(redis_up=False)
    for process in (system.pushd, system.api):
        process.wait_log("unknown command 'AUTH'")
    reply = system.call_api("publish", {"channel": PLAIN, "data": 1})
    has(reply.text, "unknown command 'AUTH'", "the answer")
    for text in (reply.text, system.pushd.log(), system.api.log()):
        check(secret not in text, "the password is not repeated: %s" % text)


@timed
def test_rights_are_missing(test):
    """NOPERM: the ACL forbids the channel of PUB/SUB, which leaves no gap in the history."""
    rights_are_missing(System(test, PROMPT))


@timed
def test_rights_are_missing_with_lists(test):
    """The same with histories in lists."""
    rights_are_missing(System(test, {**PROMPT, "engine": {"redis": {"history_use_lists": True}}}))


def rights_are_missing(system):
    once = Once(system)
    with system.resp() as redis:
        redis.call("ACL", "SETUSER", "default", "resetchannels")
        once.fails(PLAIN, "Redis answered: NOPERM ", idempotency_key="")
        # Versions of Redis word it differently.
        once.both_fail("Redis answered: ", "channel", "; the ACL of this Redis user has to permit")
        history = system.result("history", {"channel": KEPT, "limit": -1})
        equal([one["data"] for one in history["publications"]], ["first"], "history meanwhile")
        equal(history["offset"], 1, "its top")
        redis.call("ACL", "SETUSER", "default", "allchannels")
    wait_for(system.is_ready, "/ready")
    client = once.client = system.client()
    for channel in (KEPT, PLAIN):
        client.subscribe(channel)
    once.arrives_once()


@timed
def test_busy_script(test):
    """BUSY: somebody's script does not end."""
    system = System(test, PROMPT)
    once = Once(system)
    with system.resp() as redis, system.resp() as other:
        redis.call("CONFIG", "SET", "busy-reply-threshold", "50")
        other.send("EVAL", "while true do end", "0")
        wait_for(lambda: answers_with(redis, "BUSY"), "Redis is busy")
        once.both_fail("BUSY", "; a script keeps Redis busy")
        redis.call("SCRIPT", "KILL")
        try:
            other.read()
        except RespError:
            pass
    wait_for(system.is_ready, "/ready")
    once.arrives_once()


def answers_with(redis, code):
    try:
        redis.call("GET", "x")
    except RespError as error:
        return str(error).startswith(code)
    return False


@timed
@limit(90)
def test_loading(test):
    """LOADING: Redis has been restarted and reads a large file."""
    system = System(test, PROMPT)
    once = Once(system)
    with system.resp() as redis:
        for number in range(2000):
            redis.send("SET", "filling:%d" % number, "x" * 100)
        for _ in range(2000):
            redis.read()
        redis.call("SAVE")
    system.redis.kill()
    wait_for(lambda: "error" in system.call_api("publish", {"channel": PLAIN, "data": 1}).json(), "Redis is missed")
    system.start_redis(["--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"], awaited=False)
    once.wait_message("LOADING")
    once.both_fail("Redis is not reachable, so nothing was done: ", "LOADING", "; Redis has just been started")
    wait_for(system.is_ready, "/ready")
    once.arrives_once()


@timed
@limit(90)
def test_silence(test):
    """A Redis that is stopped gets the publication after the API gave up: repeating it returns the first result."""
    system = System(test, ONE_THREAD)
    once = Once(system)
    once.system.redis.send_signal(signal.SIGSTOP)
    once.fails(KEPT, "it is not known whether this was done", "idempotency_key", "i/o timeout")
    once.fails(PLAIN, "Redis is not reachable, so nothing was done: not tried, because just now: ", "i/o timeout")
    once.system.redis.send_signal(signal.SIGCONT)
    push = once.client.recv()["push"]
    equal((push["channel"], push["pub"]["data"], push["pub"]["offset"]), (KEPT, "once", 2), "what ran after all")
    equal(once.published(KEPT)["offset"], 2, "the offset of the repeated call")
    once.published(PLAIN)
    equal(once.client.recv()["push"]["channel"], PLAIN, "the other one")
    check(once.client.silent(), "nothing more arrives")
    history = system.result("history", {"channel": KEPT, "limit": -1})["publications"]
    equal([one["data"] for one in history], ["first", "once"], "history")


def small_disk(system):
    """A program that gives what it starts a disk of 1 MiB in the folder of Redis, and no other process: it vanishes."""
    probe = subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", system.dir],
                           capture_output=True, check=False)
    if probe.returncode != 0:
        raise Skip("a file system of 1 MiB may not be mounted here")
    script = 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"'
    return [find_program("unshare"), "--mount", "sh", "-c", script, os.path.join(system.dir, "small")]


def fill_disk(system):
    """Publishes into another channel until Redis refuses or ends; returns the answer."""
    answers = []

    def is_full():
        begun = system.test.clock.mark()
        answers.append(system.call_api("publish", {"channel": "org:2:messages", "data": "x" * 20000}))
        system.test.clock.at_most(begun, ANSWER_SECONDS, "publish, answered with %r," % answers[-1])
        return "error" in answers[-1].json()
    wait_for(is_full, "the disk is full")
    return answers[-1]


def on_small_disk(test, policy):
    system = System(test, PROMPT, start=False)
    os.mkdir(os.path.join(system.dir, "small"))
    options = ["--appendonly", "yes", "--appendfsync", policy, "--dir", os.path.join(system.dir, "small"),
               "--auto-aof-rewrite-percentage", "0"]
    system.start_redis(options, small_disk(system))
    system.redis.clean = (0, 1)
    system.start_pushd()
    system.start_api()
    system.start_front()
    system.wait_ready()
    return system


@timed
@limit(90)
def test_full_disk(test):
    """The disk of the append-only file is full: MISCONF, and nothing is half done."""
    system = on_small_disk(test, "everysec")
    once = Once(system)
    fill_disk(system)
    once.wait_message("MISCONF")
    once.both_fail("Redis answered: MISCONF ", "; Redis cannot save to its disk: free space")
    check(once.client.silent(), "nothing arrives")
    history = system.result("history", {"channel": KEPT, "limit": -1})["publications"]
    equal([one["data"] for one in history if one["data"] == "once"], [], "history")


@timed
@limit(90)
def test_full_disk_ends_redis(test):
    """With appendfsync always Redis ends instead: the call that meets it is answered with an error at once."""
    system = on_small_disk(test, "always")
    reply = fill_disk(system)
    has(reply.json()["error"]["message"], "Redis gave no answer, so it is not known whether this was done", "the message")
    equal(system.redis.wait_exit(), 1, "how Redis ended")
    wait_for(lambda: "connect: connection refused" in system.call_api("publish", {"channel": PLAIN, "data": 1})
             .json()["error"]["message"], "the next calls are told why nothing was done")
