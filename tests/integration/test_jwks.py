# SPDX-License-Identifier: Apache-2.0
"""Tokens that are checked with keys from a server of keys: fetched once, rotated, and never at the cost of others.

pushd gives the server of keys a second, and it is a thread of the test: all of it is timed.
"""
import json
import os
import re
import signal
import time

from harness import System, check, equal, has, timed, token, wait_for
from harness.keys import Authority, Key, KeyServer, openssl
from test_pushctl import pushctl, write_config

INVALID = 3500


def start(test, server, env=None, node="", **more):
    settings = {"hmac_secret_key": "", "jwks_public_endpoint": server.url + "/jwks"}
    return System(test, {"client": {"token": settings, **more}}, front=None, env=env, node=node)


def refused(system, text, reason, words):
    """A connect with this token closes with 3500, an explanation and a line in the log."""
    mark = system.pushd.mark()
    client = system.open()
    client.send({"id": 1, "connect": {"token": text}})
    code, why = client.expect_close()
    equal(code, INVALID, "code for " + reason)
    has(why, words, "the close reason")
    system.pushd.wait_log(r"reason=%s\b" % re.escape(reason), since=mark)


def fetches(system, result):
    text = system.admin("GET", "/metrics").text
    found = re.search(r'^pushd_jwks_fetches_total\{result="%s"\} (\d+)' % result, text, re.M)
    return int(found.group(1)) if found else 0


@timed
def test_keys_are_fetched_once(test):
    """Many clients, two workers, keys of two kinds: one request. Keys of the configuration are of no use any more."""
    ed, rsa = Key(test, "ed"), Key(test, "rsa", "rsa")
    server = KeyServer(test, ed, rsa)
    system = start(test, server)
    texts = [key.token({"sub": "ada"}) for key in (ed, rsa)]
    clients = [system.open() for _ in range(16)]
    server.open.clear()
    for number, client in enumerate(clients):
        client.send({"id": 1, "connect": {"token": texts[number % 2]}}, {"id": 2, "subscribe": {"channel": "a"}})
    wait_for(lambda: server.paths, "a request for keys")
    server.open.set()
    for client in clients:
        equal([client.recv()["id"] for _ in range(2)], [1, 2], "replies, in the order of the commands")
    for text in texts:
        system.open().connect(token=text)
    equal(server.paths, ["/jwks"], "requests")
    equal(fetches(system, "ok"), 1, "the metric")
    refused(system, token("", {"sub": "ada"}), "token.alg", "HMAC")
    other = Key(test, "other")
    refused(system, other.token({"sub": "ada"}, kid="ed"), "token.signature", "signature")
    refused(system, ed.token({"sub": "ada"}, kid=None), "jwks.no_kid", "kid")
    equal(len(server.paths), 1, "requests")


@timed
def test_rotation(test):
    """A token signed with a new key is accepted at once; a kid that nobody publishes is asked for once in a while."""
    old, new, secret = Key(test, "old"), Key(test, "new"), Key(test, "secret")
    server = KeyServer(test, old)
    system = start(test, server)
    system.open().connect(token=old.token({"sub": "ada"}))
    server.publish(old, new)
    system.open().connect(token=new.token({"sub": "ada"}))
    system.open().connect(token=old.token({"sub": "ada"}))
    equal(len(server.paths), 2, "requests")
    refused(system, secret.token({"sub": "ada"}), "jwks.kid", "no key of the token's kid")
    equal(len(server.paths), 3, "requests")
    server.publish(new)
    system.open().connect(token=old.token({"sub": "ada"}))
    equal(len(server.paths), 3, "requests")


@timed
def test_a_key_that_is_published_meanwhile(test):
    """A token that comes while an older document is on its way is checked with the next one."""
    old, new = Key(test, "old"), Key(test, "new")
    server = KeyServer(test, old)
    system = start(test, server)
    server.open.clear()
    first, second = system.open(), system.open()
    first.send({"id": 1, "connect": {"token": old.token({"sub": "ada"})}})
    wait_for(lambda: server.paths, "a request for keys")
    second.send({"id": 1, "connect": {"token": new.token({"sub": "bob"})}})
    wait_for(lambda: 'pushd_client_commands_total{method="connect"} 2' in system.admin("GET", "/metrics").text, "both wait")
    server.open.set()
    has(first.recv(), "connect", "the first client's reply")
    server.publish(old, new)
    has(second.recv(), "connect", "the second client's reply")
    equal(len(server.paths), 2, "requests")


