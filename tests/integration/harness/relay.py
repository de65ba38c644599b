# SPDX-License-Identifier: Apache-2.0
"""A TCP relay between a client and a server, that cuts, holds and refuses as a bad network does."""
import socket
import threading

from harness.wait import PATIENCE

CHUNK = 1 << 16
UP, DOWN = "up", "down" # to the server, to the client


class Link:
    """One relayed connection. `kind` is what the relay's classify made of the client's first bytes that tell."""

    def __init__(self, relay, near, far):
        self.relay, self.kind, self.seen = relay, None, b""
        self.sides = {UP: (near, far), DOWN: (far, near)}
        self.kept = {UP: b"", DOWN: b""}
        self.locks = {UP: threading.Lock(), DOWN: threading.Lock()}

    def start(self):
        for direction in (UP, DOWN):
            threading.Thread(target=self._pump, args=(direction,), daemon=True).start()

    def _pump(self, direction):
        source = self.sides[direction][0]
        try:
            while data := source.recv(CHUNK):
                if direction == UP and self.kind is None:
                    self.seen = (self.seen + data)[-4096:]
                    self.kind = self.relay.classify(self.seen)
                self.take(direction, data)
        except OSError:
            pass
        self.cut()
        self.relay.forget(self)

    def take(self, direction, data=b"", even_held=False):
        """Sends on what is kept and `data`, or keeps it all while the relay holds such connections."""
        with self.locks[direction]:
            self.kept[direction] += data
            if self.kept[direction] and (even_held or not self.relay.is_held(self.kind, direction)):
                data, self.kept[direction] = self.kept[direction], b""
                self.sides[direction][1].sendall(data)

    def cut(self):
        """Both sides see an end of the connection at once."""
        for side in self.sides[UP]:
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        for side in self.sides[UP]:
            side.close()


class Relay:
    """Listens at once on a port that the kernel chose. `target` may be set until somebody connects. Where a kind of
    connection is asked for, None means all."""

    def __init__(self, test, target=None, classify=lambda data: None):
        self.target, self.classify = target, classify
        self.lock = threading.Lock()
        self.links, self.held, self.refused, self.closed = [], set(), False, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        test.on_end(self.close)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target, timeout=PATIENCE)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for side in (near, far):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = Link(self, near, far)
            with self.lock:
                taken = not (self.refused or self.closed)
                if taken:
                    self.links.append(link)
            if taken:
                link.start()
            else:
                link.cut()
                link.close()

    def _of(self, kind):
        with self.lock:
            return [link for link in self.links if kind is None or link.kind == kind]

    def is_held(self, kind, direction):
        with self.lock:
            return (kind, direction) in self.held or (None, direction) in self.held

    def hold(self, kind, direction=DOWN):
        """From now on nothing arrives in that direction on connections of that kind."""
        with self.lock:
            self.held.add((kind, direction))

    def release(self, kind=None):
        """Holds connections of that kind no more, and sends what was kept."""
        with self.lock:
            self.held = {held for held in self.held if kind is not None and held[0] != kind}
        self._send_kept(kind, (UP, DOWN), False)

    def kept(self, kind, direction=DOWN):
        """The bytes that are held back."""
        return b"".join(link.kept[direction] for link in self._of(kind))

    def pass_kept(self, kind, direction=DOWN):
        """Lets through what is held back by now, and goes on holding."""
        self._send_kept(kind, (direction,), True)

    def _send_kept(self, kind, directions, even_held):
        for link in self._of(kind):
            for direction in directions:
                try:
                    link.take(direction, even_held=even_held)
                except OSError:
                    pass # its pump finds out

    def refuse(self, refused=True):
        """New connections end at once."""
        with self.lock:
            self.refused = refused

    def drop(self, *kinds):
        """Ends connections of these kinds, or all. Returns how many."""
        links = [link for kind in kinds or (None,) for link in self._of(kind)]
        for link in links:
            link.cut()
        return len(links)

    def forget(self, link):
        """The first of its two pumps has ended, then the second."""
        with self.lock:
            if link in self.links:
                self.links.remove(link)
                return
        link.close()

    def close(self):
        self.closed = True
        self.listener.close()
        self.release()
        self.drop()


def redis_kind(data):
    """What a connection of pushd to Redis is for."""
    if b"SUBSCRIBE" in data:
        return "cluster" if b".control" in data else "subscriptions"
    return "commands" if b"SCRIPT" in data else None
