# SPDX-License-Identifier: Apache-2.0
"""HTTP over sockets of our own, so that a test sees status, headers and body as they are."""
import http.client
import json
import socket
import ssl
from urllib.parse import urlsplit

from harness.wait import PATIENCE


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # names in lower case
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "%d %r" % (self.status, self.text[:400])


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def connection(base, timeout=PATIENCE):
    """A kept connection to a base URL: http://, https:// (not verified) or unix:PATH."""
    if base.startswith("unix:"):
        return UnixConnection(base[5:], timeout)
    parts = urlsplit(base)
    if parts.scheme == "https":
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout,
                                           context=ssl._create_unverified_context())
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)


def exchange(kept, method, path, body=None, headers=None):
    """One request on a kept connection."""
    headers = dict(headers or {})
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    if isinstance(body, str):
        body = body.encode()
    kept.request(method, path, body, headers)
    reply = kept.getresponse()
    return Response(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())


def http_request(method, base, path, body=None, headers=None, timeout=PATIENCE):
    kept = connection(base, timeout)
    try:
        return exchange(kept, method, path, body, headers)
    finally:
        kept.close()
