# SPDX-License-Identifier: Apache-2.0
"""Two Redis share the channels: each holds its own, and one that dies takes only those with it."""
import itertools
import os
import signal
import threading
import time

from harness import PATIENCE, PROMPT, System, check, equal, has, limit, timed, wait_for
from harness.process import Process, find_program
from harness.resp import Resp

ANSWER_SECONDS = 1.2
RESUME_SECONDS = 2.0


def shard_of(channel, shards=2):
    """Jump consistent hash of FNV-1a 64, as Centrifugo has it."""
    key, mask = 0xcbf29ce484222325, (1 << 64) - 1
    for byte in channel.encode():
        key = ((key ^ byte) * 0x100000001b3) & mask
    bucket, following = 0, 0
    while following < shards:
        bucket = following
        key = (key * 2862933555777941757 + 1) & mask
        following = int((bucket + 1) * ((1 << 31) / ((key >> 33) + 1)))
    return bucket


def channel_on(shard):
    return next(name for name in ("org:%d:room" % number for number in range(100)) if shard_of(name) == shard)


FIRST, SECOND = channel_on(0), channel_on(1)


class Shards(System):
    """A system whose configuration names two Redis; `as_text` writes both into one string, `namespace` is put into
    the options of the channels that are used."""

    def __init__(self, test, second_up=True, as_text=False, namespace=None, **options):
        super().__init__(test, start=False, **options)
        self.second_port = self._reserve()
        self.second_dir = os.path.join(self.dir, "second-redis")
        os.makedirs(self.second_dir)
        addresses = ["redis://127.0.0.1:%d" % port for port in (self.redis_port, self.second_port)]
        self.config["engine"]["redis"]["address"] = ", ".join(addresses) if as_text else addresses
        self.config["channel"]["namespaces"][0].update(namespace or {})
        self.write_config()
        if second_up:
            self.start_second()
        self.start()

    def start_second(self):
        self.second = self.test.add(Process(
            "redis-second", [find_program("redis-server"), "--bind", "127.0.0.1", "--port", str(self.second_port),
                             "--save", "", "--appendonly", "no", "--dir", self.second_dir], self.dir))
        wait_for(self._second_answers, "the second redis-server answers", alive=[self.second])

    def second_address(self):
        return "127.0.0.1:%d" % self.second_port

    def _second_answers(self):
        try:
            with self.second_resp() as redis:
                return redis.call("PING") == "PONG"
        except OSError:
            return False

    def second_resp(self):
        return Resp(("127.0.0.1", self.second_port))

    def ready(self):
        reply = self.admin("GET", "/ready")
        return reply.status, reply.json()

    def is_whole(self):
        return self.ready() == (200, {"ready": True, "redis": "ready", "workers": 2})


def keys(redis, pattern):
    return sorted(key.decode() for key in redis.call("KEYS", pattern))


def timed_call(system, method, body):
    """An API call, which has to be answered in time whatever the answer is."""
    begun = system.test.clock.mark()
    reply = system.call_api(method, body)
    system.test.clock.at_most(begun, ANSWER_SECONDS, "/api/%s %r, answered with %r," % (method, body, reply))
    return reply.json()


def test_channels_are_spread(test):
    """Messages, history, presence and recovery work on both, and everything of a channel is on its Redis."""
    system = Shards(test, as_text=True, namespace={"force_recovery": True})
    client = system.client("ada")
    places = {channel: client.subscribe(channel) for channel in (FIRST, SECOND)}
    for channel in (FIRST, SECOND):
        system.publish(channel, {"to": channel}, idempotency_key="once")
        system.publish(channel, {"to": "nobody"}, idempotency_key="once")
        equal(client.publication()["data"], {"to": channel}, "what arrives in " + channel)
        equal([p["data"] for p in system.result("history", {"channel": channel, "limit": -1})["publications"]],
              [{"to": channel}], "the history of " + channel)
        equal(len(system.result("presence", {"channel": channel})["presence"]), 1, "present in " + channel)
    with system.resp() as first, system.second_resp() as second:
        for redis, channel in ((first, FIRST), (second, SECOND)):
            names = ["%s.%s" % (kind, channel)
                     for kind in ("presence.data", "presence.expire", "stream", "stream.meta")]
            equal(keys(redis, "centrifugo.*"),
                  sorted("centrifugo." + name for name in names + ["result.%s.once" % channel]),
                  "the keys on the Redis of " + channel)
            equal(redis.call("PUBSUB", "NUMSUB", "centrifugo.client." + channel)[1], 1, "subscribers of " + channel)
    late = system.client("late")
    for channel in (FIRST, SECOND):
        got = late.subscribe(channel, recover=True, epoch=places[channel]["epoch"], offset=0)
        check(got.get("recovered"), "recovered in %s: %r" % (channel, got))
        equal([p["data"] for p in got["publications"]], [{"to": channel}], "recovered in " + channel)
    answers = system.result("broadcast", {"channels": [FIRST, SECOND, FIRST], "data": 1})["responses"]
    equal([answer["result"]["offset"] for answer in answers], [2, 2, 3], "offsets of a broadcast")
    equal(set(system.result("channels")["channels"]), {FIRST, SECOND}, "channels")


