# SPDX-License-Identifier: Apache-2.0
"""The server libraries cent (PyPI) and cent.js (npm), unmodified, call every method once through nginx."""
import asyncio
import json
import os
import re
import subprocess
import sys
import time

from harness import API_KEY, PATIENCE, System, check, equal, find_program, limit, starts, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from libraries import library  # noqa: E402

CHANNEL, OTHER = "lib:one", "lib:two"
CONFIG = {"channel": {"namespaces": [
    {"name": "lib", "allow_subscribe_for_client": True, "presence": True, "history_size": 100, "history_ttl": "300s"},
]}}


class Refused(Exception):
    """What a library made of an error answer: its code where the library tells it, else None."""

    def __init__(self, code=None):
        super().__init__("refused with %s" % code)
        self.code = code


def refused(call, code, method, **params):
    """The call has to fail; the code is compared if the library has it."""
    try:
        result = call(method, **params)
    except Refused as error:
        check(error.code in (None, code), "%s: refused with %s, not with %d" % (method, error.code, code))
        return
    check(False, "%s %r was not refused: %r" % (method, params, result))


# ------------------------------------------------------------------------------- the methods, one by one

def publications(client, call):
    first = call("publish", channel=CHANNEL, data={"n": 1}, tags={"kind": "a"})
    equal((first["offset"], len(first["epoch"]) > 0), (1, True), "publish")
    pub = client.publication()
    equal((pub["data"], pub["tags"]), ({"n": 1}, {"kind": "a"}), "the publication")
    refused(call, 102, "publish", channel="nowhere:one", data={})

    answer = call("broadcast", channels=[CHANNEL, OTHER, "nowhere:one"], data={"n": 2})["responses"]
    equal([item["result"]["offset"] for item in answer[:2]], [2, 1], "broadcast")
    equal(answer[2]["error"]["code"], 102, "broadcast to a channel of no namespace")
    starts(answer[2]["error"]["message"], "unknown channel", "what is said about it")
    equal(client.publication()["data"], {"n": 2}, "the broadcast")
    return first["epoch"]


def history(call, epoch):
    found = call("history", channel=CHANNEL, limit=10)
    equal([(pub["offset"], pub["data"]) for pub in found["publications"]], [(1, {"n": 1}), (2, {"n": 2})], "history")
    equal((found["offset"], found["epoch"]), (2, epoch), "position")
    equal(found["publications"][0]["tags"], {"kind": "a"}, "tags in history")
    since = {"channel": CHANNEL, "limit": 10, "since": {"offset": 1, "epoch": epoch}}
    equal([pub["offset"] for pub in call("history", **since)["publications"]], [2], "history since")
    found = call("history", channel=CHANNEL, limit=1, reverse=True)
    equal([pub["offset"] for pub in found["publications"]], [2], "history reversed")
    refused(call, 112, "history", channel=CHANNEL, limit=1, since={"offset": 1, "epoch": "other"})
    call("history_remove", channel=CHANNEL)
    found = call("history", channel=CHANNEL, limit=10)
    equal((found["publications"], found["offset"]), ([], 2), "history after history_remove")


def presence(client, call):
    equal(call("presence", channel=CHANNEL)["presence"][client.client_id]["user"], "ada", "presence")
    stats = call("presence_stats", channel=CHANNEL)
    equal((stats["num_clients"], stats["num_users"]), (1, 1), "presence_stats")
    refused(call, 108, "presence", channel="plain")
    equal(call("channels", pattern="lib:*")["channels"][CHANNEL]["num_clients"], 1, "channels")
    equal(call("channels", pattern="nothing*")["channels"], {}, "channels of another pattern")
    nodes = call("info")["nodes"]
    equal(len(nodes), 1, "nodes")
    equal([nodes[0][name] for name in ("num_clients", "num_users", "num_channels")], [1, 1, 1], "info")
    check(len(nodes[0]["uid"]) == 36 and nodes[0]["name"] and nodes[0]["version"], "node: %r" % nodes[0])


