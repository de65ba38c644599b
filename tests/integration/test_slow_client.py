# SPDX-License-Identifier: Apache-2.0
"""Back-pressure: who does not read is closed, and nobody else feels it."""
import re
import select
import threading
import time

from harness import PATIENCE, Closed, System, check, equal, has, limit, timed, wait_for

CHANNEL = "org:1:messages"
PAYLOAD = b'"' + b"x" * 20000 + b'"'
COUNT = 400  # 8 MB, against a queue of 1 MB and the kernel's buffers
AHEAD = 20  # of the fast reader, whose queue is the same
LATENCY_SECONDS = 1
NEVER = {"websocket": {"write_timeout": "300s"}}


def flood(publish, reader, clock=None):
    """Publishes, one after the other, while `reader` reads; it loses nothing. With a clock, none of what it gets is late."""
    got, sent, problems = [], [], []
    ahead = threading.Semaphore(AHEAD)

    def read():
        try:
            for number in range(COUNT):
                got.append(reader.publication()["offset"])
                ahead.release()
                if clock:
                    clock.at_most(sent[number], LATENCY_SECONDS, "the latency of publication %d" % number)
        except Exception as problem:  # pylint: disable=broad-except
            problems.append(problem)
    thread = threading.Thread(target=read)
    thread.start()
    for _ in range(COUNT):
        while not ahead.acquire(timeout=1):
            check(not problems, "the fast reader: %r" % problems)
        sent.append(clock.mark() if clock else None)
        equal(publish(CHANNEL, PAYLOAD).status, 200, "publish")
    thread.join(PATIENCE)
    check(not problems, "the fast reader: %r" % problems)
    equal(got, list(range(got[0], got[0] + COUNT)), "what the fast reader got")


def cost(system, action):
    """The processor time of pushd while something is done."""
    before = system.pushd.cpu_seconds()
    action()
    return system.pushd.cpu_seconds() - before


def stalled_client(system):
    client = system.client("stalled", options={"receive_buffer": 4096})
    client.subscribe(CHANNEL)
    return client


def ending(client):
    """(code, reason) at the end of what a stalled client finds when it reads again."""
    try:
        while True:
            client.recv_payload()
    except Closed as end:
        return end.code, end.reason


def counted(system, name):
    return float(re.search("^%s (.*)$" % re.escape(name), system.admin("GET", "/metrics").text, re.M).group(1))


def is_alone(system):
    return system.result("channels")["channels"][CHANNEL]["num_clients"] == 1


@timed
@limit(90)
def test_a_stalled_reader_is_closed_by_bytes(test):
    """A reader that stalls is closed with 3008 and the figures; others are served in time, and lose nothing."""
    system = System(test, {**NEVER, "client": {"queue_max_size": 1048576}, "pushd": {"workers": 1}})
    fast = system.client("fast")
    fast.subscribe(CHANNEL)
    publish = system.publisher()
    # One worker: had it waited for the stalled client, the other one would have waited as long. Where it does not wait,
    # it must not be busy with it, either.
    without = cost(system, lambda: flood(publish, fast, test.clock))
    stalled = stalled_client(system)
    beside = cost(system, lambda: flood(publish, fast, test.clock))
    wait_for(lambda: is_alone(system), "the stalled one is gone")
    check(beside < 3 * without + 0.1, "pushd worked for %.2f s, and for %.2f s without" % (beside, without))
    code, reason = ending(stalled)
    equal(code, 3008, "the stalled client's end: %s" % reason)
    found = re.fullmatch(r"slow: client\.queue_max_size is 1048576; (\d+) bytes waited, the oldest for (\d+) ms", reason)
    check(found, "the reason: %r" % reason)
    check(1048576 - 21000 < int(found.group(1)) <= 1048576, "the bytes that waited: %s" % found.group(1))
    has(system.pushd.log(), "reason=queue.size", "the log")
    has(system.pushd.log(), "client.queue_max_size is 1048576; ", "the log")
    equal(counted(system, 'pushd_slow_clients_total{cause="queue_size"}'), 1, "slow clients by bytes")
    equal(counted(system, 'centrifugo_client_num_server_disconnects{code="3008"}'), 1, "3008 in /metrics")
    peak = counted(system, 'pushd_worker_queue_peak_bytes{worker="0"}')
    check(1048576 - 21000 < peak <= 1048576, "the highest queue: %d bytes" % peak)


