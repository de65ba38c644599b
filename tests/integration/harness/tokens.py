# SPDX-License-Identifier: Apache-2.0
"""JSON Web Tokens, well and ill made, without a library."""
import base64
import hashlib
import hmac
import json
import time

HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def token(secret, claims=None, alg="HS256", header=None, **more):
    """A signed token; without exp among the claims it is valid for an hour, with exp=None it has none."""
    claims = {"exp": int(time.time()) + 3600, **(claims or {}), **more}
    claims = {name: value for name, value in claims.items() if value is not None}
    head = header if header is not None else {"typ": "JWT", "alg": alg}
    text = b64url(json.dumps(head).encode()) + "." + b64url(json.dumps(claims).encode())
    if alg == "none":
        return text + "."
    key = secret.encode() if isinstance(secret, str) else secret
    return text + "." + b64url(hmac.new(key, text.encode(), HASHES[alg]).digest())


def claims_of(text):
    """What a token says, unverified."""
    return json.loads(unb64url(text.split(".")[1]))


def is_signed_by(text, secret):
    signed, _, signature = text.rpartition(".")
    return hmac.compare_digest(unb64url(signature), hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())
