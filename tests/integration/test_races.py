# SPDX-License-Identifier: Apache-2.0
"""Commands of the cluster and of clients that cross each other while Redis takes its time."""
import array
import fcntl
import os
import re
import termios
import threading
import time

from harness import SECRET, Relay, System, check, equal, redis_kind, timed, token, wait_for
from harness.ws import CLOSE, TEXT, deflated, frame

CHANNEL = "org:1:messages"

# Numbers of the fields of control commands (redis layout, section 9).
UNSUBSCRIBE = {"": 5, "channel": 1, "user": 2, "client": 3, "session": 4, "code": 5, "reason": 6, "label_filter": 7,
               "all_users": 8}
DISCONNECT = {"": 6, "user": 1, "whitelist": 2, "code": 3, "reason": 4, "label_filter": 8, "all_users": 9}
SURVEY = {"": 8, "id": 1, "op": 2}
SUBSCRIBE = {"": 10, "user": 1, "channel": 2, "emit_presence": 3, "expire_at": 5, "client": 9, "push_join_leave": 13,
             "source": 14, "unknown": 99}
REFRESH = {"": 12, "user": 1, "client": 2, "expired": 3, "expire_at": 4}


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def protobuf(fields, values):
    out = b""
    for name, value in values.items():
        if isinstance(value, int):
            out += varint(fields[name] << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(fields[name] << 3 | 2) + varint(len(data)) + data
    return out


def command(fields, **values):
    """A control command as another node writes it."""
    return protobuf({"uid": 1, "it": fields[""]}, {"uid": "tester", "it": protobuf(fields, values)})


class Cluster:
    """pushd with Redis behind a relay, and the test as another node beside it."""

    def __init__(self, test, config=None):
        self.relay = Relay(test, classify=redis_kind)
        self.system = System(test, config, front=None, start=False)
        self.relay.target = ("127.0.0.1", self.system.redis_port)
        self.system.config["engine"]["redis"]["address"] = "redis://127.0.0.1:%d" % self.relay.port
        self.system.config["pushd"]["redis_timeout"] = "60s"
        self.system.write_config()
        self.system.start()
        self.redis, self.inbox = self.system.resp(), self.system.resp()
        test.on_end(self.redis.close)
        test.on_end(self.inbox.close)
        self.inbox.call("SUBSCRIBE", "centrifugo.node.tester")

    def tell(self, *commands):
        """Returns when pushd has taken all of them: it answers a survey after what came before it."""
        for message in (*commands, command(SURVEY, id=7, op="nothing")):
            self.redis.call("PUBLISH", "centrifugo.control", message)
        while b"J\x04\x08\x07\x10\x03" not in self.inbox.read()[2]: # code 3, method not found
            pass

    def wait_for_an_answer(self, part=b""):
        """Until Redis has answered something to pushd that is held back."""
        wait_for(lambda: part in self.relay.kept("commands") != b"", "pushd asked Redis something")


def test_an_unsubscribe_is_not_overtaken_by_a_subscribe(test):
    """The API takes a channel away while the client's subscribe waits for Redis: it does not stay subscribed."""
    cluster = Cluster(test)
    client, other = cluster.system.client("a"), cluster.system.client("b")
    cluster.relay.hold("commands")
    client.send({"id": 50, "subscribe": {"channel": CHANNEL}})
    cluster.wait_for_an_answer()
    cluster.tell(command(UNSUBSCRIBE, user="a", channel=CHANNEL, code=2042, reason="gone"))
    cluster.relay.release("commands")
    equal(client.recv(), {"id": 50, "subscribe": {}}, "the reply")
    equal(client.recv(), {"push": {"channel": CHANNEL, "unsubscribe": {"code": 2042, "reason": "gone"}}}, "the push")
    other.call(publish={"channel": CHANNEL, "data": 1})
    equal(other.call(presence_stats={"channel": CHANNEL})["error"]["code"], 103, "presence for who is not subscribed")
    check(client.silent(), "no publication comes")
    client.subscribe(CHANNEL)


def test_commands_wait_for_the_connect_reply(test):
    """Commands of the cluster that come while a connect waits for Redis are neither lost nor sent before its reply."""
    cluster = Cluster(test)
    client = cluster.system.open()
    cluster.relay.hold("commands")
    client.send({"id": 1, "connect": {"token": token(SECRET, {"sub": "a", "channels": [CHANNEL, "org:2:x"]})}},
                {"id": 2, "publish": {"channel": CHANNEL, "data": 1}})
    cluster.wait_for_an_answer()
    cluster.tell(command(SUBSCRIBE, user="a", channel="org:3:new", emit_presence=1, source=10),
                 command(UNSUBSCRIBE, user="a", channel="org:2:x", code=2000, reason="server unsubscribe"),
                 command(UNSUBSCRIBE, user="a", channel="never", code=2000, reason="server unsubscribe"),
                 command(REFRESH, user="a"))
    cluster.relay.release("commands")
    reply = client.recv()
    equal(reply.get("id"), 1, "the first message is the reply, not %r; id" % reply)
    equal(sorted(reply["connect"]["subs"]), [CHANNEL, "org:2:x"], "channels of the reply")
    got = [client.recv() for _ in range(6)]
    pushes = {(message["push"].get("channel"), kind) for message in got if "push" in message
              for kind in message["push"] if kind != "channel"}
    equal(pushes, {("org:3:new", "subscribe"), ("org:2:x", "unsubscribe"), ("never", "unsubscribe"), (None, "refresh"),
                   (CHANNEL, "pub")}, "pushes")
    client.call(publish={"channel": "org:3:new", "data": 2})
    equal(client.publication()["data"], 2, "the new channel")


def test_a_disconnect_does_not_wait(test):
    """disconnect ends a connection whose connect is under way, and nothing of it is left in presence."""
    cluster = Cluster(test)
    client = cluster.system.open()
    cluster.relay.hold("commands")
    client.send({"id": 1, "connect": {"token": token(SECRET, {"sub": "a", "channels": [CHANNEL]})}})
    cluster.wait_for_an_answer()
    cluster.tell(command(DISCONNECT, user="a", code=3503, reason="force disconnect"))
    equal(client.expect_close(), (3503, "force disconnect"), "the end")
    cluster.relay.release("commands")
    other = cluster.system.client("b")
    other.subscribe(CHANNEL)
    equal(other.call(presence_stats={"channel": CHANNEL})["presence_stats"], {"num_clients": 1, "num_users": 1}, "presence")


def test_what_was_sent_before_a_close_counts(test):
    """A client publishes twice and closes; the second publication is not lost although the first waits for Redis, nor for
    a command in between that is answered at once."""
    cluster = Cluster(test, {"pushd": {"workers": 1}})
    client, other = cluster.system.client("a"), cluster.system.client("b")
    other.subscribe("test")
    cluster.relay.hold("commands")
    publishes = ['{"id":%d,"publish":{"channel":"test","data":%d}}' % (number, number) for number in (50, 52)]
    commands = publishes[0], '{"id":51,"subscribe":{"channel":"test"}}', publishes[1]
    client.send_bytes(b"".join(frame(TEXT, text) for text in commands) + frame(CLOSE, b"\x03\xe8"))
    cluster.wait_for_an_answer()
    cluster.relay.release("commands")
    equal([other.publication()["data"] for _ in range(2)], [50, 52], "what arrives")
    equal(client.expect_close()[0], 1000, "the answer to the close frame")


def test_what_was_sent_before_the_end_counts(test):
    """A client publishes three times and is gone, without a close frame or right behind it: nothing that arrived is lost
    because the first waits for Redis. Then nothing of it is left."""
    cluster = Cluster(test, {"pushd": {"workers": 1}})
    other = cluster.system.client("other")
    other.subscribe(CHANNEL)

    def descriptors():
        return len(os.listdir("/proc/%d/fd" % cluster.system.pushd.pid))
    before = descriptors()
    for goodbye in b"", frame(CLOSE, b"\x03\xe8"):
        client = cluster.system.client("a")
        client.subscribe(CHANNEL)
        cluster.relay.hold("commands")
        client.send_bytes(b"".join(frame(TEXT, '{"id":%d,"publish":{"channel":"%s","data":%d}}' % (number, CHANNEL, number))
                                   for number in (50, 51, 52)) + goodbye)
        cluster.wait_for_an_answer()
        client.close()
        wait_for(lambda: descriptors() == before, "pushd closes the socket")
        cluster.relay.release("commands")
        equal([other.publication()["data"] for _ in range(3)], [50, 51, 52], "what arrives")
        wait_for(lambda: other.call(presence_stats={"channel": CHANNEL})["presence_stats"]["num_clients"] == 1,
                 "the client is gone")


POSITIONED = {"channel": {"without_namespace": {"history_size": 10, "history_ttl": "300s", "force_positioning": True}}}


def wait_for_marks(relay, count):
    """Until Redis has confirmed so many subscriptions on the connection that is held: a mark is behind all before it."""
    wait_for(lambda: relay.kept("subscriptions").count(b"$9\r\nsubscribe\r\n") >= count, "%d marks" % count)


def test_what_waits_in_the_socket_counts(test):
    """A client publishes more than waits in pushd, and is gone: the answers find nobody, and all that arrived is executed
    all the same."""
    cluster = Cluster(test, {"pushd": {"workers": 1}})
    other = cluster.system.client("other")
    other.subscribe(CHANNEL)
    count, filler = 30, "x" * 10000 # of which 25 fill the room for commands that wait
    client = cluster.system.client("a")
    cluster.relay.hold("commands")
    client.send_bytes(b"".join(frame(TEXT, '{"id":%d,"publish":{"channel":"%s","data":"%d %s"}}' % (number, CHANNEL, number, filler))
                               for number in range(1, 1 + count)))
    cluster.wait_for_an_answer()
    wait_for(lambda: unsent(client.sock) == 0, "the kernel has it all")
    client.close()
    cluster.relay.release("commands")
    equal([other.publication()["data"].split()[0] for _ in range(count)], [str(number) for number in range(1, 1 + count)],
          "what arrives")
    wait_for(lambda: "disconnect" in cluster.system.pushd.log(), "the client is gone")


def unsent(sock):
    """Bytes that the other side has not acknowledged."""
    size = array.array("i", [0])
    fcntl.ioctl(sock, termios.TIOCOUTQ, size)
    return size[0]


@timed
def test_a_publication_that_is_on_its_way_is_no_gap(test):
    """The check of a position sees a publication in the stream before PUB/SUB brings it: the subscription stays. One that
    never comes ends it."""
    cluster = Cluster(test, {**POSITIONED,
                             "client": {"presence_update_interval": "1s", "channel_position_check_delay": "1s"}})
    client, other = cluster.system.client("a"), cluster.system.client("b")
    client.subscribe("pos")
    cluster.relay.hold("subscriptions")
    other.call(publish={"channel": "pos", "data": 1})
    cluster.relay.hold("commands")
    top = b"*2\r\n$1\r\n1\r\n$8\r\n" # offset 1 and the epoch
    cluster.wait_for_an_answer(top)
    cluster.relay.release("commands")
    wait_for_marks(cluster.relay, 2) # pushd's look at a silent connection, and what the check waits for
    cluster.relay.release("subscriptions")
    equal(client.publication()["data"], 1, "what comes")
    with cluster.system.resp() as redis:
        redis.call("HINCRBY", "centrifugo.stream.meta.pos", "s", "1")
    begun = test.clock.mark()
    equal(client.recv(), {"push": {"channel": "pos", "unsubscribe": {"code": 2500, "reason": "insufficient state"}}}, "a gap")
    test.clock.at_most(begun, 4, "to notice a gap")


def test_after_an_outage_what_is_on_its_way_is_no_gap(test):
    """PUB/SUB is back, and the look whether something is missing sees a publication that is still on its way."""
    cluster = Cluster(test, {**POSITIONED, "pushd": {"workers": 1}})
    client = cluster.system.client("a")
    client.subscribe("pos")
    meta = "centrifugo.stream.meta.pos"
    epoch = cluster.redis.call("HGET", meta, "e")
    cluster.relay.hold("commands", "up")
    cluster.relay.drop("subscriptions")
    wait_for(lambda: b"stream.pos" in cluster.relay.kept("commands", "up"), "pushd looks what is in the stream")
    cluster.relay.hold("subscriptions")

    def publish(number):
        cluster.redis.call("HSET", meta, "s", str(number))
        cluster.redis.call("PUBLISH", "centrifugo.client.pos", b'__p1:%d:%s__"\x01%d' % (number, epoch, number))
    publish(1)
    cluster.relay.release("commands")
    wait_for_marks(cluster.relay, 1)
    cluster.relay.release("subscriptions")
    equal(client.publication(), {"data": 1, "offset": 1, "epoch": epoch.decode()}, "what comes")
    publish(2)
    equal(client.publication()["offset"], 2, "what comes next")
    cluster.relay.hold("commands", "up")
    cluster.relay.drop("subscriptions")
    wait_for(lambda: b"stream.pos" in cluster.relay.kept("commands", "up"), "pushd looks what is in the stream")
    cluster.redis.call("HSET", meta, "s", "3")
    cluster.relay.release("commands")
    equal(client.recv(), {"push": {"channel": "pos", "unsubscribe": {"code": 2500, "reason": "insufficient state"}}}, "a gap")


def test_a_burst_of_commands_waits(test):
    """Publications that come faster than Redis takes them wait in the client's socket; it is not closed for them."""
    cluster = Cluster(test)
    client, other = cluster.system.client("a"), cluster.system.client("b")
    count, filler = 400, "x" * 10000
    cluster.relay.hold("commands")
    burst = b"".join(frame(TEXT, '{"id":%d,"publish":{"channel":"%s","data":"%d %s"}}' % (number, CHANNEL, number, filler))
                     for number in range(100, 100 + count))
    sender = threading.Thread(target=client.send_bytes, args=(burst,), daemon=True)
    sender.start()
    cluster.wait_for_an_answer()
    check(other.call(rpc={"method": "x"})["error"]["code"] == 108, "others are served meanwhile")
    cluster.relay.release("commands")
    equal([client.recv() for _ in range(count)], [{"id": number, "publish": {}} for number in range(100, 100 + count)],
          "replies")
    sender.join()
    other.subscribe(CHANNEL)
    data = [pub["data"] for pub in other.call(history={"channel": CHANNEL, "limit": 300})["history"]["publications"]]
    equal([text.split()[0] for text in data], [str(number) for number in range(100, 400)], "history")
    cluster.relay.hold("commands")
    sender = threading.Thread(target=client.send_bytes, args=(burst,), daemon=True)
    sender.start()
    cluster.wait_for_an_answer()
    cluster.tell(command(DISCONNECT, user="a", code=3503, reason="force disconnect"))
    equal(client.expect_close(), (3503, "force disconnect"), "the end of who is not read from")
    sender.join()
    cluster.relay.release("commands")


def test_compressed_commands_that_wait_stay_small(test):
    """Commands that wait for Redis are not expanded ahead: a few compressed bytes of each client do not become
    gigabytes. All of them are executed in the end, and what the client sends behind them."""
    cluster = Cluster(test, {"pushd": {"workers": 1}, "websocket": {"compression": True}})
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate"}
    clients = [cluster.system.client("a", options={"headers": offer}) for _ in range(5)]

    def resident():
        with open("/proc/%d/statm" % cluster.system.pushd.pid, encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def received():
        text = cluster.system.admin("GET", "/metrics").text
        return int(re.search(r"^centrifugo_transport_messages_received_size\S* (\d+)$", text, re.M).group(1))
    before = resident()
    cluster.relay.hold("commands")
    bombs = b"".join(frame(TEXT, deflated(b'{"id":%d,"rpc":{"data":"%s"}}' % (number, b"x" * 650000)), rsv1=True)
                     for number in range(101, 121))
    for client in clients:
        client.send_bytes(frame(TEXT, '{"id":100,"publish":{"channel":"test","data":1}}') + bombs)
        client.send({"id": 121, "unsubscribe": {"channel": "test"}})
        client.send_bytes(frame(CLOSE, b"\x03\xe8"))
    cluster.wait_for_an_answer()
    wait_for(lambda: received() >= len(clients) * len(bombs), "pushd has read the commands")
    grown = resident() - before
    cluster.relay.release("commands")
    for client in clients:
        equal([client.recv()["id"] for _ in range(22)], list(range(100, 122)), "replies")
        equal(client.expect_close()[0], 1000, "the answer to the close frame")
    check(grown < 50 << 20, "memory grew by %d MB" % (grown >> 20))


@timed
def test_ttl_of_a_slow_subscribe(test):
    """A subscription that expires while Redis takes its time is to be refreshed at once, not in 136 years."""
    cluster = Cluster(test)
    client = cluster.system.client("a")
    end = int(time.time()) + 4
    cluster.relay.hold("commands")
    client.send({"id": 50, "subscribe": {"channel": CHANNEL, "token": token(SECRET, {"sub": "a", "channel": CHANNEL}, exp=end)}})
    cluster.wait_for_an_answer()
    wait_for(lambda: time.time() > end + 1, "the token's end")
    cluster.relay.release("commands")
    equal(client.recv(), {"id": 50, "subscribe": {"expires": True, "ttl": 1}}, "the reply")


def test_commands_that_concern_nobody(test):
    """Label filters, past expiry, an empty channel, unknown fields: as another node may send them."""
    cluster = Cluster(test)
    client = cluster.system.client("a")
    cluster.tell(command(DISCONNECT, all_users=1, code=3503, reason="force disconnect", label_filter=b"\x12\x01k\x1a\x02ex"),
                 command(UNSUBSCRIBE, user="a", channel="x", code=2000, label_filter=b""),
                 command(SUBSCRIBE, user="a", channel="late", expire_at=int(time.time()) - 5, source=10),
                 command(SUBSCRIBE, user="a", channel="", source=10),
                 command(SUBSCRIBE, user="a", channel="nope:a", source=10),
                 command(SUBSCRIBE, user="a", channel="yes", source=10, unknown=b"abc"))
    equal(client.recv(), {"push": {"channel": "yes", "subscribe": {}}}, "the one command that counts")
    check(client.silent(), "nothing else comes")
