# SPDX-License-Identifier: Apache-2.0
"""The server API over FastCGI: keys, errors, the forms of the guide, real figures."""
import base64
import json
import socket

from harness import API_KEY, Failure, System, check, equal, has, wait_for
from harness.web import connection, exchange

CHANNEL = "org:1:messages"
ATTEMPTS = 5


def test_keys(test):
    """Header forms, query form, and 401 with an empty body for everything else."""
    system = System(test)
    body = {"channel": "test", "data": 1}
    good = [("/api/publish", {"X-API-Key": API_KEY}), ("/api/publish", {"Authorization": "apikey " + API_KEY}),
            ("/api/publish", {"Authorization": "ApiKey " + API_KEY}), ("/api/publish?api_key=" + API_KEY, {}),
            ("/api/publish?api_key=" + API_KEY, {"X-API-Key": "wrong"})]
    for path, headers in good:
        equal(system.http("POST", path, body, headers).body, b'{"result":{}}', "%s %r" % (path, headers))
    bad = [("/api/publish", {}), ("/api/publish", {"X-API-Key": "wrong"}), ("/api/publish", {"X-API-Key": ""}),
           ("/api/publish", {"X-API-Key": API_KEY[:-1]}), ("/api/publish", {"X-API-Key": API_KEY + "x"}),
           ("/api/publish", {"Authorization": API_KEY}), ("/api/publish", {"Authorization": "Bearer " + API_KEY}),
           ("/api/publish", {"Authorization": "apikey x " + API_KEY}), ("/api/publish?api_key=wrong", {}),
           ("/api/publish", {"X-API-Key": "wrong", "Authorization": "apikey " + API_KEY})]
    for path, headers in bad:
        reply = system.http("POST", path, body, headers)
        equal((reply.status, reply.body), (401, b""), "%s %r" % (path, headers))
    check(API_KEY not in system.api.log(), "the key is not logged")


def test_named_keys(test):
    """Keys with scopes and channels: 403 says what is missing; the log has the name of the key and never the key."""
    keys = [{"name": "ticker", "key": "ticker-key-0123456789", "scopes": ["publish"], "channels": ["org:ticker"]},
            {"name": "watcher", "key": "unset-in-the-file", "scopes": ["read"]}]
    system = System(test, {"pushd": {"api_keys": keys}},
                    env={"CENTRIFUGO_PUSHD_API_KEYS_WATCHER_KEY": "watcher-key-0123456789"})
    ticker, watcher = {"X-API-Key": keys[0]["key"]}, {"Authorization": "apikey watcher-key-0123456789"}
    body = {"channel": "org:ticker:DAX", "data": 1}
    equal(system.http("POST", "/api/publish", body, ticker).json()["result"]["offset"], 1, "offset")
    system.api.wait_log(r"publish.*channel=org:ticker:DAX.*key=ticker")
    equal(system.http("POST", "/api/history", {"channel": "org:ticker:DAX"}, watcher).json()["result"]["offset"], 1, "top")
    equal(system.http("GET", "/api/info?api_key=watcher-key-0123456789").status, 200, "info by the parameter")
    refused = [("publish", {"channel": CHANNEL, "data": 1}, ticker, CHANNEL), ("info", {}, ticker, "the scope read"),
               ("publish", body, watcher, "the scope publish"), ("disconnect", {"user": "ada"}, watcher, "the scope admin")]
    for method, request, headers, part in refused:
        reply = system.http("POST", "/api/" + method, request, headers)
        equal((reply.status, reply.json()["error"]["code"]), (403, 103), "%s: %r" % (method, reply))
        has(reply.json()["error"]["message"], part, "%s: the message" % method)
    equal(system.http("POST", "/api/publish", body, {"X-API-Key": "unset-in-the-file"}).status, 401, "the key of the file")
    system.api.wait_log(r"request refused.*reason=key\.scope.*key=watcher")
    equal(system.publish("test", 1), {}, "http_api.key may do everything")
    system.api.wait_log(r"publish.*channel=test.*key=http_api\.key")
    for secret in ("ticker-key-0123456789", "watcher-key-0123456789", API_KEY):
        check(secret not in system.api.log(), "a key is not logged")