class Publisher(threading.Thread):
    """Publishes numbers into a channel as fast as the answers come, until stopped."""

    def __init__(self, system, channel):
        super().__init__(daemon=True)
        self.publish, self.clock = system.publisher(), system.test.clock
        self.channel, self.done = channel, threading.Event()
        self.published, self.refused, self.problem = [], [], None

    def run(self):
        number = 0
        try:
            while not self.done.is_set():
                number += 1
                begun = self.clock.mark()
                reply = self.publish(self.channel, b"%d" % number).json()
                self.clock.at_most(begun, ANSWER_SECONDS, "a publish, answered with %r," % reply)
                if "result" in reply:
                    self.published.append(number)
                else:
                    equal(reply.get("error", {}).get("code"), 100, "the answer to publish %r; code" % reply)
                    self.refused.append(reply["error"]["message"])
        except Exception as problem:  # pylint: disable=broad-except
            self.problem = problem

    def check_alive(self):
        check(self.problem is None, "publishing into %s: %s" % (self.channel, self.problem))

    def finish(self):
        self.done.set()
        self.join(PATIENCE)
        self.check_alive()
        check(not self.is_alive(), "publishing into %s hangs" % self.channel)


def use_without_second(system, fails):
    """What is on the first Redis, and what concerns the cluster, goes on; `fails()` makes the second fail meanwhile."""
    client = system.client("grace")
    client.subscribe(FIRST)
    publishers = [Publisher(system, channel) for channel in (FIRST, SECOND)]
    for publisher in publishers:
        publisher.start()
    wait_for(lambda: all(len(publisher.published) > 20 for publisher in publishers), "both channels are in use",
             alive=publishers)
    fails()
    wait_for(lambda: len(publishers[1].refused) > 5, "publishing into the dead Redis is refused", alive=publishers)
    count = len(publishers[0].published)
    wait_for(lambda: len(publishers[0].published) > count + 20, "publishing into the other goes on", alive=publishers)
    wait_for(lambda: system.ready()[1].get("redis") == "partly down", "pushd notices")
    for publisher in publishers:
        publisher.finish()
    equal(publishers[0].refused, [], "refused on the Redis that lives")
    equal([client.publication()["data"] for _ in publishers[0].published], publishers[0].published,
          "what arrives on the channel of the living Redis")


def everything_says_which(system):
    status, ready = system.ready()
    equal((status, ready["ready"], len(ready["warnings"])), (200, True, 1), "/ready")
    has(ready["warnings"][0], "redis %s: " % system.second_address(), "the warning of /ready")
    metrics = system.admin("GET", "/metrics").body.decode()
    has(metrics, 'pushd_redis_up{address="%s"} 1' % system.redis_address(), "the metrics")
    has(metrics, 'pushd_redis_up{address="%s"} 0' % system.second_address(), "the metrics")


def calls_go_on(system):
    """Every kind of API call is answered in time; those that need no channel of the second Redis succeed."""
    for method, body in (("info", {}), ("channels", {}), ("disconnect", {"user": "nobody"}),
                         ("history", {"channel": FIRST, "limit": -1}), ("presence", {"channel": FIRST}),
                         ("unsubscribe", {"user": "nobody", "channel": SECOND})):
        for _ in range(3):
            reply = timed_call(system, method, body)
            check("result" in reply, "/api/%s %r answered %r" % (method, body, reply))
    for method in ("history", "presence", "presence_stats", "history_remove"):
        equal(timed_call(system, method, {"channel": SECOND})["error"]["code"], 100, method + " on the dead Redis")
    responses = timed_call(system, "broadcast", {"channels": [SECOND, FIRST, SECOND], "data": "b"})["result"]["responses"]
    equal(["result" in response for response in responses], [False, True, False], "answers of a broadcast")
    replies = timed_call(system, "batch", {"commands": [{"publish": {"channel": SECOND, "data": 1}},
                                                        {"history": {"channel": SECOND}},
                                                        {"publish": {"channel": FIRST, "data": 1}}]})["replies"]
    equal(["error" in reply for reply in replies], [True, True, False], "answers of a batch")