@timed
def test_a_flood_of_kids_is_no_flood_of_requests(test):
    """Tokens with kids that do not exist lead to one request a second at most."""
    key = Key(test, "k")
    server = KeyServer(test, key)
    system = start(test, server)
    system.open().connect(token=key.token({"sub": "ada"}))
    clients = [system.open() for _ in range(40)]
    begun = time.monotonic()
    for number, client in enumerate(clients):
        client.send({"id": 1, "connect": {"token": key.token({}, kid="x%d" % number)}})
    for client in clients:
        equal(client.expect_close()[0], INVALID, "code")
    took = time.monotonic() - begun
    check(len(server.paths) <= 2 + took, "%d requests in %g s" % (len(server.paths), took))
    system.open().connect(token=key.token({"sub": "ada"}))


@timed
def test_failures_of_the_endpoint(test):
    """Whatever the endpoint does, the token is refused with the reason, and keys that are here go on working."""
    known, other = Key(test, "known"), Key(test, "other")
    server = KeyServer(test, known)
    system = start(test, server)
    warm, cold = known.token({"sub": "ada"}), other.token({"sub": "ada"})
    system.open().connect(token=warm)
    good = server.body
    huge = b" " * (600 * 1024)
    rows = [("status", 500, good, 2, "another status"), ("status", 404, good, 1, "another status"),
            ("document", 200, b"<html>no</html>", 1, "no document"), ("document", 200, b'{"keys":{}}', 1, "no document"),
            ("too_large", 200, huge + good, 1, "more than 512 KiB"), ("redirect", 302, good, 1, "redirects")]
    server.headers["Location"] = server.url + "/elsewhere"
    for result, server.status, server.body, requests, words in rows:
        before, counted = len(server.paths), fetches(system, result)
        refused(system, cold, "jwks." + result, words)
        equal(server.paths[before:], ["/jwks"] * requests, "requests for %s %d" % (result, server.status))
        equal(fetches(system, result), counted + requests, "the metric")
        system.open().connect(token=warm)
    server.close()
    refused(system, cold, "jwks.unreachable", "cannot be reached")
    system.open().connect(token=warm)


@timed
def test_a_slow_endpoint_slows_nobody_else(test):
    """While keys are awaited, other clients are served; after two tries of a second the token is refused."""
    known, late = Key(test, "known"), Key(test, "late")
    server = KeyServer(test, known)
    system = start(test, server)
    others = [system.open() for _ in range(4)]
    for other in others:
        other.connect(token=known.token({"sub": "ada"}))
    server.open.clear()
    text, waiting = late.token({"sub": "ada"}), [system.open() for _ in range(8)]
    for client in waiting:
        client.send({"id": 1, "connect": {"token": text}})
    wait_for(lambda: len(server.paths) == 2, "the second request")
    for number in range(40):
        begun = test.clock.mark()
        others[number % 4].call(publish={"channel": "a", "data": number})
        test.clock.at_most(begun, 0.5, "a publish")
    for client in waiting:
        code, why = client.expect_close()
        equal(code, INVALID, "code")
        has(why, "does not answer within a second", "the close reason")
    equal(len(server.paths), 3, "requests")
    equal(fetches(system, "timeout"), 2, "the metric")
    server.publish(known, late)
    server.open.set()
    system.open().connect(token=text)