def test_an_empty_key_lets_nobody_in(test):
    """Without a configured key every request gets 401, also one with an empty key."""
    system = System(test, {"http_api": None}, start=False)
    system.start_redis()
    system.start_pushd()
    system.start_api()
    system.start_front()
    for headers in ({}, {"X-API-Key": ""}, {"Authorization": "apikey "}):
        equal(system.http("POST", "/api/publish", {"channel": "a", "data": 1}, headers).status, 401, "%r" % headers)


def test_methods_and_paths(test):
    """GET where only POST belongs is 405; an unknown method is 404; the guide's GET forms work."""
    system = System(test)
    key = {"X-API-Key": API_KEY}
    equal(system.http("GET", "/api/publish", headers=key).status, 405, "GET publish")
    equal(system.http("POST", "/api/nope", {}, key).status, 404, "an unknown method")
    for name in ("stats", "info", "channels"):
        for method in ("GET", "POST"):
            reply = system.http(method, "/api/" + name, {} if method == "POST" else None, key)
            has(reply.text, '{"result":{', "%s %s" % (method, name))
        equal(system.http("GET", "/api/" + name).status, 401, "%s without a key" % name)


def test_refusals(test):
    """Malformed bodies are 400, errors of the API come with their codes."""
    system = System(test)
    key = {"X-API-Key": API_KEY}
    for text in ("", "{", "[]", '"a"', '{"channel":1}', '{"channel":"a","data":1}x', '{"channel":"a","data":01}',
                 '{"channel":"a","skip_history":1,"data":1}', '{"channel":"a","version":-1,"data":1}', "\xff\xfe"):
        reply = system.http("POST", "/api/publish", text.encode("latin-1"), key)
        equal(reply.status, 400, "%r: %r; status" % (text, reply))
    errors = [("publish", {"data": 1}, 107), ("publish", {"channel": "a"}, 107), ("publish", {"channel": "no:a", "data": 1}, 102),
              ("publish", {"channel": "a", "b64data": "*"}, 107), ("broadcast", {"data": 1}, 107),
              ("broadcast", {"channels": [], "data": 1}, 107), ("history", {"channel": "test"}, 108),
              ("presence", {"channel": "test"}, 108), ("rpc", {"method": "nope"}, 104)]
    for method, body, code in errors:
        reply = system.call_api(method, body)
        equal(reply.status, 200, "%s %r: status" % (method, body))
        equal(reply.json().get("error", {}).get("code"), code, "%s %r: %r; code" % (method, body, reply))
        check(code == 104 or ": " in reply.json()["error"]["message"], "%s %r explains itself: %r" % (method, body, reply))


def test_transport_error_mode(test):
    """X-Centrifugo-Error-Mode: transport turns errors into HTTP statuses."""
    system = System(test)
    reply = system.http("POST", "/api/publish", {"channel": "no:a", "data": 1},
                        {"X-API-Key": API_KEY, "X-Centrifugo-Error-Mode": "transport"})
    equal(reply.status, 404, "status")
    equal(reply.json()["code"], 102, "code")


def test_publish_with_history(test):
    """offset and epoch come back; skip_history, idempotency_key and version do what they say."""
    system = System(test)
    first = system.publish(CHANNEL, 1)
    equal(first["offset"], 1, "offset")
    epoch = first["epoch"]
    equal(system.publish(CHANNEL, 2)["offset"], 2, "offset")
    equal(system.publish(CHANNEL, 3, skip_history=True), {}, "skip_history")
    once = system.publish(CHANNEL, 4, idempotency_key="k")
    equal(system.publish(CHANNEL, 4, idempotency_key="k"), once, "the second time")
    equal(system.publish(CHANNEL, 5, version=10)["offset"], 4, "version 10")
    equal(system.publish(CHANNEL, 6, version=9)["offset"], 4, "version 9 is old")
    history = system.result("history", {"channel": CHANNEL, "limit": 10})
    equal([pub["data"] for pub in history["publications"]], [1, 2, 4, 5], "history")
    equal((history["offset"], history["epoch"]), (4, epoch), "position")
    equal(system.result("history_remove", {"channel": CHANNEL}), {}, "history_remove")
    equal(system.result("history", {"channel": CHANNEL, "limit": 10})["publications"], [], "after the removal")