@timed
@limit(90)
def test_a_stalled_reader_is_closed_by_age(test):
    """With pushd.queue_max_age a few old messages are enough, long before the bytes are."""
    system = System(test, {**NEVER, "client": {"queue_max_size": 100 << 20}, "pushd": {"workers": 1, "queue_max_age": "500ms"}})
    fast = system.client("fast")
    fast.subscribe(CHANNEL)
    stalled = stalled_client(system)
    publish = system.publisher()
    flood(publish, fast)  # more than the kernel takes for the stalled one

    def closed():
        equal(publish(CHANNEL, b'"one more"').status, 200, "publish")
        fast.publication()
        return is_alone(system)
    wait_for(closed, "the stalled one is closed when something is added to its queue")
    code, reason = ending(stalled)
    equal(code, 3008, "the stalled client's end: %s" % reason)
    found = re.fullmatch(r"slow: pushd\.queue_max_age is 500 ms; (\d+) bytes waited, the oldest for (\d+) ms", reason)
    check(found, "the reason: %r" % reason)
    check(500 < int(found.group(2)) < 1000 * PATIENCE and int(found.group(1)) > 0, "the figures in the reason: %r" % reason)
    has(system.pushd.log(), "reason=queue.age", "the log")
    equal(counted(system, 'pushd_slow_clients_total{cause="queue_age"}'), 1, "slow clients by age")
    equal(counted(system, 'pushd_slow_clients_total{cause="queue_size"}'), 0, "slow clients by bytes")


@timed
def test_an_idle_client_has_no_age(test):
    """The age is that of what waits: silence on the channel makes nobody slow."""
    system = System(test, {"client": {"ping_interval": "400ms", "pong_timeout": "300ms"}, "pushd": {"queue_max_age": "100ms"}})
    client = system.client()
    client.subscribe(CHANNEL)
    begun = time.monotonic()
    while client.pings < 4:
        equal(client.recv_payload(), b"{}", "a ping")
        client.send_text("{}")
        client.pings += 1
    check(time.monotonic() - begun > 1, "four pings took more than a second")
    system.publish(CHANNEL, 1)
    equal(client.publication()["data"], 1, "what arrives after the silence")


@limit(90)
def test_a_blocked_write_ends_in_time(test):
    """websocket.write_timeout: a socket that takes nothing is given up with 3009, one that is slow but moves is not."""
    system = System(test, {"websocket": {"write_timeout": "1s"}, "client": {"queue_max_size": 100 << 20}})
    fast = system.client("fast")
    fast.subscribe(CHANNEL)
    stalled = stalled_client(system)
    flood(system.publisher(), fast)
    wait_for(lambda: is_alone(system), "the stalled one is gone")
    code, reason = ending(stalled)
    equal(code, 3009, "the stalled client's end: %s" % reason)
    has(reason, "write error: websocket.write_timeout is 1000 ms; ", "the reason")
    equal(counted(system, 'pushd_slow_clients_total{cause="write_timeout"}'), 1, "slow clients by blocked writes")
    equal(counted(system, 'centrifugo_client_num_server_disconnects{code="3009"}'), 1, "3009 in /metrics")


def burst(test, direct_write):
    """Three queues full of publications at once: who reads as they come gets all of them."""
    system = System(test, {"client": {"queue_max_size": 1048576}, "pushd": {"workers": 1, "direct_write": direct_write}},
                    front=None)
    clients = [system.client("user%d" % number) for number in range(50)]
    for client in clients:
        client.subscribe("test")
    data = b'"%s"' % (b"x" * 1000)
    publication = b"\x22" + bytes([len(data) & 127 | 128, len(data) >> 7]) + data  # data is field 4
    command = b"*3\r\n$7\r\nPUBLISH\r\n$22\r\ncentrifugo.client.test\r\n$%d\r\n%s\r\n" % (len(publication), publication)
    count, left = 3000, {client.sock: client for client in clients}
    wanted = count * (len(data) + len('{"push":{"channel":"test","pub":{"data":}}}') + 4)
    got = dict.fromkeys(left, 0)
    with system.resp() as redis:
        sender = threading.Thread(target=redis.sock.sendall, args=(command * count,))
        sender.start()
        while left:
            readable = select.select(list(left), [], [], PATIENCE)[0]
            check(readable, "%d clients wait for more" % len(left))
            for sock in readable:
                data = sock.recv(1 << 18)
                check(data, "%s was closed after %d of %d bytes" % (left[sock], got[sock], wanted))
                got[sock] += len(data)
                if got[sock] >= wanted:
                    equal(got[sock], wanted, "bytes of one client")
                    del left[sock]
        sender.join()
    equal(counted(system, 'pushd_slow_clients_total{cause="queue_size"}'), 0, "slow clients by bytes")


@timed
@limit(90)
def test_a_burst_makes_no_reader_slow(test):
    """Where pushd writes itself."""
    burst(test, True)


@timed
@limit(90)
def test_a_burst_by_the_library(test):
    """Where libwebsockets writes."""
    burst(test, False)


def test_a_reader_that_catches_up_is_kept(test):
    """A pause that fits into the queue loses nothing."""
    system = System(test)
    client = system.client()
    client.subscribe(CHANNEL)
    publish = system.publisher()
    for _ in range(30):
        publish(CHANNEL, PAYLOAD)
    equal([client.publication()["offset"] for _ in range(30)], list(range(1, 31)), "what arrives after the pause")
    equal(client.call(presence_stats={"channel": CHANNEL})["presence_stats"]["num_clients"], 1, "still connected")