def recovers(system, client):
    """Within 2 s of the second Redis being back its channel works again over the connection of before."""
    clock = system.test.clock
    since = clock.mark()
    for number in itertools.count(1):
        clock.at_most(since, RESUME_SECONDS, "to use the second Redis again")
        if "result" not in system.call_api("publish", {"channel": SECOND, "data": {"back": number}}).json():
            continue
        client.sock.settimeout(max(0.3, 0.05 * number))  # a busy machine may need longer than any fixed pause
        try:
            while client.publication()["data"] != {"back": number}:
                pass
            break
        except AssertionError:
            continue
        finally:
            client.sock.settimeout(client.timeout)
    clock.wait_for(clock.mark(), RESUME_SECONDS, system.is_whole, "/ready names nothing any more")


def lines_about(text, address):
    return [line for line in text.splitlines() if address in line and " ERR " in line]


@timed
def test_one_killed_under_use(test):
    """One of two Redis is killed: its channels fail at once, the others lose nothing, and it comes back by itself."""
    system = Shards(test, config=PROMPT)
    client = system.client("ada")
    client.subscribe(SECOND)
    marks = [program.mark() for program in (system.pushd, system.api)]
    use_without_second(system, system.second.kill)
    everything_says_which(system)
    calls_go_on(system)
    refused = system.client("alan").call(publish={"channel": SECOND, "data": 1})
    equal(refused["error"]["code"], 100, "a client's publish into the dead Redis: %r; code" % refused)
    for program, mark, most in zip((system.pushd, system.api), marks, (2, 1)):
        lines = lines_about(program.log_since(mark), system.second_address())
        check(1 <= len(lines) <= most, "one outage is told once by %s:\n  %s" % (program.name, "\n  ".join(lines)))
        equal(lines_about(program.log_since(mark), system.redis_address()), [], "errors of the other Redis")
    system.start_second()
    recovers(system, client)
    new = system.client("new")
    new.subscribe(SECOND)
    system.publish(SECOND, "after")
    equal(new.publication()["data"], "after", "what a new client gets")


@timed
@limit(90)
def test_one_stopped_under_use(test):
    """One of two Redis stands still: no call takes more than 1.2 s, the other's channels lose nothing."""
    system = Shards(test, config=PROMPT)
    client = system.client("ada")
    client.subscribe(SECOND)
    use_without_second(system, lambda: system.second.send_signal(signal.SIGSTOP))
    everything_says_which(system)
    calls_go_on(system)
    system.second.send_signal(signal.SIGCONT)
    recovers(system, client)


@timed
def test_one_absent_at_start(test):
    """A Redis that is missing when the programs start keeps nobody from using the other."""
    system = Shards(test, second_up=False, config=PROMPT)
    client = system.client("ada")
    client.subscribe(FIRST)
    system.publish(FIRST, 1)
    equal(client.publication()["data"], 1, "what arrives")
    everything_says_which(system)
    equal(timed_call(system, "publish", {"channel": SECOND, "data": 1})["error"]["code"], 100, "publish")
    system.start_second()
    test.clock.wait_for(test.clock.mark(), RESUME_SECONDS, system.is_whole, "/ready after it came")
    client.subscribe(SECOND)
    recovers(system, client)


@timed
@limit(90)
def test_nodes_know_each_other_over_what_is_left(test):
    """Pings and surveys of the cluster take the Redis that lives: no node is forgotten, channels adds up both."""
    system = Shards(test, config=PROMPT)
    other = System(test, front=None, node="other", redis_port=system.redis_port, start=False)
    other.config["engine"] = system.config["engine"]
    other.write_config()
    other.start_pushd()
    wait_for(lambda: len(system.result("info")["nodes"]) == 2, "both nodes are known")
    clients = [node.client("u") for node in (system, other)]
    for client in clients:
        client.subscribe(FIRST)
    system.second.kill()
    end = time.monotonic() + 9  # a silent node is forgotten after 7 s
    while time.monotonic() < end:
        equal(len(timed_call(system, "info", {})["result"]["nodes"]), 2, "nodes")
        channels = timed_call(system, "channels", {})["result"]["channels"]
        equal(channels[FIRST], {"num_clients": 2}, "channels")
        clients[0].silent(0.3)
    equal(system.result("disconnect", {"user": "u"}), {}, "disconnect")
    equal([client.expect_close()[0] for client in clients], [3503, 3503], "close codes")
