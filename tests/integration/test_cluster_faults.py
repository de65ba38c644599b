# SPDX-License-Identifier: Apache-2.0
"""Two nodes, two push-api and one Redis that keeps what it acknowledged, under load, while parts of it die, hang and
come back: everybody who comes back recovers, and nothing is lost, doubled or reordered."""
import asyncio
import itertools
import json
import random
import signal
import time

from harness import PATIENCE, PROMPT, SECRET, Relay, System, check, clocked, equal, limit, wait_for
from model.ledger import Ledger, Rule
from model.player import Player, Wish, within
from model.wire import Api, Json, Protobuf

CLIENTS, PUBLISHERS = 32, 4
ANSWER_SECONDS = 1.2
TURN_SECONDS = 0.05
PRESENCE_TTL = 3
NAMESPACES = {
    "news": {"presence": True},
    "delta": {"delta_publish": True, "allowed_delta_types": ["fossil"]},
}
CHANNELS = ["news:1", "news:2", "news:3", "delta:1", "delta:2"]
CONFIG = {
    "client": {"presence_update_interval": "1s", "ping_interval": None, "pong_timeout": None},
    "websocket": {"write_timeout": None},
    "pushd": PROMPT["pushd"],
    "engine": {"redis": {"presence_ttl": "%ds" % PRESENCE_TTL}},
    "channel": {"namespaces": [
        {"name": name, "allow_subscribe_for_client": True, "history_size": 10000, "history_ttl": "300s",
         "force_recovery": True, **options} for name, options in NAMESPACES.items()]},
}


