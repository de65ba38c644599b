# SPDX-License-Identifier: Apache-2.0
"""Back-pressure: who does not read is closed, and nobody else feels it."""
import threading
import time

from harness import Closed, System, check, equal, limit, wait_for

CHANNEL = "org:1:messages"
PAYLOAD = b'"' + b"x" * 20000 + b'"'
COUNT = 400  # 8 MB, against a queue of 1 MB and the kernel's buffers


@limit(90)
def test_a_stalled_reader_is_closed_with_3008(test):
    """A reader that stalls is closed with 3008 `slow`; the latency of others stays, and they lose nothing."""
    system = System(test, {"client": {"queue_max_size": 1048576}})
    fast = system.client("fast")
    fast.subscribe(CHANNEL)
    stalled = system.client("stalled", options={"receive_buffer": 4096})
    stalled.subscribe(CHANNEL)
    latencies, got = [], []

    def read():
        for _ in range(COUNT):
            pub = fast.publication()
            latencies.append(time.monotonic() - sent[pub["offset"]])
            got.append(pub["offset"])
    sent = {}
    reader = threading.Thread(target=read)
    reader.start()
    publish = system.publisher()
    for number in range(1, COUNT + 1):
        sent[number] = time.monotonic()
        equal(publish(CHANNEL, PAYLOAD).status, 200, "publish")
    reader.join(30)
    equal(got, list(range(1, COUNT + 1)), "what the fast reader got")
    latencies.sort()
    check(latencies[len(latencies) * 95 // 100] < 0.25, "95 %% of the latencies: %.3f s" % latencies[len(latencies) * 95 // 100])
    system.pushd.wait_log(r"\bslow\b", 5)
    wait_for(lambda: system.result("channels")["channels"][CHANNEL]["num_clients"] == 1, "the stalled one is gone")
    # 3008 drops the queue; what the kernel already has is followed by the close frame or by the end of TCP.
    try:
        while True:
            stalled.recv_payload()
    except Closed as end:
        check(end.code in (3008, None), "the stalled client's end: %s %s" % (end.code, end.reason))
    metrics = system.admin("GET", "/metrics").text
    check('centrifugo_client_num_server_disconnects{code="3008"} 1' in metrics, "3008 is counted in /metrics")


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
