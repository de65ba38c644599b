# SPDX-License-Identifier: Apache-2.0
"""Random interleavings of everything that clients, publishers and Redis do, held against a model.

PUSHD_SEED=N repeats the choices of a run (not its timing); PUSHD_MODEL_SECONDS=N acts for that long.
"""
import asyncio
import json
import math
import os
import random
import time

from harness import PATIENCE, SECRET, System, clocked, limit
from harness.check import Failure
from model.ledger import Ledger, Rule, Violation
from model.player import Player, Wish, within
from model.wire import Api, Json, Protobuf

SEED = int(os.environ.get("PUSHD_SEED") or time.time_ns() % 1000000)
SECONDS = float(os.environ.get("PUSHD_MODEL_SECONDS") or 22)
ROUND_SECONDS = 5.0
TURN_SECONDS, STALL_SECONDS = 0.05, 0.2
NOTICED_SECONDS = 6.0  # until the server has closed a client that does not answer its ping
PLAYERS, PUBLISHERS = 14, 3
# Half of the runs have the periodic check of positions, which finds everything in the end; in the other half nothing
# but the check after an outage does, and Redis loses its data only together with its connections.
PERIODIC = SEED % 2 == 0
LISTS = SEED % 3 == 0  # history in lists instead of streams
RECOVERED_MOST = 40

HISTORY = {"allow_subscribe_for_client": True, "history_size": 60, "history_ttl": "60s", "force_recovery": True}
NAMESPACES = {
    "stream": {**HISTORY, "presence": True, "join_leave": True, "allow_presence_for_subscriber": True,
               "allow_publish_for_client": True},
    "short": {**HISTORY, "history_size": 5, "history_ttl": "2s"},
    "spot": {**HISTORY, "force_recovery": False, "allow_positioning": True},
    "cache": {**HISTORY, "history_size": 1, "force_recovery_mode": "cache"},
    "auto": {**HISTORY, "history_size": 1, "force_recovery_mode": "cache", "auto_cache_recover": True},
    "delta": {**HISTORY, "delta_publish": True, "allowed_delta_types": ["fossil"]},
    "mixed": {**HISTORY, "delta_publish": True, "allowed_delta_types": ["fossil"], "allow_tags_filter": True},
    "flux": {**HISTORY, "history_ttl": "1s", "history_meta_ttl": "2s"},
    "plain": {"allow_subscribe_for_client": True, "allow_publish_for_client": True, "presence": True},
    "served": {"history_size": 60, "history_ttl": "60s", "force_recovery": True},
}
RULES = {
    "stream": Rule(60, 60), "short": Rule(5, 2), "spot": Rule(60, 60), "cache": Rule(1, 60, cache=True),
    "auto": Rule(1, 60, cache=True), "delta": Rule(60, 60), "mixed": Rule(60, 60), "flux": Rule(60, 1, forgets=True),
    "plain": Rule(), "served": Rule(60, 60),
}
for rule in RULES.values():
    rule.limit = RECOVERED_MOST
CHANNELS = [name + ":1" for name in NAMESPACES] + ["stream:2", "mixed:2", "delta:2"]
OPEN_CHANNELS = [channel for channel in CHANNELS if not channel.startswith("served")]
CONFIG = {
    "client": {"ping_interval": "3s", "pong_timeout": "2s", "presence_update_interval": "1s",
               "channel_position_check_delay": "1s" if PERIODIC else "1h",
               "recovery_max_publication_limit": RECOVERED_MOST},
    "websocket": {"write_timeout": None},
    "engine": {"redis": {"presence_ttl": "90s", "history_use_lists": LISTS}},
    "channel": {"namespaces": [{"name": name, **options} for name, options in NAMESPACES.items()]},
}


def space(channel):
    return channel.partition(":")[0]


def wish_for(channel, dice):
    """How a client subscribes; not all do it in the same way."""
    options = {}
    if space(channel) == "stream" and dice.random() < 0.5:
        options["join_leave"] = True
    if space(channel) == "spot" and dice.random() < 0.7:
        options["positioned"] = True
    if space(channel) in ("delta", "mixed") and dice.random() < 0.8:
        options["delta"] = "fossil"
    if space(channel) == "mixed" and dice.random() < 0.7:
        options["tf"] = {"key": "kind", "cmp": "eq", "val": dice.choice("abc")}
    return Wish(channel, options)


