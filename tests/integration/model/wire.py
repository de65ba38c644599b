# SPDX-License-Identifier: Apache-2.0
"""A WebSocket and an HTTP connection in an asyncio loop, for many at a time."""
import asyncio
import base64
import json
import os
import struct
import time

from harness.check import Failure
from harness.wait import PATIENCE
from model import protobuf

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Gone(Exception):
    """The connection ended: code and reason of the close frame, or code None without one."""

    def __init__(self, code=None, reason=""):
        super().__init__("gone: %s %r" % (code, reason))
        self.code, self.reason = code, reason


class Json:
    """The protocol in JSON: data are JSON values, or text when delta is negotiated."""
    opcode, path = TEXT, "/connection/websocket"
    ping = b"{}"

    @staticmethod
    def encode(command):
        if "publish" in command:
            data = command["publish"]["data"].decode()
            rest = {**command, "publish": {"channel": command["publish"]["channel"], "data": 0}}
            return json.dumps(rest).replace('"data": 0', '"data": ' + data).encode()
        return json.dumps(command).encode()

    @staticmethod
    def decode(payload):
        return [json.loads(line) for line in payload.split(b"\n")]


class Protobuf:
    """The protocol in Protobuf: data are bytes."""
    opcode, path = BINARY, "/connection/websocket?format=protobuf"
    ping = b"\0"

    @staticmethod
    def encode(command):
        body = protobuf.encode("Command", command)
        return protobuf.varint(len(body)) + body

    @staticmethod
    def decode(payload):
        return protobuf.decode_all("Reply", payload)


class Socket:
    """An upgraded WebSocket."""

    def __init__(self, reader, writer, codec):
        self.reader, self.writer, self.codec = reader, writer, codec

    @classmethod
    async def open(cls, port, codec, seconds=PATIENCE):
        async def upgrade():
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
            writer.write(("GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n"
                          % (codec.path, base64.b64encode(os.urandom(16)).decode())).encode())
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, OSError):
                writer.transport.abort()
                raise Gone() from None
            if b" 101 " not in head.split(b"\r\n")[0]:
                raise Failure("the upgrade was answered with %r" % head)
            return cls(reader, writer, codec)
        try:
            async with asyncio.timeout(seconds):
                return await upgrade()
        except (TimeoutError, OSError):
            raise Gone() from None

    def send_frame(self, opcode, payload):
        """With a mask of zeros, which leaves the payload as it is."""
        size = len(payload)
        if size < 126:
            head = bytes([0x80 | opcode, 0x80 | size])
        elif size < 65536:
            head = bytes([0x80 | opcode, 0x80 | 126]) + struct.pack(">H", size)
        else:
            head = bytes([0x80 | opcode, 0x80 | 127]) + struct.pack(">Q", size)
        if not self.writer.transport.is_closing():
            self.writer.write(head + b"\0\0\0\0" + payload)

    def send(self, command):
        self.send_frame(self.codec.opcode, self.codec.encode(command))

    async def recv_frame(self):
        try:
            first, size = await self.reader.readexactly(2)
            if size > 125:
                raw = await self.reader.readexactly(2 if size == 126 else 8)
                size = int.from_bytes(raw, "big")
            return first & 15, await self.reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError):
            raise Gone() from None

    async def recv(self):
        """The replies of the next frame of data that is no ping; pings are answered."""
        while True:
            opcode, payload = await self.recv_frame()
            if opcode == CLOSE:
                code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else None
                self.send_frame(CLOSE, payload[:2])
                self.abort_later()
                raise Gone(code, payload[2:].decode())
            if opcode == PING:
                self.send_frame(PONG, payload)
            elif payload == self.codec.ping:
                self.send_frame(self.codec.opcode, self.codec.ping)
            else:
                return self.codec.decode(payload)

    def abort_later(self):
        """After what was written is on its way."""
        self.writer.close()

    def abort(self):
        """At once and without a word: the server sees a reset or an end."""
        self.writer.transport.abort()


class Api:
    """POST /api/METHOD over one kept connection, one call at a time. What a call took is noted."""

    def __init__(self, port, headers):
        self.port = port
        self.head = "".join("%s: %s\r\n" % pair for pair in headers.items())
        self.reader = self.writer = None
        self.used_at = 0.0
        self.slowest = (0.0, "")
        self.turn = asyncio.Lock()

    async def _open(self):
        if self.writer is None or time.monotonic() - self.used_at > 2:  # a web server ends idle connections
            self.close()
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)

    async def _exchange(self, method, body):
        await self._open()
        self.writer.write(("POST /api/%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%s"
                           "Content-Length: %d\r\n\r\n" % (method, self.head, len(body))).encode() + body)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(head.split("content-length:")[1].split("\r\n")[0])
        answer = json.loads(await self.reader.readexactly(size))
        self.used_at = time.monotonic()
        if "connection: close" in head:
            self.close()
        return answer

    async def call(self, method, body, seconds=PATIENCE):
        """The answer, or None when there was none."""
        async with self.turn:
            begun = time.monotonic()
            try:
                async with asyncio.timeout(seconds):
                    return await self._exchange(method, body)
            except (OSError, ValueError, IndexError, asyncio.IncompleteReadError, TimeoutError):
                self.close()
                return None
            except asyncio.CancelledError:
                self.close()
                raise
            finally:
                self.slowest = max(self.slowest, (time.monotonic() - begun, method))

    def close(self):
        if self.writer is not None:
            self.writer.transport.abort()
        self.reader = self.writer = None
