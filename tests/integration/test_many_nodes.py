# SPDX-License-Identifier: Apache-2.0
"""A cluster of twenty nodes, of which some are slow or dead: info and channels never hang."""
from harness import System, check, equal, limit, timed, wait_for
from model.nodes import FakeNodes

FAKES = 18  # and two that are real
SLOW_SECONDS = 0.3
# For what is not waiting; with SLOW_SECONDS it is still well below the second that a call waits for a dead node.
GRACE_SECONDS = 0.4
BOUND_SECONDS = 1.2
FORGOTTEN_SECONDS = 7.0
TRIES = 5
CHANNEL = "org:1:messages"


class Caller:
    """Calls methods of the API and knows how long they took, without what the machine lost."""

    def __init__(self, test, system):
        self.clock, self.system = test.clock, system

    def within(self, seconds, method, what):
        begun = self.clock.mark()
        result = self.system.result(method)
        self.clock.at_most(begun, seconds, what)
        return result

    def fastest(self, seconds, method, what):
        """One of several calls has to be as fast as that: programs that share the machine with this test delay one or the
        other. Returns the longest answer, for the same reason."""
        results, lefts = [], []
        for _ in range(TRIES):
            begun = self.clock.mark()
            results.append(self.system.result(method))
            lefts.append(self.clock.left(begun, seconds))
        check(max(lefts) >= 0, "%s took at least %.3f s; %g s are the bound" % (what, seconds - max(lefts), seconds))
        return max(results, key=lambda result: len(next(iter(result.values()))))

    def wait_nodes(self, count, since, what):
        """Until info names so many nodes, in the time that the others take to be forgotten."""
        self.clock.wait_for(since, FORGOTTEN_SECONDS + 1.5, lambda: len(self.system.result("info")["nodes"]) == count, what)


@timed
@limit(90)
def test_slow_and_dead_nodes(test):
    """The slowest node that answers decides how long a call takes; a dead one costs a second, for 7 s, and nothing then."""
    first = System(test)
    second = System(test, front=None, node="second", redis_port=first.redis_port)
    fakes = FakeNodes(test, ("127.0.0.1", first.redis_port), FAKES, SLOW_SECONDS)
    wait_for(lambda: len(first.result("info")["nodes"]) == FAKES + 2, "all nodes are known")
    for system in (first, second):
        system.client("ada").subscribe(CHANNEL)
    first.wait_subscribers(CHANNEL, 2)
    caller = Caller(test, first)

    caller.fastest(GRACE_SECONDS, "info", "info")
    begun = test.clock.mark()
    first.result("channels")
    check(test.clock.took(begun)[0] >= SLOW_SECONDS, "channels waits for the slow node")
    result = caller.fastest(SLOW_SECONDS + GRACE_SECONDS, "channels", "channels")
    equal(result["channels"]["fake"], {"num_clients": FAKES}, "a channel on all fake nodes")
    equal(result["channels"][CHANNEL], {"num_clients": 2}, "a channel on both real nodes")
    equal(len(result["channels"]), FAKES + 2, "channels")

    second.pushd.kill()
    killed = test.clock.mark()
    result = caller.within(BOUND_SECONDS, "channels", "channels with a dead node")
    equal(result["channels"][CHANNEL], {"num_clients": 1}, "what the other nodes have")
    equal(result["channels"]["fake"], {"num_clients": FAKES}, "what the other nodes have")
    first.api.wait_log(r"a node does not answer, the call goes on without it")
    result = caller.fastest(GRACE_SECONDS, "info", "info with a dead node")
    if test.clock.took(killed)[0] < FORGOTTEN_SECONDS - 4:
        equal(len(result["nodes"]), FAKES + 2, "info while the dead one is not forgotten")
    caller.wait_nodes(FAKES + 1, killed, "the dead node is forgotten")
    caller.fastest(SLOW_SECONDS + GRACE_SECONDS, "channels", "channels without it")

    fakes.die()
    died = test.clock.mark()
    result = caller.within(BOUND_SECONDS, "channels", "channels with %d dead nodes" % FAKES)
    equal(result["channels"], {CHANNEL: {"num_clients": 1}}, "what is left")
    caller.wait_nodes(1, died, "the others are forgotten, too")
    caller.fastest(GRACE_SECONDS, "channels", "channels of one node")


@timed
@limit(90)
def test_nobody_answers(test):
    """When all nodes are dead, channels says so within a second instead of showing an empty system."""
    system = System(test)
    system.pushd.kill()
    begun = test.clock.mark()
    reply = system.call_api("channels")
    test.clock.at_most(begun, BOUND_SECONDS, "channels")
    equal(reply.json()["error"]["code"], 100, "channels: %r; code" % reply)
    check("no node answered" in reply.json()["error"]["message"], "the error explains itself: %r" % reply)