@timed
def test_clients_that_do_not_wait(test):
    """A client leaves while its key is awaited; another one floods; pushd stops while one waits."""
    key = Key(test, "k")
    server = KeyServer(test, key)
    system = start(test, server)
    server.open.clear()
    text = key.token({"sub": "ada"})
    leaving, staying, chatty = system.open(), system.open(), system.open()
    for client in (leaving, staying, chatty):
        client.send({"id": 1, "connect": {"token": text}})
    wait_for(lambda: server.paths, "a request for keys")
    chatty.send_text("\n".join(json.dumps({"id": 2 + n, "subscribe": {"channel": "c%d" % n}}) for n in range(20)))
    leaving.close()
    server.open.set()
    equal(staying.recv()["id"], 1, "the reply")
    equal([chatty.recv()["id"] for _ in range(21)], list(range(1, 22)), "replies")
    server.open.clear()
    unknown = system.open()
    unknown.send({"id": 1, "connect": {"token": key.token({}, kid="x")}})
    wait_for(lambda: len(server.paths) == 2, "the second request")
    for client in (staying, chatty):
        client.close()
    system.pushd.send_signal(signal.SIGTERM)
    equal(unknown.expect_close()[0], 3001, "the code for who waits")
    begun = test.clock.mark()
    equal(system.pushd.wait_exit(), 0, "status")
    test.clock.at_most(begun, 1, "the end of pushd, which does not wait for the endpoint,")


@timed
def test_every_command_with_a_token_waits(test):
    """connect, refresh, subscribe and sub_refresh fetch keys; tokens of connections and of subscriptions have
    endpoints of their own."""
    keys = {name: Key(test, name) for name in ("c1", "c2", "s1", "s2")}
    server = KeyServer(test, keys["c1"])
    system = start(test, server, subscription_token={"enabled": True, "jwks_public_endpoint": server.url + "/subs"})
    client = system.open()

    def subscription(name, **header):
        return keys[name].token({"sub": "ada", "channel": "closed:1", "exp": int(time.time()) + 60}, **header)
    client.connect(token=keys["c1"].token({"sub": "ada", "exp": int(time.time()) + 60}))
    server.publish(keys["c1"], keys["c2"])
    equal(client.call(refresh={"token": keys["c2"].token({"sub": "ada"})}).get("refresh"), {}, "refresh")
    server.publish(keys["s1"])
    check(client.subscribe("closed:1", token=subscription("s1"))["expires"], "the subscription expires")
    server.publish(keys["s1"], keys["s2"])
    check(client.call(sub_refresh={"channel": "closed:1", "token": subscription("s2")})["sub_refresh"]["expires"],
          "sub_refresh")
    equal(server.paths, ["/jwks", "/jwks", "/subs", "/subs"], "requests")
    other = system.open()
    other.connect(token=keys["c1"].token({"sub": "ada"}))
    error = other.call(subscribe={"channel": "closed:1", "token": subscription("c1")})["error"]
    equal(error["code"], 103, "a subscription token with a key of connections")
    has(error["message"], "no key of the token's kid", "the error")
    server.publish(keys["c1"])
    refused(system, keys["s1"].token({"sub": "ada"}), "jwks.kid", "no key of the token's kid")
    client.send({"id": 99, "sub_refresh": {"channel": "closed:1", "token": subscription("s1", kid="x")}})
    equal(client.expect_close()[0], INVALID, "a refresh with an unknown key")


@timed
def test_the_address_may_depend_on_the_issuer(test):
    """Groups of issuer_regex in the endpoint: each issuer has keys of its own, although their kids are the same."""
    one, two = Key(test, "one"), Key(test, "two")
    server = KeyServer(test)
    server.publish(one)
    pattern = "^https://id\\.example/(?P<realm>one|two)$"
    system = System(test, {"client": {"token": {"hmac_secret_key": "", "issuer_regex": pattern,
                                                "jwks_public_endpoint": server.url + "/{{realm}}/keys"}}}, front=None)
    system.open().connect(token=one.token({"iss": "https://id.example/one"}))
    server.body = json.dumps({"keys": [two.jwk(kid="one")]}).encode()
    system.open().connect(token=two.token({"iss": "https://id.example/two"}, kid="one"))
    refused(system, two.token({"iss": "https://id.example/one"}, kid="one"), "token.signature", "does not fit")
    refused(system, two.token({"iss": "https://evil.example/one"}, kid="one"), "token.issuer", "iss")
    equal(server.paths, ["/one/keys", "/two/keys"], "requests")


