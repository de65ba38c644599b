# SPDX-License-Identifier: Apache-2.0
"""Application data crosses the system as the bytes its sender wrote."""
import os

from harness import System, equal, has, starts
from harness.browser import Browser

PAYLOAD = r'{"n":12345678901234567890,"x":1e400,"y":0.1000,"dup":1,"dup":2,"s":"\u0000\/é"}'
CHANNEL = "org:123:messages"
PUBLICATION = '{"push":{"channel":"org:123:messages","pub":{"data":' + PAYLOAD + ',"offset":1'


def post_raw(system, text):
    reply = system.http("POST", "/api/publish", '{"channel":"%s","data":%s}' % (CHANNEL, text),
                        {"X-API-Key": system.api_key})
    equal(reply.status, 200, "publish %r: status" % reply)
    return reply


def test_from_the_api_to_a_socket(test):
    """POST /api/publish: the frame that a subscriber gets has the payload byte for byte."""
    system = System(test)
    client = system.client()
    client.subscribe(CHANNEL)
    post_raw(system, PAYLOAD)
    starts(client.recv_raw(), PUBLICATION, "the frame")


def test_through_lighttpd_and_nginx(test):
    """The web server in front changes nothing either."""
    for front in ("lighttpd", "nginx"):
        system = System(test, front=front, node=front)
        client = system.client(via="front")
        client.subscribe(CHANNEL)
        post_raw(system, PAYLOAD)
        starts(client.recv_raw(), PUBLICATION, "the frame through " + front)


def test_from_client_to_client(test):
    """A client's publish arrives byte for byte."""
    system = System(test, front=None)
    reader, writer = system.client("ada"), system.client("bob")
    reader.subscribe(CHANNEL)
    writer.send_text('{"id":77,"publish":{"channel":"%s","data":%s}}' % (CHANNEL, PAYLOAD))
    equal(writer.recv_raw(), '{"id":77,"publish":{}}', "the writer's reply")
    got = reader.recv_raw()
    has(got, '"data":' + PAYLOAD + ",", "the frame")
    has(got, '"user":"bob"', "the frame")


def test_in_history(test):
    """history over the client protocol gives the exact bytes; the server API compacts only (there is nothing to compact)."""
    system = System(test)
    client = system.client()
    client.subscribe(CHANNEL)
    post_raw(system, PAYLOAD)
    client.recv_raw()
    client.send_text('{"id":5,"history":{"channel":"%s","limit":10}}' % CHANNEL)
    has(client.recv_raw(), '"publications":[{"data":' + PAYLOAD + ',"offset":1}]', "history for a client")
    reply = system.call_api("history", {"channel": CHANNEL, "limit": 10})
    has(reply.body.decode(), '"data":' + PAYLOAD, "history of the API")


def test_inner_white_space_stays(test):
    """Blanks in a payload stay; only raw newlines go, because a newline separates messages."""
    system = System(test)
    client = system.client()
    client.subscribe(CHANNEL)
    post_raw(system, '{ "a" :\t[ 1,\n 2 ] }')
    has(client.recv_raw(), '"data":{ "a" :\t[ 1, 2 ] }', "the frame")


def test_every_kind_of_value(test):
    """Any JSON value is a payload, null, strings and numbers as well."""
    system = System(test)
    client = system.client()
    client.subscribe(CHANNEL)
    for text in ("null", "true", '"<&>\u2028"', "0", "-0.0", "[]", "[[[]]]", '""', "1E-400", r'"\ud800"'):
        post_raw(system, text)
        has(client.recv_raw(), '"data":%s,' % text, "the frame")


def test_deeply_nested(test):
    """A payload of many levels is a payload: from the API, from a client, in history."""
    system = System(test)
    client = system.client()
    client.subscribe(CHANNEL)
    text = '{"a":[' * 250 + "1" + "]}" * 250
    post_raw(system, text)
    has(client.recv_raw(), '"data":%s,' % text, "the frame")
    client.send_text('{"id":50,"publish":{"channel":"%s","data":%s}}' % (CHANNEL, text))
    got = [client.recv_raw() for _ in range(2)]
    has("".join(got), '"data":%s,' % text, "the frame of a client's publication")
    has("".join(got), '{"id":50,"publish":{}}', "the reply")
    client.send({"id": 51, "history": {"channel": CHANNEL, "limit": 1}})
    has(client.recv_raw(), '"data":%s,' % text, "history")


def test_large_payload(test):
    """A message of a megabyte arrives whole."""
    system = System(test)
    client = system.client()
    client.subscribe(CHANNEL)
    text = '"' + "0123456789abcdef" * 60000 + '"'
    post_raw(system, text)
    has(client.recv_raw(), '"data":%s,' % text, "the frame")


def test_to_a_browser(test):
    """The same bytes reach a page in a real browser."""
    system = System(test, {"client": {"allowed_origins": ["*"], "allow_anonymous_connect_without_token": True},
                           "channel": {"without_namespace": {"allow_subscribe_for_anonymous": True}}})
    with open(os.path.join(system.dir, "www", "index.html"), "w", encoding="utf-8") as page:
        page.write("<!doctype html><title>bytes</title>")
    browser = Browser(test)
    browser.open(system.url + "/")
    browser.paste("""
        const ws = new WebSocket('ws://127.0.0.1:%d/connection/websocket');
        window.frames_seen = [];
        ws.onmessage = (e) => window.frames_seen.push(e.data);
        ws.onopen = () => ws.send('{"id":1,"connect":{}}\\n{"id":2,"subscribe":{"channel":"plain"}}');
    """ % system.port)
    browser.wait("window.frames_seen.join('\\n').includes('\"id\":2,\"subscribe\"')")
    reply = system.http("POST", "/api/publish", '{"channel":"plain","data":%s}' % PAYLOAD, {"X-API-Key": system.api_key})
    equal(reply.body, b'{"result":{}}', "publish")
    browser.wait("window.frames_seen.join('\\n').includes('pub')")
    seen = browser.evaluate("window.frames_seen.join('\\n')").split("\n")
    equal(seen[-1], '{"push":{"channel":"plain","pub":{"data":%s}}}' % PAYLOAD, "what the page got")