def test_broadcast_and_tags(test):
    """One call, many channels, each with its own answer; tags travel along."""
    system = System(test)
    client = system.client()
    client.subscribe("a")
    client.subscribe("b")
    reply = system.result("broadcast", {"channels": ["a", "no:x", "b"], "data": {"n": 1}, "tags": {"k": "v"}})
    equal([("error" in one, "result" in one) for one in reply["responses"]], [(False, True), (True, False), (False, True)],
          "responses %r" % reply)
    got = {}
    for _ in range(2):
        push = client.recv()["push"]
        got[push["channel"]] = push["pub"]
    equal(got, {name: {"data": {"n": 1}, "tags": {"k": "v"}} for name in ("a", "b")}, "what arrives")


def test_batch(test):
    """batch runs its commands in order and answers each."""
    system = System(test)
    reply = system.call_api("batch", {"commands": [{"publish": {"channel": "a", "data": 1}},
                                                   {"publish": {"channel": "no:b", "data": 1}}, {}]})
    replies = reply.json()["replies"]
    equal(replies[0], {"publish": {}}, "the first")
    equal([one.get("error", {}).get("code") for one in replies[1:]], [102, 104], "the others")


def test_b64data_reaches_json_clients_only_as_json(test):
    """Binary data that is JSON arrives as such; other binary data ends a JSON connection with 3506."""
    system = System(test)
    client = system.client()
    client.subscribe("test")
    system.result("publish", {"channel": "test", "b64data": base64.b64encode(b'{"a": 1}').decode()})
    equal(client.recv_raw(), '{"push":{"channel":"test","pub":{"data":{"a": 1}}}}', "JSON in base64")
    system.result("publish", {"channel": "test", "b64data": base64.b64encode(b"\xff\xfe").decode()})
    code, reason = client.expect_close()
    equal(code, 3506, "close code (%s)" % reason)


def test_figures_are_real(test):
    """channels, presence, info and stats tell what is so."""
    system = System(test)
    clients = [system.client(user) for user in ("ada", "ada", "bob")]
    for client in clients:
        client.subscribe(CHANNEL)
    clients[0].subscribe("other")
    system.wait_subscribers(CHANNEL, 3)
    equal(system.result("channels"), {"channels": {CHANNEL: {"num_clients": 3}, "other": {"num_clients": 1}}}, "channels")
    equal(system.result("channels", {"pattern": "org:*"}), {"channels": {CHANNEL: {"num_clients": 3}}}, "with a pattern")
    equal(system.result("presence_stats", {"channel": CHANNEL}), {"num_clients": 3, "num_users": 2}, "presence_stats")
    presence = system.result("presence", {"channel": CHANNEL})["presence"]
    equal(sorted(info["user"] for info in presence.values()), ["ada", "ada", "bob"], "presence")
    equal(sorted(presence), sorted(client.client_id for client in clients), "presence: clients")
    node = system.result("info")["nodes"][0]
    for name in ("uid", "name", "version", "num_clients", "num_users", "num_channels", "num_subs"):
        has(node, name, "info")


def appears(condition):
    try:
        return wait_for(condition, "something", 10)
    except Failure:
        return False


def test_metrics_in_info(test):
    """info has each node's metrics of the last interval: gauges, and how much counters grew."""
    system = System(test, {"node": {"info_metrics_aggregate_interval": "1s"}})
    client = system.client("a")
    client.subscribe("test")

    def metrics():
        return system.result("info")["nodes"][0].get("metrics", {})
    wait_for(lambda: metrics().get("items", {}).get("centrifugo.node.num_clients") == 1, "metrics with a client")
    equal(metrics()["interval"], 1, "the interval")
    wait_for(lambda: metrics()["items"]["centrifugo.node.num_subscriptions"] == 1, "subscriptions")
    for _ in range(ATTEMPTS):
        client.call(publish={"channel": "test", "data": 1})
        # Shown for as long as a node is silent between two pings: who is late to look misses it.
        if appears(lambda: metrics()["items"].get("pushd.client.commands_total.publish") == 1):
            break
    else:
        check(False, "what grew: %r" % metrics())
    wait_for(lambda: "pushd.client.commands_total.publish" not in metrics()["items"], "what did not grow since")