def control(system, client, call):
    call("subscribe", user="ada", channel=OTHER, data={"hello": 1})
    push = client.recv()["push"]
    equal((push["channel"], push["subscribe"]["data"]), (OTHER, {"hello": 1}), "subscribe push")
    call("unsubscribe", user="ada", channel=OTHER)
    push = client.recv()["push"]
    equal((push["channel"], push["unsubscribe"]["code"]), (OTHER, 2000), "unsubscribe push")
    at = int(time.time()) + 1000
    call("refresh", user="ada", client=client.client_id, expire_at=at)
    push = client.recv()["push"]
    check(push["refresh"]["expires"] and 990 < push["refresh"]["ttl"] <= 1000, "refresh push: %r" % push)
    call("disconnect", user="nobody")
    call("disconnect", user="ada", disconnect={"code": 4500, "reason": "enough"})
    equal(client.expect_close(), (4500, "enough"), "disconnect")
    call("refresh", user="bob", expired=True)
    wait_for(lambda: system.result("info")["nodes"][0]["num_clients"] == 0, "the client is gone from info")
    check(system.pushd.running() and system.api.running(), "both programs live")


def every_method(system, call):
    """call(method, **params) returns the result or raises Refused."""
    client = system.client("ada")
    client.subscribe(CHANNEL)
    system.wait_subscribers(CHANNEL, 1)
    wait_for(lambda: system.result("info")["nodes"][0]["num_channels"] == 1, "info knows of the channel")
    epoch = publications(client, call)
    presence(client, call)
    history(call, epoch)
    control(system, client, call)


# ------------------------------------------------------------------------------------- cent from PyPI

def cent(test):
    sys.path.insert(0, library("python"))
    import cent as package  # pylint: disable=import-outside-toplevel
    return package, System(test, CONFIG, front="nginx")


def request_class(package, method):
    return getattr(package.dto, "".join(word.capitalize() for word in method.split("_")) + "Request")


def cent_caller(package, run):
    """A call as every_method wants it; `run` gives a request object to the client."""
    used = set()

    def call(method, **params):
        used.add(method)
        try:
            return run(method, request_class(package, method)(**params)).model_dump(exclude_none=True)
        except package.CentApiResponseError as error:
            raise Refused(error.code) from error
    return call, used


def batches(package, client):
    requests = [package.PublishRequest(channel=OTHER, data={"n": number}) for number in range(1, 4)]
    requests.append(package.PresenceStatsRequest(channel=OTHER))
    before = client.history(package.HistoryRequest(channel=OTHER)).offset
    for parallel in (False, True):
        replies = client.batch(package.BatchRequest(requests=requests, parallel=parallel)).replies
        equal(sorted(reply.offset for reply in replies[:3]), [before + 1, before + 2, before + 3], "offsets of a batch")
        equal((replies[3].num_clients, replies[3].num_users), (0, 0), "presence_stats in a batch")
        before += 3


# What the reference server sells separately; it has no address there either.
COMMERCIAL = {
    "connections": {"user": "ada", "expression": ""}, "update_user_status": {"users": ["ada"]},
    "get_user_status": {"users": ["ada"]}, "delete_user_status": {"users": ["ada"]}, "block_user": {"user": "ada"},
    "unblock_user": {"user": "ada"}, "revoke_token": {"uid": "1"}, "invalidate_user_tokens": {"user": "ada"},
    "device_register": {"provider": "fcm", "token": "t", "platform": "web"}, "device_update": {}, "device_remove": {},
    "device_list": {}, "device_topic_list": {}, "device_topic_update": {"device_id": "d", "op": "add", "topics": []},
    "user_topic_list": {}, "user_topic_update": {"user": "ada", "op": "add", "topics": []},
    "send_push_notification": None, "update_push_status": {"analytics_uid": "a", "status": "delivered"},
    "cancel_push": {"uid": "1"},
}


