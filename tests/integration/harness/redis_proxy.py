# SPDX-License-Identifier: Apache-2.0
"""Stands between pushd and Redis and can hold back what Redis answers, so that a test decides what comes first."""
import socket
import threading

KINDS = ((b".shard.0", "subscriptions"), (b".control", "cluster"))


class _Pipe:
    """One connection. `kind` is known after its first bytes."""

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.kind = "commands"
        self.kept = b""
        self.asked = b""
        for run in (self._up, self._down):
            threading.Thread(target=run, daemon=True).start()

    def _up(self):
        while data := self._read(self.client):
            with self.proxy.lock:
                self.asked += data
                self.kind = next((kind for word, kind in KINDS if word in self.asked[:4096] and b"SUBSCRIBE" in self.asked),
                                 self.kind)
            self.server.sendall(data)
        self.end()

    def _down(self):
        while data := self._read(self.server):
            with self.proxy.lock:
                self.kept += data
                self.flush()
        self.end()

    def flush(self):
        if self.kind not in self.proxy.held and self.kept:
            try:
                self.client.sendall(self.kept)
            except OSError:
                pass
            self.kept = b""

    @staticmethod
    def _read(sock):
        try:
            return sock.recv(65536)
        except OSError:
            return b""

    def end(self):
        for sock in (self.client, self.server):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class RedisProxy:
    """`target` is the port of Redis, to be set before anybody connects. Kinds of connections are commands, subscriptions
    and cluster."""

    def __init__(self, test):
        self.lock = threading.Lock()
        self.held, self.pipes, self.target = set(), [], None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        test.on_end(self._close)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self.lock:
                self.pipes.append(_Pipe(self, client, server))

    def hold(self, kind):
        """From now on nothing that Redis says on connections of this kind arrives."""
        with self.lock:
            self.held.add(kind)

    def release(self, kind):
        with self.lock:
            self.held.discard(kind)
            for pipe in self.pipes:
                pipe.flush()

    def kept(self, kind):
        """How many bytes are held back."""
        with self.lock:
            return sum(len(pipe.kept) for pipe in self.pipes if pipe.kind == kind)

    def _close(self):
        self.listener.close()
        with self.lock:
            for pipe in self.pipes:
                pipe.end()