def test_control_of_clients(test):
    """subscribe, unsubscribe, refresh and disconnect act on connected clients."""
    system = System(test)
    client = system.client("ada")
    system.result("subscribe", {"user": "ada", "channel": "test", "data": {"why": 1}})
    push = client.recv()["push"]
    equal((push["channel"], push["subscribe"].get("data")), ("test", {"why": 1}), "subscribe push")
    system.publish("test", 1)
    equal(client.publication()["data"], 1, "what arrives")
    system.result("unsubscribe", {"user": "ada", "channel": "test"})
    equal(client.recv()["push"]["unsubscribe"], {"code": 2000, "reason": "server unsubscribe"}, "unsubscribe push")
    system.result("disconnect", {"user": "ada", "disconnect": {"code": 4001, "reason": "go away"}})
    equal(client.expect_close(), (4001, "go away"), "how it ends")


def test_kept_connections_and_many_at_once(test):
    """Hundreds of requests on kept connections through nginx: every one is answered."""
    system = System(test, front="nginx")
    kept = [connection(system.url) for _ in range(20)]
    for link in kept:
        test.on_end(link.close)
    for _ in range(20):
        for link in kept:
            reply = exchange(link, "POST", "/api/publish", {"channel": CHANNEL, "data": 1}, {"X-API-Key": API_KEY})
            equal(reply.status, 200, "status")
    equal(system.result("history", {"channel": CHANNEL, "limit": 0})["offset"], 400, "offset")


def test_apache_in_front(test):
    """The same through Apache: the API and a WebSocket."""
    system = System(test, front="apache", session={None: {"REMOTE_USER": "ada", "REMOTE_ORGS": "1"}})
    client = system.client(via="front")
    client.subscribe("test")
    system.publish("test", {"via": "apache"})
    equal(client.publication()["data"], {"via": "apache"}, "what arrives")
    equal(system.http("GET", "/api/ping").body, b'{"result":{}}', "ping")
    has(system.http("GET", "/api/v1/centrifugo/token").json(), "token", "the token endpoint")


def test_a_peer_that_hangs_up_midway(test):
    """FastCGI peers that send half a request and go, or garbage, harm nobody."""
    system = System(test)
    begin = b"\x01\x01\x00\x01\x00\x08\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00"
    params = b"\x0e\x03CONTENT_LENGTH999\x0e\x04REQUEST_METHODPOST"
    params = b"\x01\x04\x00\x01" + len(params).to_bytes(2, "big") + b"\x00\x00" + params
    pieces = [b"", begin[:5], begin, begin + params, begin + params + b"\x01\x04\x00\x01\x00\x00\x00\x00",
              begin + params + b"\x01\x04\x00\x01\x00\x00\x00\x00\x01\x05\x00\x01\x00\x05\x00\x00{\"cha",
              b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 1000, b"\x00" * 1000]
    for number in range(4 * len(pieces)):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(system.api_socket)
            peer.sendall(pieces[number % len(pieces)])
    equal(system.publish("test", 1), {}, "publish afterwards")
    held = []
    for _ in range(30):  # more than there are threads
        peer = socket.socket(socket.AF_UNIX)
        test.on_end(peer.close)
        peer.connect(system.api_socket)
        peer.sendall(begin + params)
        held.append(peer)
    equal(system.publish("test", 2), {}, "publish while others hold half a request open")


def test_large_requests(test):
    """A body of 8 MB is a body; what is over the limit gets a clear status, not silence."""
    system = System(test, front="nginx")
    client = system.client()
    client.subscribe("test")
    data = "x" * (8 << 20)
    reply = system.http("POST", "/api/publish", json.dumps({"channel": "test", "data": data}), {"X-API-Key": API_KEY})
    check(reply.status in (200, 413), "8 MB: %r" % reply)
    if reply.status == 200:
        equal(len(client.publication()["data"]), len(data), "what arrives")
    equal(system.publish("other", 1), {}, "publish afterwards")
