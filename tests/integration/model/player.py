# SPDX-License-Identifier: Apache-2.0
"""A client that acts as the SDKs do: it comes back by itself, subscribes again to what it wants, and recovers."""
import asyncio
import json
import time

from harness import tokens
from harness.check import Failure
from harness.wait import PATIENCE
from model import fossil
from model.wire import Gone, Json, Socket

RETRY_SECONDS = 0.02  # between two attempts to connect


async def within(seconds, waiting):
    """Whether it came to its end in time."""
    try:
        async with asyncio.timeout(seconds):
            await waiting
        return True
    except TimeoutError:
        return False


class Wish:
    """What a client wants of a channel, and where it is in it. `options` are members of the request."""

    def __init__(self, channel, options=None, from_server=False):
        self.channel, self.options, self.from_server = channel, options or {}, from_server
        self.position = None  # (epoch, offset) once it is recoverable
        self.session = self.base = None
        self.has_delta = self.is_pending = False

    def request(self):
        out = dict(self.options)
        if self.position is not None:
            epoch, offset = self.position
            out.update({"recover": True, **({"epoch": epoch} if epoch else {}), **({"offset": offset} if offset else {})})
        return out


class Player:
    """`port` is a function that gives the port to connect to. The task of live() runs until stop()."""

    def __init__(self, name, codec, ledger, secret, port, claims=None, server_channels=()):
        self.name, self.codec, self.ledger, self.port = name, codec, ledger, port
        self.token = tokens.token(secret, {"sub": name, **(claims or {})})
        self.wishes = {channel: Wish(channel, from_server=True) for channel in server_channels}
        self.socket = self.client = None
        self.frozen, self.frozen_clients = [], set()  # sockets that nobody reads any more, and who they are
        self.pending = {}  # id -> (function of the reply, future)
        self.next_id = 1
        self.stopped = asyncio.Event()
        self.online = asyncio.Event()
        self.published = 0
        self.departures = {}  # (channel, client) -> when it was left
        self.people = {}  # channel -> {client: whether it is in it, as join and leave say}

    # ------------------------------------------------------------------------------------- its life

    async def live(self):
        while not self.stopped.is_set():
            try:
                await self._connected()
            except Gone as end:
                self._gone(end)
            await within(RETRY_SECONDS, self.stopped.wait())

    async def _connected(self):
        self.socket = await Socket.open(self.port(), self.codec)
        subs = {wish.channel: {"recover": True, **wish.request()}
                for wish in self.wishes.values() if wish.from_server and wish.position is not None}
        begun = time.monotonic()
        self._send({"connect": {"token": self.token, **({"subs": subs} if subs else {})}},
                   lambda reply: self._welcome(reply, subs, begun))
        while True:
            for reply in await self.socket.recv():
                self._take(reply)

    def _welcome(self, reply, subs, begun):
        if "connect" not in reply:
            raise Failure("%s: connect was answered with %r" % (self.name, reply))
        self.client = reply["connect"]["client"]
        for channel, answer in reply["connect"].get("subs", {}).items():
            self._begin(self.wishes[channel], subs.get(channel, {}), answer, begun)
        for wish in self.wishes.values():
            if not wish.from_server:
                self._subscribe(wish)
        self.online.set()

    def _gone(self, end):
        self.online.clear()
        if self.socket is not None:
            self.socket.abort_later()
        now = time.monotonic()
        self.departures.update({(channel, self.client): now for channel in self.wishes})
        self.socket = self.client = None
        self.people.clear()
        for _, future in self.pending.values():
            if not future.done():
                future.set_result(None)
        self.pending.clear()
        for wish in self.wishes.values():
            wish.is_pending = False
            self._end(wish, now, "the connection ended with %s %s" % (end.code, end.reason))
        if end.code is not None and 3500 <= end.code < 4000:
            raise Failure("%s was closed with %s %s" % (self.name, end.code, end.reason))

    def stop(self):
        self.stopped.set()
        self.drop(True)
        for socket in self.frozen:
            socket.abort()

    # ------------------------------------------------------------------------------------ commands

    def _send(self, command, on_reply=None):
        """A future of the reply; None is its result when the connection ends before. `on_reply` is called when the
        reply is read, before anything that follows it."""
        self.next_id += 1
        future = asyncio.get_running_loop().create_future()
        self.pending[self.next_id] = (on_reply or (lambda reply: None), future)
        self.socket.send({"id": self.next_id, **command})
        return future

    async def ask(self, command):
        """The reply, or None."""
        if self.socket is None:
            return None
        async with asyncio.timeout(PATIENCE):
            return await self._send(command)

    def _subscribe(self, wish):
        if wish.is_pending or wish.session is not None or self.socket is None:
            return
        request, begun = wish.request(), time.monotonic()
        wish.is_pending = True
        self._send({"subscribe": {"channel": wish.channel, **request}},
                   lambda reply: self._subscribed(wish, request, reply, begun))

    def _subscribed(self, wish, request, reply, begun):
        wish.is_pending = False
        if "subscribe" not in reply:
            if reply["error"]["code"] != 100:
                raise Failure("%s: subscribe to %s was answered with %r" % (self.name, wish.channel, reply))
            return
        self._begin(wish, request, reply["subscribe"], begun)

    def subscribe(self, wish):
        """Wants the channel from now on."""
        self.wishes[wish.channel] = wish
        if self.online.is_set():
            self._subscribe(wish)

    def unsubscribe(self, channel):
        """Does not want it any more; what comes until the answer still counts. Returns the wish with its position."""
        wish = self.wishes[channel]
        if wish.session is None or wish.from_server or wish.is_pending:
            return None

        def ended(_):
            wish.is_pending = False
            self._end(wish, time.monotonic(), "unsubscribed")
            self.wishes.pop(channel)
        wish.is_pending = True
        self._send({"unsubscribe": {"channel": channel}}, ended)
        return wish

    async def publish(self, channel, data, key):
        now = time.monotonic()
        if self.socket is None:
            return
        self.ledger.publishing(key, channel, data, {}, now)
        reply = await self.ask({"publish": {"channel": channel, "data": data}})
        if reply is None or "error" in reply:
            self.ledger.unknown(key, time.monotonic())

    def drop(self, abrupt):
        """The connection ends, with a close frame or without a word."""
        if self.socket is None:
            return
        if abrupt:
            self.socket.abort()
        else:
            self.socket.send_frame(8, b"\x03\xe8")

    def freeze(self):
        """Half-open: nobody reads the connection any more, and a new one is made."""
        if self.socket is None:
            return
        socket, self.socket = self.socket, None
        self.frozen_clients.add(self.client)
        socket.writer.transport.pause_reading()
        self.frozen.append(socket)
        socket.reader.set_exception(ConnectionResetError("frozen"))

    # ------------------------------------------------------------------------------------- what comes

    def _take(self, reply):
        if "push" in reply:
            self._push(reply["push"])
        elif reply.get("id") in self.pending:
            on_reply, future = self.pending.pop(reply["id"])
            on_reply(reply)
            if not future.done():
                future.set_result(reply)
        else:
            raise Failure("%s got what it did not ask for: %r" % (self.name, reply))

    def _push(self, push):
        wish = self.wishes.get(push["channel"])
        now = time.monotonic()
        if "pub" in push:
            if wish is None or wish.session is None:
                raise Failure("%s got a publication of %s without a subscription: %r"
                              % (self.name, push["channel"], push))
            self._deliver(wish, push["pub"], now)
        elif "unsubscribe" in push:
            code = push["unsubscribe"]["code"]
            self.ledger.counts["unsubscribe %d" % code] += 1
            self._end(wish, now, "unsubscribe %d" % code)
            if code < 2500:
                raise Failure("%s was unsubscribed: %r" % (self.name, push))
            self._subscribe(wish)  # unless it does not want it any more
        elif "join" in push or "leave" in push:
            self._person(push["channel"], "join" in push, push.get("join", push.get("leave"))["info"]["client"])

    def _person(self, channel, is_in, client):
        people = self.people.setdefault(channel, {})
        if people.get(client) is is_in and self.ledger.was_calm(self.wishes[channel].session.begun):
            self.ledger.fail(channel, "%s in %s: %s %s twice" % (self.name, channel, client, "joined" if is_in else "left"))
        people[client] = is_in

    def _deliver(self, wish, pub, now):
        self.ledger.delivered(wish.session, self._decoded(wish, pub), now)
        if wish.position is not None and pub.get("offset"):
            wish.position = (wish.position[0] or pub.get("epoch", ""), pub["offset"])

    def _decoded(self, wish, pub):
        """With `value` and `raw`; a patch is applied."""
        data = pub.get("data", b"")
        raw = data.encode() if wish.has_delta and self.codec is Json else data if self.codec is not Json else None
        if pub.get("delta"):
            if wish.base is None:
                raise Failure("%s in %s got a patch without a base: %r" % (self.name, wish.channel, pub))
            try:
                raw = fossil.apply(wish.base, raw)
            except ValueError as problem:
                raise Failure("%s in %s: %s: %r" % (self.name, wish.channel, problem, pub)) from None
            self.ledger.counts["patches"] += 1
        wish.base = raw
        return {**pub, "raw": raw, "value": json.loads(raw) if raw is not None else data}

    def _begin(self, wish, request, answer, begun):
        now = time.monotonic()
        wish.base, wish.has_delta = None, bool(answer.get("delta"))
        publications = [self._decoded(wish, pub) for pub in answer.get("publications", [])]
        wish.session = self.ledger.subscribed(self.name, wish.channel, request, answer, publications, begun, now)
        wish.session.client = self.client
        self.people.pop(wish.channel, None)
        if answer.get("recoverable"):
            offset = publications[-1]["offset"] if publications else answer.get("offset", 0)
            wish.position = (answer.get("epoch", ""), offset)

    def _end(self, wish, now, why):
        if wish.session is not None:
            self.departures[wish.channel, wish.session.client] = now
            self.ledger.ended(wish.session, now, why)
            wish.session = None