class Play:
    """One run: players and publishers act, Redis suffers, and at the end of each round all has to agree."""

    def __init__(self, system, clock, seconds=SECONDS):
        self.system, self.clock, self.seconds = system, clock, seconds
        self.ledger = Ledger({channel: RULES[space(channel)] for channel in CHANNELS})
        self.dice = random.Random("%d faults" % SEED)
        self.acting, self.over = asyncio.Event(), asyncio.Event()
        self.resting = [asyncio.Event() for _ in range(PLAYERS + PUBLISHERS)]
        self.api = Api(system.port, system.api_headers)
        self.players = [self.player(number) for number in range(PLAYERS)]
        self.left = {}  # (player, channel) -> wishes that were given up, with their positions

    def player(self, number):
        served = ["served:1"] if number % 4 == 0 else []
        return Player("p%d" % number, Protobuf if number % 3 == 0 else Json, self.ledger, SECRET,
                      lambda: self.system.ws_port, {"channels": served} if served else None, served)

    # ------------------------------------------------------------------------------ acting and resting

    async def pause(self, seconds):
        await within(seconds, self.over.wait())

    async def act(self, number, step):
        """Calls `step` while there is acting to do; between two rounds it rests."""
        while not self.over.is_set():
            if not self.acting.is_set():
                self.resting[number].set()
                await self.acting.wait()
                self.resting[number].clear()
                continue
            await step()

    async def play(self):
        async with asyncio.TaskGroup() as group:
            for number, player in enumerate(self.players):
                group.create_task(player.live())
                group.create_task(self.act(number, self.player_steps(player, random.Random("%d %d" % (SEED, number)))))
            for number in range(PLAYERS, PLAYERS + PUBLISHERS):
                group.create_task(self.act(number, self.publisher_steps(number, random.Random("%d %d" % (SEED, number)))))
            group.create_task(self.watch_machine())
            until = time.monotonic() + self.seconds
            while time.monotonic() < until:
                await self.round()
            self.over.set()
            self.acting.set()
            for player in self.players:
                player.stop()
        self.api.close()

    async def round(self):
        self.acting.set()
        faults = self.dice.sample([name for name in FAULTS if PERIODIC or name != "flush"], 2)
        for fault in faults:
            await self.pause(ROUND_SECONDS / 3 * self.dice.uniform(0.5, 1.0))
            self.ledger.counts["fault"] += 1
            await FAULTS[fault](self)
        await self.pause(ROUND_SECONDS / 3)
        self.acting.clear()
        for event in self.resting:
            if not await within(PATIENCE, event.wait()):
                self.ledger.fail(None, "somebody does not come to rest")
        await self.last_words()
        await self.rest()

    async def last_words(self):
        """A short outage, a few publications while it lasts or just after it, and then nothing more."""
        fault = self.dice.choice([None, "kill_pubsub", "kill_pubsub", "kill_everything", "restart"])
        if fault is not None:
            self.ledger.counts["fault"] += 1
            await FAULTS[fault](self)
        for channel in self.dice.sample(CHANNELS, 5):
            self.ledger.counts["last"] += 1
            await self.publish(self.api, ("last", self.ledger.counts["last"]), channel, self.dice)

    async def rest(self):
        """Waits until everybody has everything; what still misses then was lost. Only a publication tells clients of
        a stream that forgot itself."""
        await self.publish(self.api, ("rest", self.ledger.counts["rest"]), "flux:1", self.dice)
        self.ledger.counts["rest"] += 1
        until = time.monotonic() + PATIENCE
        while True:
            open_points = await self.disagreements()
            if not open_points:
                self.ledger.note(time.monotonic(), "all agree")
                return
            if time.monotonic() > until:
                self.ledger.fail(None, "at rest for %g s: %s" % (PATIENCE, "; ".join(open_points[:5])))
            await self.pause(0.05)

    async def disagreements(self):
        found = []
        for player in self.players:
            if not player.online.is_set():
                found.append("%s is not connected" % player.name)
            else:
                found += ["%s is not subscribed to %s" % (player.name, wish.channel)
                          for wish in player.wishes.values() if wish.session is None]
        if found:
            return found
        tops = {}
        for channel in CHANNELS:
            if RULES[space(channel)].size:
                answer = await self.api.call("history", json.dumps({"channel": channel, "limit": 0}).encode())
                if not answer or "result" not in answer:
                    return ["history of %s: %r" % (channel, answer)]
                tops[channel] = answer["result"]["epoch"], answer["result"]["offset"]
                self.ledger.saw_epoch(channel, tops[channel][0], time.monotonic())
        return self.ledger.missing(tops) + await self.presence()

    async def presence(self):
        found = []
        for channel in CHANNELS:
            if NAMESPACES[space(channel)].get("presence"):
                answer = await self.api.call("presence", json.dumps({"channel": channel}).encode())
                got = set((answer or {}).get("result", {}).get("presence", {}))
                want = {player.client for player in self.players
                        if channel in player.wishes and player.wishes[channel].session is not None}
                extra = {client for client in got - want if not self.may_linger(channel, client)}
                if extra or want - got:
                    found.append("presence of %s: too many %s, missing %s" % (channel, extra, want - got))
        return found

    def may_linger(self, channel, client):
        """Whether it may not have been possible to take a client out of Redis. Presence expires much later."""
        for player in self.players:
            left_at = player.departures.get((channel, client))
            if left_at is not None:
                noticed = left_at + (NOTICED_SECONDS if client in player.frozen_clients else 0.5)
                return not self.ledger.was_calm(left_at - 0.5, noticed)
        return False

    # ------------------------------------------------------------------------------------ what players do

    def player_steps(self, player, dice):
        numbers = iter(range(1 << 60))

        async def publish():
            channel = dice.choice(["stream:1", "stream:2", "plain:1"])
            key = (player.name, next(numbers))
            await player.publish(channel, payload(key, dice, channel), key)

        async def toggle():
            channel = dice.choice(OPEN_CHANNELS)
            if channel in player.wishes:
                wish = player.unsubscribe(channel) if player.online.is_set() else None
                if wish is not None:
                    self.left[player.name, channel] = wish
                return
            wish = self.left.pop((player.name, channel), None)
            if wish is None or dice.random() < 0.3:
                wish = wish_for(channel, dice)
            player.subscribe(wish)

        async def drop():
            player.drop(dice.random() < 0.6)

        async def freeze():
            if len(player.frozen) < 5 * PLAYERS:
                player.freeze()

        async def step():
            move = dice.choices([toggle, publish, drop, freeze], [60, 30, 8, 0.7])[0]
            self.ledger.counts[move.__name__] += 1
            await move()
            await self.pause(dice.expovariate(1 / 0.02))
        return step

    def publisher_steps(self, number, dice):
        api = Api(self.system.port, self.system.api_headers)
        numbers = iter(range(1 << 60))

        async def remove():
            channel = dice.choice([channel for channel in CHANNELS if space(channel) != "plain"])
            self.ledger.removing(channel, time.monotonic())
            answer = await api.call("history_remove", json.dumps({"channel": channel}).encode())
            if answer and "result" in answer:  # else it may still happen
                self.ledger.removed(channel, time.monotonic())

        async def step():
            if dice.random() < 0.01:
                await remove()
                return
            channel = dice.choice(CHANNELS)
            for _ in range(dice.choice((1, 1, 1, 2, 8))):
                await self.publish(api, ("api%d" % number, next(numbers)), channel, dice)
            await self.pause(dice.expovariate(1 / 0.01))
        return step

    async def publish(self, api, key, channel, dice):
        tags = {"kind": dice.choice("abc")} if dice.random() < 0.8 else {}
        stored = space(channel) != "delta" or dice.random() > 0.05
        data = payload(key, dice, channel)
        body = {"channel": channel, **({"tags": tags} if tags else {}), **({} if stored else {"skip_history": True})}
        times = 1
        if dice.random() < 0.1:
            body["idempotency_key"] = "%s %d" % key
            times = 2
        text = json.dumps(body)[:-1].encode() + b', "data": ' + data + b"}"
        self.ledger.publishing(key, channel, data, tags, time.monotonic(), stored)
        answers = [await api.call("publish", text) for _ in range(times)]
        for answer in answers:
            if answer and "result" in answer:
                result = answer["result"]
                self.ledger.acknowledged(key, result.get("epoch", ""), result.get("offset", 0), time.monotonic())
            else:
                self.ledger.unknown(key, time.monotonic())

    # --------------------------------------------------------------------------------- what Redis suffers

    async def in_thread(self, function, *arguments):
        return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)

    def redis_call(self, *words):
        with self.system.resp() as redis:
            return redis.call(*words)

    def disturb(self, how, seconds=2.5, begun=None):
        """Redis cannot be relied on until pushd has had its time to come back."""
        now = time.monotonic()
        self.ledger.disturb((begun or now) - 0.1, now + seconds, how)

    async def watch_machine(self):
        """A machine that stands still keeps pushd from noticing who leaves and from coming back to Redis in its time."""
        while not self.over.is_set():
            begun = self.clock.mark()
            await self.pause(TURN_SECONDS)
            took, lost, waited = self.clock.took(begun)
            if max(lost, waited, took - TURN_SECONDS) > STALL_SECONDS:
                self.disturb("stall of the machine", begun=begun.at)

    async def kill_pubsub(self):
        self.disturb("kill of subscriptions")
        await self.in_thread(self.redis_call, "CLIENT", "KILL", "TYPE", "pubsub")

    async def kill_everything(self):
        self.disturb("kill of all connections")
        await self.in_thread(self.redis_call, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await self.in_thread(self.redis_call, "CLIENT", "KILL", "TYPE", "pubsub")

    async def restart(self):
        self.disturb("restart of Redis")
        await self.in_thread(self.system.redis.kill)
        await self.in_thread(self.system.start_redis)
        self.disturb("Redis is back")

    async def restart_empty(self):
        self.ledger.losing(time.monotonic(), math.inf)
        self.disturb("restart of an empty Redis")
        await self.in_thread(self.system.redis.kill)
        self.ledger.lost(time.monotonic())
        self.system.forget_redis()
        await self.in_thread(self.system.start_redis)
        self.disturb("an empty Redis is back")

    async def flush(self):
        self.ledger.losing(time.monotonic(), math.inf)
        await self.in_thread(self.redis_call, "FLUSHALL")
        self.ledger.lost(time.monotonic())

    async def flush_scripts(self):
        await self.in_thread(self.redis_call, "SCRIPT", "FLUSH")


FAULTS = {function.__name__: function for function in (
    Play.kill_pubsub, Play.kill_everything, Play.restart, Play.restart_empty, Play.flush, Play.flush_scripts)}


def payload(key, dice, channel):
    """Mostly small, sometimes larger than a frame's or a socket's steps; JSON that one can tell apart. Where patches
    are made they are worth it most of the time."""
    size = dice.choices([0, 40, 700, 5000, 70000], [30, 40, 20, 9, 1])[0]
    text = dice.choice(["the same every time ", "é😀", "abc\\n\\\"x", "%d " % dice.randrange(1000)])
    if space(channel) in ("delta", "mixed") and dice.random() < 0.8:
        size, text = 300 + dice.randrange(100), "nearly the same every time; "
    return ('{"by":"%s","no":%d,"text":"%s"}' % (*key, (text * (size // len(text) + 1))[:size].rstrip("\\"))).encode()


def explained(problem):
    """The first failure of a group of tasks, with what it takes to try again."""
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    if isinstance(problem, Failure):
        return Failure("seed %d (PUSHD_SEED): %s" % (SEED, problem))
    return problem


async def run(system, clock, seconds):
    play = Play(system, clock, seconds)
    try:
        await play.play()
    except BaseException as problem:  # pylint: disable=broad-except
        cause = explained(problem)
        if not isinstance(cause, Violation) and "the last steps" not in str(cause):
            cause = Failure("%s\n%s" % (cause, play.ledger.trace()))
        raise cause from problem
    return play


@clocked
@limit(SECONDS * 3 + 90)
def test_random_interleavings(test):
    """Whatever clients, publishers and Redis do: nothing is lost, doubled or reordered unseen."""
    system = System(test, CONFIG, redis_appends=True)
    play = asyncio.run(run(system, test.clock, SECONDS))
    print("seed %d: %s" % (SEED, dict(sorted(play.ledger.counts.items()))))
