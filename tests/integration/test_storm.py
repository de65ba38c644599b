# SPDX-License-Identifier: Apache-2.0
"""Many short connections on several workers at once."""
import socket
import threading

from harness import PATIENCE, System, equal

THREADS, ROUNDS, TOGETHER = 2, 100, 50
REQUEST = (b"GET /connection/websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


def test_connections_come_and_go(test):
    """libwebsockets 4.3 counts what uses a log context without a lock, and aborts when the count is wrong."""
    system = System(test, {"pushd": {"workers": 2}}, front=None)
    upgraded = []

    def come_and_go():
        for _ in range(ROUNDS):
            peers = [socket.create_connection(("127.0.0.1", system.ws_port), PATIENCE) for _ in range(TOGETHER)]
            for peer in peers:
                peer.sendall(REQUEST)
            for peer in peers:
                upgraded.append(peer.recv(4096).startswith(b"HTTP/1.1 101 "))
            for peer in peers:
                peer.close()
    threads = [threading.Thread(target=come_and_go) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(upgraded, [True] * (THREADS * ROUNDS * TOGETHER), "upgrades")
    equal(system.pushd.stop(), None, "the end of pushd")
