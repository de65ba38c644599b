# SPDX-License-Identifier: Apache-2.0
"""A WebSocket client on a blocking socket: exact bytes out, exact frames in (RFC 6455)."""
import base64
import json
import os
import socket
import ssl
import struct
import time
import zlib

from harness.check import Failure
from harness.wait import PATIENCE

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Closed(Exception):
    """The connection ended: code and reason of the close frame, or code None without one."""

    def __init__(self, code, reason):
        super().__init__("closed with %s %r" % (code, reason))
        self.code = code
        self.reason = reason


def deflated(payload):
    """A message as permessage-deflate has it."""
    packer = zlib.compressobj(wbits=-15)
    return (packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def frame(opcode, payload, fin=True, mask=b"\x11\x22\x33\x44", rsv1=False):
    """One frame of a client; `mask` None leaves it unmasked, which only servers may do."""
    if isinstance(payload, str):
        payload = payload.encode()
    head = bytes([(0x80 if fin else 0) | (0x40 if rsv1 else 0) | opcode])
    bit = 0x80 if mask is not None else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", len(payload))
    if mask is None:
        return head + payload
    whole = int.from_bytes(payload, "big") ^ int.from_bytes((mask * (len(payload) // 4 + 1))[:len(payload)], "big")
    return head + mask + whole.to_bytes(len(payload), "big")


class WebSocket:
    """Opens at once. `address` is (host, port) or the path of a Unix socket."""

    def __init__(self, address, path="/connection/websocket", headers=None, timeout=PATIENCE, host=None, tls=None,
                 receive_buffer=None):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.timeout = timeout
        self.data = b""
        self.messages = []
        self.next_id = 1
        self.pings = 0
        self.last_frame = b""  # as it came, header included
        self.sock.connect(address)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname=host)
        self._upgrade(path, host or ("localhost" if isinstance(address, str) else "%s:%d" % address), headers or {})

    def _upgrade(self, path, host, headers):
        key = base64.b64encode(os.urandom(16)).decode()
        fields = {"Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key,
                  "Sec-WebSocket-Version": "13", **headers}
        head = "GET %s HTTP/1.1\r\n" % path
        head += "".join("%s: %s\r\n" % pair for pair in fields.items() if pair[1] is not None)
        self.sock.sendall(head.encode() + b"\r\n")
        while b"\r\n\r\n" not in self.data:
            self._more()
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.headers = {name.strip().lower(): value.strip()
                        for name, _, value in (line.partition(":") for line in lines[1:])}
        if self.status != 101:
            raise Failure("the upgrade was answered with: " + lines[0])

    def _more(self):
        try:
            got = self.sock.recv(1 << 18)
        except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            got = b""
        except (TimeoutError, socket.timeout):
            raise Failure("nothing came from the server within %g s" % self.sock.gettimeout()) from None
        if not got:
            raise Closed(None, "")
        self.data += got

    # ------------------------------------------------------------------------------------ frames

    def send_bytes(self, data):
        self.sock.sendall(data)

    def send_frame(self, opcode, payload, **options):
        self.send_bytes(frame(opcode, payload, **options))

    def send_text(self, text):
        self.send_frame(TEXT, text)

    def recv_frame(self):
        """(opcode, payload) of the next frame, control frames included, decompressed."""
        while len(self.data) < 2:
            self._more()
        at = 2
        length = self.data[1] & 0x7f
        if length > 125:
            size = 2 if length == 126 else 8
            while len(self.data) < at + size:
                self._more()
            length = int.from_bytes(self.data[at:at + size], "big")
            at += size
        while len(self.data) < at + length:
            self._more()
        opcode, payload = self.data[0] & 15, self.data[at:at + length]
        self.last_frame, self.data = self.data[:at + length], self.data[at + length:]
        if self.is_deflated():
            payload = zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")
        return opcode, payload

    def is_deflated(self):
        """Whether the last frame came compressed."""
        return self.last_frame[0] & 0x40 != 0

    def recv_payload(self):
        """Payload of the next data frame, exact bytes. Raises Closed; answers WebSocket pings."""
        while True:
            opcode, payload = self.recv_frame()
            if opcode == CLOSE:
                code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else None
                self._answer_close(payload[:2])
                raise Closed(code, payload[2:].decode("utf-8", "replace"))
            if opcode == PING:
                self.send_frame(PONG, payload)
            elif opcode != PONG:
                return payload

    def _answer_close(self, payload):
        try:
            self.send_frame(CLOSE, payload)
        except OSError:
            pass

    # -------------------------------------------------------------------------- the protocol in JSON

    def recv_raw(self):
        """The next protocol message as text; server pings are answered and left out."""
        while True:
            while not self.messages:
                self.messages = self.recv_payload().decode().split("\n")
            message = self.messages.pop(0)
            if message == "{}":
                self.pings += 1
                self.send_text("{}")
                continue
            return message

    def recv(self):
        return json.loads(self.recv_raw())

    def send(self, *commands):
        self.send_text("\n".join(json.dumps(command) for command in commands))

    def call(self, **request):
        """Sends one command and returns its reply; pushes that come before it are kept for recv."""
        self.next_id += 1
        self.send({"id": self.next_id, **request})
        kept = []
        while True:
            raw = self.recv_raw()
            message = json.loads(raw)
            if message.get("id") == self.next_id:
                self.messages[:0] = kept
                return message
            kept.append(raw)

    def connect(self, **request):
        reply = self.call(connect=request)
        if "connect" not in reply:
            raise Failure("connect was answered with %r" % reply)
        self.client_id = reply["connect"]["client"]
        return reply["connect"]

    def subscribe(self, channel, **request):
        reply = self.call(subscribe={"channel": channel, **request})
        if "subscribe" not in reply:
            raise Failure("subscribe to %s was answered with %r" % (channel, reply))
        return reply["subscribe"]

    def publication(self):
        """The next publication, decoded; other pushes in between are a failure."""
        message = self.recv()
        if "pub" not in message.get("push", {}):
            raise Failure("a publication was expected, not %r" % message)
        return message["push"]["pub"]

    def expect_close(self, seconds=None):
        """Reads until the connection ends; returns (code, reason)."""
        deadline = time.monotonic() + (seconds or self.timeout)
        try:
            while True:
                self.sock.settimeout(max(0.01, deadline - time.monotonic()))
                self.recv_payload()
        except Closed as end:
            return end.code, end.reason
        finally:
            self.sock.settimeout(self.timeout)

    def silent(self, seconds=0.2):
        """Whether nothing arrives for a while (a bound, not a synchronisation)."""
        if self.messages or self.data:
            return False
        self.sock.settimeout(seconds)
        try:
            got = self.sock.recv(65536)
        except (TimeoutError, socket.timeout):
            return True
        finally:
            self.sock.settimeout(self.timeout)
        self.data += got
        return False

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