class Cluster:
    """The two nodes and what clients and publishers do with them; run in one asyncio loop."""

    def __init__(self, test):
        first = System(test, CONFIG, redis_appends=True)
        second = System(test, CONFIG, node="second", redis_port=first.redis_port)
        self.nodes, self.redis = [first, second], first
        self.relays = [Relay(test, ("127.0.0.1", node.ws_port)) for node in self.nodes]
        self.ledger = Ledger({channel: Rule(10000, 300.0) for channel in CHANNELS})
        self.apis = [Api(node.port, node.api_headers) for node in self.nodes]
        self.acting, self.over = True, asyncio.Event()
        self.late = []  # calls of the API that took too long, in words
        self.clock = test.clock
        self.delay, self.turn_at = 0.0, time.monotonic()  # of this loop itself: in all, and when it was last measured
        self.at = {}  # name of a player -> index of the node that it is or was connected to
        self.players = [self.player(number) for number in range(CLIENTS)]

    def player(self, number):
        """Every other one reaches its node through the relay; each comes back to the other node."""
        turns = itertools.cycle((number % 2, 1 - number % 2))
        name = "c%d" % number

        def port():
            self.at[name] = next(turns)
            return self.relays[self.at[name]].port if number % 4 < 2 else self.nodes[self.at[name]].ws_port
        player = Player(name, Protobuf if number % 3 == 0 else Json, self.ledger, SECRET, port)
        for channel in random.Random(number).sample(CHANNELS, 3):
            player.subscribe(Wish(channel, {"delta": "fossil"} if channel.startswith("delta") else {}))
        return player

    # --------------------------------------------------------------------------------------- the load

    async def pause(self, seconds):
        await within(seconds, self.over.wait())

    async def watch_loop(self):
        """How late this process is itself, which is not the API's fault."""
        while not self.over.is_set():
            await self.pause(TURN_SECONDS)
            self.delay, self.turn_at = self.delayed(), time.monotonic()

    def delayed(self):
        return self.delay + max(0.0, time.monotonic() - self.turn_at - TURN_SECONDS)

    async def call(self, api, method, body):
        begun, delay = self.clock.mark(), self.delayed()
        answer = await api.call(method, body)
        delay = self.delayed() - delay
        if self.clock.left(begun, ANSWER_SECONDS + 2 * delay) < 0:
            self.late.append("%s took %.2f s, the machine lost %.2f s, a program waited for %.2f s, this one was late by %.2f: %r"
                             % (method, *self.clock.took(begun), delay, answer))
        return answer

    async def read(self, api, method, channel):
        """The result. Where Redis takes longer than push-api gives it, because the machine is busy, it is asked again."""
        until = time.monotonic() + PATIENCE
        while True:
            answer = await self.call(api, method, json.dumps({"channel": channel}).encode())
            if answer and "result" in answer:
                return answer["result"]
            check(time.monotonic() < until, "%s of %s was answered with %r" % (method, channel, answer))
            await self.pause(0.1)

    async def publish(self, number):
        """Half of the publications have an idempotency key, and are repeated until they are acknowledged."""
        api = Api(self.nodes[number % 2].port, self.nodes[number % 2].api_headers)
        dice = random.Random(number)
        for count in itertools.count():
            if not self.acting:
                break
            key, channel = ("api%d" % number, count), dice.choice(CHANNELS)
            data = b'{"by":"api%d","no":%d,"text":"%s"}' % (number, count, b"nearly the same every time; " * 12)
            body = {"channel": channel, **({"idempotency_key": "%s %d" % key} if dice.random() < 0.5 else {})}
            text = json.dumps(body)[:-1].encode() + b', "data": ' + data + b"}"
            self.ledger.publishing(key, channel, data, {}, time.monotonic())
            while not await self.attempt(api, key, text) and "idempotency_key" in body:
                self.ledger.counts["repeated"] += 1
                await self.pause(0.1)
            await self.pause(0.03)
        api.close()

    async def attempt(self, api, key, text):
        answer = await self.call(api, "publish", text)
        if answer and "result" in answer:
            result = answer["result"]
            self.ledger.acknowledged(key, result["epoch"], result["offset"], time.monotonic())
            return True
        if answer is None or answer["error"]["code"] != 100:
            self.late.append("publish was answered with %r" % answer)
        self.ledger.unknown(key, time.monotonic())
        return False

    # --------------------------------------------------------------------------------------- the faults

    async def in_thread(self, function, *arguments):
        return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)

    def note(self, text):
        self.ledger.note(time.monotonic(), "---- " + text)

    def clients_of(self, number):
        return {player.client for player in self.players if player.client and self.at[player.name] == number}

    async def start_node(self, number):
        await self.in_thread(self.nodes[number].start_pushd)
        self.relays[number].target = ("127.0.0.1", self.nodes[number].ws_port)
        self.note("node %d is back" % number)

    async def kill_node(self, number):
        self.note("node %d is killed" % number)
        gone, killed = self.clients_of(number), self.clock.mark()
        self.nodes[number].pushd.kill()
        await self.pause(1.5)
        await self.start_node(number)
        await self.forgotten(gone, killed, PRESENCE_TTL + 1.5)

    async def restart_node(self, number):
        """It closes its clients and takes them out of Redis before it ends."""
        self.note("node %d is told to end" % number)
        gone = self.clients_of(number)
        equal(await self.in_thread(self.nodes[number].pushd.stop), None, "the end of a node")
        await self.forgotten(gone, self.clock.mark(), 1)
        await self.start_node(number)

    async def forgotten(self, clients, since, seconds):
        """Nobody of a node that ended is present for longer than the entries live."""
        check(clients, "there were clients on the node")
        while True:
            left = {channel: clients & await self.present(channel) for channel in CHANNELS[:3]}
            if not any(left.values()):
                return
            self.clock.at_most(since, seconds, "to forget the clients of a node that ended, of which are present: %r," % left)
            await self.pause(0.1)

    async def present(self, channel):
        return set((await self.read(self.apis[0], "presence", channel))["presence"])

    async def stop_redis(self, seconds=2.5):
        self.note("Redis is stopped")
        self.redis.redis.send_signal(signal.SIGSTOP)
        await self.pause(seconds)
        self.redis.redis.send_signal(signal.SIGCONT)
        self.note("Redis goes on")
        await self.pause(3)

    async def kill_redis(self):
        self.note("Redis is killed")
        await self.in_thread(self.redis.redis.kill)
        await self.pause(1)
        await self.in_thread(self.redis.start_redis)
        self.note("Redis is back")
        await self.pause(3)

    async def cut_links(self):
        for relay in self.relays:
            self.note("%d links are cut" % relay.drop())
            await self.pause(1)

    async def hang_links(self):
        """The links of one node's clients forward nothing for a while, then they end."""
        self.note("links hang")
        self.relays[0].hold(None, "down")
        await self.pause(2)
        self.relays[0].drop()
        self.relays[0].release()
        await self.pause(1)

    def kill_connections(self, kind):
        self.note("CLIENT KILL TYPE " + kind)
        with self.redis.resp() as redis:
            return redis.call("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")

    async def disconnect_nodes(self):
        for kind in ("pubsub", "normal", "pubsub"):
            await self.in_thread(self.kill_connections, kind)
            await self.pause(1)

    async def suffer(self):
        await self.pause(1)
        await self.kill_node(1)
        await self.cut_links()
        await self.stop_redis()
        await self.disconnect_nodes()
        await self.kill_redis()
        await self.hang_links()
        await self.restart_node(1)
        await self.kill_node(0)

    # ------------------------------------------------------------------------------------------ the end

    async def run(self):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(player.live()) for player in self.players]
            tasks.append(group.create_task(self.watch_loop()))
            load = [group.create_task(self.publish(number)) for number in range(PUBLISHERS)]
            await self.suffer()
            self.acting = False
            await asyncio.wait(load)
            await self.rest()
            self.over.set()
            for player in self.players:
                player.stop()
        for api in self.apis:
            api.close()

    async def rest(self):
        until = time.monotonic() + PATIENCE
        while True:
            missing = [player.name + " is not back" for player in self.players
                       if not player.online.is_set() or any(wish.session is None for wish in player.wishes.values())]
            missing = missing or self.ledger.missing(await self.tops()) + await self.strangers()
            if not missing:
                return
            if time.monotonic() > until:
                self.ledger.fail(None, "at rest for %g s: %s" % (PATIENCE, "; ".join(missing[:5])))
            await self.pause(0.1)

    async def tops(self):
        tops = {}
        for channel in CHANNELS:
            answer = await self.read(self.apis[1], "history", channel)
            tops[channel] = answer["epoch"], answer["offset"]
        return tops

    async def strangers(self):
        found = []
        for channel in CHANNELS[:3]:
            got = await self.present(channel)
            want = {player.client for player in self.players if channel in player.wishes}
            if got != want:
                found.append("presence of %s: too many %s, missing %s" % (channel, got - want, want - got))
        return found


def first_of(problem):
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem


@clocked
@limit(150)
def test_faults_under_load(test):
    """Nodes and Redis are killed and stopped, links cut and hung, under load: every recovery succeeds and is true."""
    cluster = None

    async def main():
        nonlocal cluster
        cluster = Cluster(test)
        await cluster.run()
    try:
        asyncio.run(main())
    except BaseExceptionGroup as problems:
        cause = first_of(problems)
        trace = "" if "the last steps" in str(cause) else "\n" + cluster.ledger.trace()
        raise type(cause)("%s%s" % (cause, trace)) from problems
    print(dict(sorted(cluster.ledger.counts.items())))
    equal(cluster.late, [], "calls of the API that were late or without an answer")
    equal(cluster.ledger.counts["not recovered"], 0, "clients that came back without recovery, though nothing was lost")
    check(cluster.ledger.counts["recovered"] > CLIENTS, "clients came back")
    for node in cluster.nodes:
        wait_for(node.is_ready, "/ready of a node")
