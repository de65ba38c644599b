# SPDX-License-Identifier: Apache-2.0
"""The official Python SDK as a client: sdk_python.py WS_URL json|protobuf NEXT_TOKEN CHANNEL...

Says that it has started and reads the first token from standard input, so that its life does not begin before. Then it
subscribes to every channel with recovery, Fossil deltas, join and leave, and prints one JSON line for each thing that
happens. A publication {"do": NAME} makes it ask the server: presence, stats, history, publish or rpc. It ends when it
is disconnected for good. sdk_go/main.go does the same.
"""
import asyncio
import json
import sys

from centrifuge import (CentrifugeError, Client, ClientEventHandler, DeltaType, ReplyError, SubscriptionEventHandler)

URL, ENCODING, NEXT_TOKEN, *CHANNELS = sys.argv[1:]
BINARY = ENCODING == "protobuf"
PATIENCE = 60  # ends what hangs; a busy machine does not need so long


def say(what, **more):
    print(json.dumps({"what": what, **more}), flush=True)


def decoded(data):
    return json.loads(data) if BINARY and data is not None else data


def encoded(value):
    return json.dumps(value).encode() if BINARY else value


async def next_token():
    say("token")
    return NEXT_TOKEN


async def ask(client, subscription, name):
    """Answers of the server, in the same words as sdk_go/main.go prints them."""
    try:
        if name == "presence":
            found = (await subscription.presence()).clients
            say(name, clients={key: {"user": info.user, "info": decoded(info.conn_info)} for key, info in found.items()})
        elif name == "stats":
            found = await subscription.presence_stats()
            say(name, num_clients=found.num_clients, num_users=found.num_users)
        elif name == "history":
            found = await subscription.history(limit=-1)
            say(name, offset=found.offset, data=[decoded(publication.data) for publication in found.publications])
        elif name == "publish":
            await subscription.publish(encoded({"from": "sdk"}))
        elif name == "rpc":
            await client.rpc("nothing", encoded({}))
    except ReplyError as error:
        say("refused", asked=name, code=error.code)
    except CentrifugeError as error:
        say("error", text=repr(error))


class Connection(ClientEventHandler):
    def __init__(self):
        self.end = asyncio.Event()

    async def on_connecting(self, ctx):
        say("connecting", code=ctx.code)

    async def on_connected(self, ctx):
        say("connected", client=ctx.client, data=decoded(ctx.data))

    async def on_disconnected(self, ctx):
        say("disconnected", code=ctx.code)
        self.end.set()

    async def on_error(self, ctx):
        say("trouble", text=repr(ctx))

    async def on_subscribed(self, ctx):
        say("subscribed", channel=ctx.channel, side="server", data=decoded(ctx.data))

    async def on_unsubscribed(self, ctx):
        say("unsubscribed", channel=ctx.channel, side="server")

    async def on_publication(self, ctx):
        say("publication", channel=ctx.channel, side="server", data=decoded(ctx.pub.data))


class Channel(SubscriptionEventHandler):
    def __init__(self, client, channel):
        self.client, self.channel, self.tasks = client, channel, set()

    async def on_subscribed(self, ctx):
        say("subscribed", channel=self.channel, side="client", recoverable=ctx.recoverable, recovered=ctx.recovered)

    async def on_unsubscribed(self, ctx):
        say("unsubscribed", channel=self.channel, side="client", code=ctx.code)

    async def on_publication(self, ctx):
        data = decoded(ctx.pub.data)
        say("publication", channel=self.channel, side="client", offset=ctx.pub.offset, data=data, tags=ctx.pub.tags,
            publisher=ctx.pub.info.user if ctx.pub.info else "", delta=ctx.pub.delta)
        if isinstance(data, dict) and "do" in data:
            subscription = self.client.get_subscription(self.channel)
            self.tasks.add(asyncio.ensure_future(ask(self.client, subscription, data["do"])))

    async def on_join(self, ctx):
        say("join", channel=self.channel, user=ctx.info.user)

    async def on_leave(self, ctx):
        say("leave", channel=self.channel, user=ctx.info.user)

    async def on_error(self, ctx):
        say("error", text=repr(ctx))


async def main():
    connection = Connection()
    say("started")
    client = Client(URL, events=connection, token=sys.stdin.readline().strip(), get_token=next_token, use_protobuf=BINARY,
                    timeout=PATIENCE, max_reconnect_delay=0.5, proxy=None)
    for channel in CHANNELS:
        subscription = client.new_subscription(channel, events=Channel(client, channel), recoverable=True, join_leave=True,
                                               delta=DeltaType.FOSSIL)
        await subscription.subscribe()
    await client.connect()
    await connection.end.wait()


asyncio.run(main())
