# SPDX-License-Identifier: Apache-2.0
"""A TCP relay between a client and a server, that cuts, holds and refuses as a bad network does."""
import socket
import threading

CHUNK = 1 << 16


class Link:
    """One relayed connection. `kind` is what the relay's classify made of the client's first bytes that tell."""

    def __init__(self, relay, near, far):
        self.relay, self.near, self.far, self.kind = relay, near, far, None
        self.seen = b""

    def note(self, data):
        if self.kind is None:
            self.seen = (self.seen + data)[-4096:]
            self.kind = self.relay.classify(self.seen)

    def cut(self):
        """Both sides see an end of the connection at once."""
        for side in (self.near, self.far):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def pump(self, source, target, direction):
        try:
            while True:
                data = source.recv(CHUNK)
                if not data:
                    break
                if direction == "up":
                    self.note(data)
                self.relay.pass_gate(self, direction)
                target.sendall(data)
        except OSError:
            pass
        self.cut()
        self.relay.forget(self)


class Relay:
    """Listens at once on a port that the kernel chose. Directions are "up" (to the server) and "down"."""

    def __init__(self, test, target, classify=lambda data: None):
        self.target, self.classify = target, classify
        self.changed = threading.Condition()
        self.links, self.held, self.refused = [], set(), False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.closed = False
        test.on_end(self.close)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target, timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for side in (near, far):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = Link(self, near, far)
            with self.changed:
                taken = not (self.refused or self.closed)
                if taken:
                    self.links.append(link)
            if not taken:
                link.cut()
                near.close()
                far.close()
                continue
            threading.Thread(target=link.pump, args=(near, far, "up"), daemon=True).start()
            threading.Thread(target=link.pump, args=(far, near, "down"), daemon=True).start()

    def pass_gate(self, link, direction):
        with self.changed:
            while (link.kind, direction) in self.held or (None, direction) in self.held:
                self.changed.wait()

    def hold(self, kind, direction):
        """Stops forwarding: of connections of that kind, None for all. What is in the pipe stays there."""
        with self.changed:
            self.held.add((kind, direction))

    def release(self):
        with self.changed:
            self.held.clear()
            self.changed.notify_all()

    def refuse(self, refused=True):
        """New connections end at once."""
        with self.changed:
            self.refused = refused

    def drop(self, kind=None):
        """Ends connections of that kind, or all."""
        with self.changed:
            links = [link for link in self.links if kind is None or link.kind == kind]
        for link in links:
            link.cut()
        return len(links)

    def forget(self, link):
        with self.changed:
            if link in self.links:
                self.links.remove(link)
                return
        link.near.close()
        link.far.close()

    def close(self):
        self.closed = True
        self.listener.close()
        self.release()
        self.drop()


def redis_kind(data):
    """What a connection of pushd to Redis is for."""
    if b"SUBSCRIBE" in data:
        return "pubsub"
    return "commands" if b"SCRIPT" in data else None