@timed
def test_checktoken_fetches_keys(test):
    """pushctl checktoken asks the endpoint, too, and says what it got; checkconfig finds a bad endpoint."""
    key, other = Key(test, "k"), Key(test, "other")
    server = KeyServer(test, key)
    path = write_config(test, {"client": {"token": {"jwks_public_endpoint": server.url + "/jwks"}}})
    good = pushctl(test, "checktoken", "-c", path, key.token({"sub": "ada"}))
    has(good, 'keys: %s/jwks has "k"' % server.url, "the keys")
    has(good, 'good: user "ada" may connect', "a good token")
    for text, words in ((other.token({}), "jwks.kid"), (other.token({}, kid="k"), "token.signature"),
                        (key.token({}, kid=None), "jwks.no_kid")):
        has(pushctl(test, "checktoken", "-c", path, text, status=1), words, words)
    server.status = 503
    has(pushctl(test, "checktoken", "-c", path, key.token({}), status=1), "status 503", "a failing endpoint")
    server.close()
    has(pushctl(test, "checktoken", "-c", path, key.token({}), status=1), "jwks.unreachable", "no endpoint")
    has(pushctl(test, "checkconfig", "-c", path), "tokens     public keys from jwks_public_endpoint", "checkconfig")
    for endpoint, words in (("https://{{host}}/", "(?P<host>"), ("ftp://x/", "URL")):
        path = write_config(test, {"client": {"token": {"jwks_public_endpoint": endpoint}}})
        has(pushctl(test, "checkconfig", "-c", path, status=1), words, endpoint)


@timed
def test_https_of_an_own_ca(test):
    """The environment names a file or a folder with the CA of the endpoint, to pushd and to pushctl."""
    key, new = Key(test, "k"), Key(test, "new")
    authority = Authority(test)
    folder = os.path.join(test.dir, "cas")
    os.mkdir(folder)
    os.link(authority.path, os.path.join(folder, "ca.pem"))
    openssl("rehash", folder)
    for name, value in (("SSL_CERT_FILE", authority.path), ("SSL_CERT_DIR", "/nowhere:" + folder)):
        server = KeyServer(test, key, tls=authority.context("IP:127.0.0.1"))
        system = start(test, server, env={name: value}, node=name)
        system.open().connect(token=key.token({"sub": "ada"}))
        server.publish(key, new)
        system.open().connect(token=new.token({"sub": "ada"}))
        equal(server.paths, ["/jwks", "/jwks"], "requests with " + name)
        equal(fetches(system, "ok"), 2, "the metric")
        path = write_config(test, {"client": {"token": {"jwks_public_endpoint": server.url + "/jwks"}}})
        has(pushctl(test, "checktoken", "-c", path, key.token({"sub": "ada"}), env={name: value}), "good:", "checktoken")


@timed
def test_https_that_is_not_trusted(test):
    """A certificate of an unknown CA, or for another host, is refused before anything is asked, with what to do."""
    key, authority = Key(test, "k"), Authority(test)
    text = key.token({"sub": "ada"})
    rows = [("IP:127.0.0.1", {}, "SSL certificate problem"),
            ("IP:127.0.0.1", {"SSL_CERT_FILE": Authority(test, "other").path}, "SSL certificate problem"),
            ("IP:127.0.0.2", {"SSL_CERT_FILE": authority.path}, "127.0.0.1"),
            ("IP:127.0.0.1", {"SSL_CERT_FILE": "/nowhere/ca.pem"}, "/nowhere/ca.pem")]
    for number, (subject, env, words) in enumerate(rows):
        server = KeyServer(test, key, tls=authority.context(subject))
        system = start(test, server, env=env, node=str(number))
        mark = system.pushd.mark()
        refused(system, text, "jwks.certificate", "certificate of jwks_public_endpoint")
        line = system.pushd.wait_log("WRN .* keys of tokens cannot be fetched.*", since=mark).group()
        for part in (words, "SSL_CERT_FILE", server.url, "jwks.certificate"):
            has(line, part, "the log")
        equal(server.paths, [], "requests")
        check(server.connections <= 1, "asking again is of no use")
        equal(fetches(system, "certificate"), 1, "the metric")
        path = write_config(test, {"client": {"token": {"jwks_public_endpoint": server.url + "/jwks"}}})
        answer = pushctl(test, "checktoken", "-c", path, text, status=1, env=env)
        for part in (words, "SSL_CERT_FILE", "jwks.certificate"):
            has(answer, part, "checktoken")
