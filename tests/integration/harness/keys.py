# SPDX-License-Identifier: Apache-2.0
"""A server of public keys (JWK Sets) that can misbehave, and tokens signed with its keys."""
import http.server
import json
import os
import ssl
import subprocess
import threading

from harness.process import find_program
from harness.tokens import b64url


def openssl(*words, stdin=None):
    return subprocess.run([find_program("openssl"), *words], input=stdin, check=True, capture_output=True).stdout


class Key:
    """A key pair of kind Ed25519 or RSA."""

    def __init__(self, test, kid, kind="ed25519"):
        self.kid, self.kind = kid, kind
        self.path = os.path.join(test.dir, "key-%s.pem" % kid)
        size = ["-pkeyopt", "rsa_keygen_bits:2048"] if kind == "rsa" else []
        openssl("genpkey", "-algorithm", kind, *size, "-out", self.path)

    def jwk(self, **more):
        if self.kind == "rsa":
            modulus = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip().partition("=")[2]
            numbers = {"kty": "RSA", "alg": "RS256", "e": "AQAB", "n": b64url(bytes.fromhex(modulus))}
        else:
            public = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")[-32:]
            numbers = {"kty": "OKP", "crv": "Ed25519", "x": b64url(public)}
        return {"kid": self.kid, "use": "sig", **numbers, **more}

    def token(self, claims, **header):
        head = {"alg": "RS256" if self.kind == "rsa" else "EdDSA", "kid": self.kid, **header}
        text = b64url(json.dumps(head).encode()) + "." + b64url(json.dumps(claims).encode())
        if self.kind == "rsa":
            return text + "." + b64url(openssl("dgst", "-sha256", "-sign", self.path, stdin=text.encode()))
        message = self.path + ".message"
        with open(message, "w", encoding="ascii") as target:
            target.write(text)
        return text + "." + b64url(openssl("pkeyutl", "-sign", "-inkey", self.path, "-rawin", "-in", message))


class Authority:
    """A CA that nobody knows; `path` has its certificate."""

    def __init__(self, test, name="ca"):
        self.dir, self.path = test.dir, os.path.join(test.dir, name + ".pem")
        self.key = self._key(name)
        openssl("req", "-x509", "-new", "-key", self.key, "-days", "2", "-subj", "/CN=pushd test " + name,
                "-out", self.path)

    def _key(self, name):
        path = os.path.join(self.dir, name + ".key")
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
        return path

    def context(self, subject):
        """What a server needs that is `subject`, such as IP:127.0.0.1 or DNS:id.example."""
        name = subject.replace(":", "-")
        key, path = self._key(name), os.path.join(self.dir, name + ".pem")
        request, extensions = path + ".request", path + ".extensions"
        with open(extensions, "w", encoding="ascii") as target:
            target.write("subjectAltName=%s\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n" % subject)
        openssl("req", "-new", "-key", key, "-subj", "/CN=" + name, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.path, "-CAkey", self.key, "-set_serial", "2", "-days", "2",
                "-extfile", extensions, "-out", path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path, key)
        return context


class QuietServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Clients that end a handshake are part of the test."""


class KeyServer:
    """Answers every path with `body` and `status`; while `open` is not set, requests hang. Counts them by path, and
    connections. `tls` is the context of a server of https."""

    def __init__(self, test, *keys, tls=None):
        self.status, self.headers, self.paths, self.connections = 200, {}, [], 0
        self.open = threading.Event()
        self.open.set()
        self.publish(*keys)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def setup(self):
                outer.connections += 1
                if tls is not None:  # here, so that it stops no other client
                    self.request = tls.wrap_socket(self.request, server_side=True)
                super().setup()

            def do_GET(self):
                outer.paths.append(self.path)
                outer.open.wait()
                self.send_response(outer.status)
                for pair in outer.headers.items():
                    self.send_header(*pair)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                try:
                    self.wfile.write(outer.body)
                except OSError:
                    pass  # it does not want to hear more

            def log_message(self, *_):
                pass

        self.server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = "%s://127.0.0.1:%d" % ("https" if tls else "http", self.server.server_port)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        test.on_end(self.close)

    def publish(self, *keys):
        self.body = json.dumps({"keys": [key.jwk() for key in keys]}).encode()

    def close(self):
        self.open.set()
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