def commercial(package, client):
    notification = package.dto.PushNotification(fcm=package.dto.FcmPushNotification(message={}))
    for method, params in COMMERCIAL.items():
        if params is None:
            params = {"recipient": package.dto.PushRecipient(fcm_topic="t"), "notification": notification}
        try:
            getattr(client, method)(request_class(package, method)(**params))
            check(False, method + " was not refused")
        except package.CentTransportError as error:
            equal(error.status_code, 404, "status of " + method)


@limit(300)
def test_cent_from_pypi(test):
    """Every method of the Python library's client, and its way to say that the key is wrong."""
    package, system = cent(test)
    with package.Client(system.url + "/api", API_KEY) as client:
        call, used = cent_caller(package, lambda method, request: getattr(client, method)(request))
        every_method(system, call)
        batches(package, client)
        commercial(package, client)
        methods = {name for name in dir(package.Client) if not name.startswith("_")}
        equal(methods - used - set(COMMERCIAL), {"batch", "close"}, "methods that no test calls")
    with package.Client(system.url + "/api", "wrong") as client:
        try:
            client.info(package.InfoRequest())
            check(False, "a wrong key was accepted")
        except package.CentUnauthorizedError:
            pass


@limit(300)
def test_cent_async_from_pypi(test):
    """The same methods with the asynchronous client."""
    package, system = cent(test)
    loop = asyncio.new_event_loop()
    test.on_end(loop.close)

    async def start():
        return package.AsyncClient(system.url + "/api", API_KEY)
    client = loop.run_until_complete(start())
    call, _ = cent_caller(package, lambda method, request: loop.run_until_complete(getattr(client, method)(request)))
    try:
        every_method(system, call)
    finally:
        loop.run_until_complete(client.close())


# ------------------------------------------------------------------------------------ cent.js from npm

# Its own names for some methods.
CENT_JS = {"presence": "getPresence", "presence_stats": "getPresenceStats", "history": "getHistory",
           "history_remove": "removeHistory", "channels": "getChannels", "info": "getInfo"}


def cent_js(test, system, folder, used):
    def run(method, params):
        used.add(method)
        done = subprocess.run([find_program("node"), os.path.join(HERE, "cent_call.js"), folder, system.url + "/api", API_KEY,
                               method, json.dumps(params)], env=system.env, cwd=test.dir, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=PATIENCE, check=False)
        equal((done.returncode, done.stderr), (0, b""), "how node ends")
        answer = json.loads(done.stdout)
        if "error" in answer:
            raise Refused()
        return answer["result"]
    return run


@limit(300)
def test_cent_js_from_npm(test):
    """Every method of the JavaScript library, and its pipeline at the single endpoint."""
    folder = library("node")
    system = System(test, CONFIG, front="nginx")
    used = set()
    run = cent_js(test, system, folder, used)
    every_method(system, lambda method, **params: run(CENT_JS.get(method, method), params))
    answers = run("pipeline", [{"method": "publish", "params": {"channel": "lib:three", "data": {"n": 1}}},
                               {"method": "broadcast", "params": {"channels": ["lib:three", OTHER], "data": {"n": 2}}},
                               {"method": "history", "params": {"channel": "lib:three", "limit": 5}}])
    equal(answers[0]["offset"], 1, "publish in a pipeline")
    equal(len(answers[1]["responses"]), 2, "broadcast in a pipeline")
    equal([pub["data"]["n"] for pub in answers[2]["publications"]], [1, 2], "history in a pipeline")
    with open(os.path.join(folder, "node_modules", "cent.js", "dist", "cent.client.js"), encoding="utf-8") as source:
        methods = set(re.findall(r"this\.(\w+) = this\.methodFactory", source.read()))
    equal(methods - used, set(), "methods that no test calls")
