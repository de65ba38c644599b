# SPDX-License-Identifier: Apache-2.0
"""The official JavaScript SDK, unmodified from npm, against the whole system."""
import json
import os

from harness import BASE, Process, Skip, System, check, equal, find_program, limit, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
CHANNEL = "org:123:messages"
COUNT = 10000
OTHERS = 200


def node_client(test, system, count, others):
    modules = os.environ.get("PUSHD_NODE", "")
    for package in ("centrifuge", "ws"):
        if not os.path.isdir(os.path.join(modules, "node_modules", package)):
            raise Skip("the npm package %s is not installed" % package)
    argv = [find_program("node"), os.path.join(HERE, "sdk.js"), "ws://127.0.0.1:%d/connection/websocket" % system.port,
            system.url + "/api/v1/centrifugo/token", "sid=ada", CHANNEL, str(count), str(others)]
    return test.add(Process("sdk", argv, test.dir, env={**system.env, "PUSHD_NODE": modules}))


def said(process, what):
    lines = [json.loads(line) for line in process.log().splitlines() if line.startswith('{"what"')]
    errors = [line["text"] for line in lines if line["what"] == "error"]
    equal(errors, [], "what a client complains about")
    return any(line["what"] == what for line in lines)


def everything_in_order(test, front, compression=False, **options):
    config = {"websocket": {"compression": compression},
              "pushd": {"token": {"channels": ["org:{org}:messages"], "channels_as": "permission"}},
              "channel": {"namespaces": [{**BASE["channel"]["namespaces"][0], **options}]}}
    system = System(test, config, front=front, session={"sid=ada": {"REMOTE_USER": "ada", "REMOTE_ORGS": "123"}})
    sdk = node_client(test, system, COUNT, OTHERS)
    wait_for(lambda: said(sdk, "ready"), "all clients are subscribed", 300, alive=[sdk])
    equal(system.result("channels")["channels"][CHANNEL]["num_clients"], OTHERS + 1, "subscribers")
    publish = system.publisher()
    for number in range(COUNT):
        reply = publish(CHANNEL, b'{"n":%d}' % number)
        check(reply.status == 200 and b'"result"' in reply.body, "publication %d: %r" % (number, reply))
    wait_for(lambda: said(sdk, "done"), lambda: "everybody has everything; the last words: %r" % sdk.log()[-300:], 600)
    equal(sdk.wait_exit(), 0, "the clients' status")


@limit(300)
def test_sdk_and_200_others_through_lighttpd(test):
    """Token from the token endpoint, org:123:messages, 10,000 messages in order, none lost, 200 other clients beside."""
    everything_in_order(test, "lighttpd")


@limit(300)
def test_sdk_and_200_others_through_nginx(test):
    """The same through nginx, compressed, and with numbers instead of the channel's name for the SDK, which asks for them."""
    everything_in_order(test, "nginx", compression=True, allow_channel_compaction=True)
