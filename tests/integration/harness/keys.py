# SPDX-License-Identifier: Apache-2.0
"""A server of public keys (JWK Sets) that can misbehave, and tokens signed with its keys."""
import http.server
import json
import os
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


class KeyServer:
    """Answers every path with `body` and `status`; while `open` is not set, requests hang. Counts them by path."""

    def __init__(self, test, *keys):
        self.status, self.headers, self.paths = 200, {}, []
        self.open = threading.Event()
        self.open.set()
        self.publish(*keys)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.paths.append(self.path)
                outer.open.wait(30)
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

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_port
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
