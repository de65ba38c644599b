# SPDX-License-Identifier: Apache-2.0
"""Several pushd nodes on one Redis are one system."""
from harness import System, check, equal, wait_for


def two(test):
    first = System(test)
    second = System(test, front=None, node="second", redis_port=first.redis_port)
    wait_for(lambda: len(first.result("info")["nodes"]) == 2, "both nodes are known")
    return first, second


def test_messages_reach_clients_on_both(test):
    """What is posted to one API reaches subscribers on every node, in order."""
    first, second = two(test)
    clients = [first.client("a"), second.client("b")]
    for client in clients:
        client.subscribe("org:1:messages")
    publish = first.publisher()
    for number in range(100):
        equal(publish("org:1:messages", b"%d" % number).status, 200, "publish")
    for client in clients:
        equal([client.publication()["data"] for _ in range(100)], list(range(100)), "what arrives")


def test_figures_are_of_the_whole_cluster(test):
    """channels, presence and info add up both nodes."""
    first, second = two(test)
    a, b = first.client("a"), second.client("b")
    for client in (a, b):
        client.subscribe("org:1:messages")
    first.wait_subscribers("org:1:messages", 2)
    equal(first.result("presence_stats", {"channel": "org:1:messages"}), {"num_clients": 2, "num_users": 2}, "presence")
    users = {info["user"] for info in first.result("presence", {"channel": "org:1:messages"})["presence"].values()}
    equal(users, {"a", "b"}, "users present")
    wait_for(lambda: sorted(node["num_clients"] for node in first.result("info")["nodes"]) == [1, 1],
             "info with a client on each node")
    names = {node["uid"] for node in first.result("info")["nodes"]}
    equal(len(names), 2, "uids")


def test_control_reaches_the_other_node(test):
    """disconnect and unsubscribe act on clients wherever they are."""
    first, second = two(test)
    client = second.client("b")
    client.subscribe("org:1:messages")
    first.result("unsubscribe", {"user": "b", "channel": "org:1:messages"})
    message = client.recv()
    equal(message["push"]["unsubscribe"]["code"], 2000, "unsubscribe push")
    first.result("disconnect", {"user": "b"})
    code, reason = client.expect_close()
    equal(code, 3503, "close code (%s)" % reason)


def test_a_node_that_vanishes_is_forgotten(test):
    """A node that was killed leaves info within the time the registry allows."""
    first, second = two(test)
    client = first.client("a")
    client.subscribe("test")
    second.pushd.kill()
    wait_for(lambda: len(first.result("info")["nodes"]) == 1, "the dead node is gone from info")
    first.publish("test", 1)
    equal(client.publication()["data"], 1, "the other node still serves")
    check(first.pushd.running(), "the other node runs")


def test_one_connection_per_user(test):
    """single_connection: a new connection ends the user's others on every node, and nobody else's."""
    config = {"client": {"subscribe_to_user_personal_channel": {"enabled": True, "single_connection": True}},
              "channel": {"without_namespace": {"presence": True, "allow_user_limited_channels": True}}}
    first = System(test, config)
    second = System(test, config, front=None, node="second", redis_port=first.redis_port)
    wait_for(lambda: len(first.result("info")["nodes"]) == 2, "both nodes are known")
    other = second.client("b")
    clients = [first.client("a")]
    for system in (second, first, first, second):
        clients.append(system.client("a"))
        equal(clients[-2].expect_close(), (3504, "connection limit"), "the end of the connection before")
    clients[-1].subscribe("test")
    wait_for(lambda: first.result("presence_stats", {"channel": "#a"})["num_clients"] == 1, "one connection of a is left")
    other.subscribe("test")
    check(other.silent(), "another user's connection stays")
