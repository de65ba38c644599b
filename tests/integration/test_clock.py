# SPDX-License-Identifier: Apache-2.0
"""The measure of the machine is measured: a bound is a bound, and only what the machine lost extends it."""
import os
import signal
import subprocess
import sys

from harness import PATIENCE, Failure, Process, Skip, check, clocked, equal, has, wait_for
from harness.clock import STALL_SECONDS, TURNS, Mark

HERE = os.path.dirname(os.path.abspath(__file__))
# What stands still is the bystander alone: for it, that is the machine.
EXAMPLES = """
import os, signal, time
from harness import check, timed, wait_for

def stand_still(clock):
    os.kill(clock.process.pid, signal.SIGSTOP)
    begun = clock.mark()
    wait_for(lambda: clock.took(begun)[1] > 0.5, "the machine stands still")
    os.kill(clock.process.pid, signal.SIGCONT)

def count(test):
    with open(%(log)r, "a") as log:
        log.write(test.name + "\\n")

@timed
def test_always_late(test):
    count(test)
    stand_still(test.clock)
    check(False, "always late")

@timed
def test_late_once(test):
    count(test)
    with open(%(log)r) as log:
        is_first = log.read().split().count(test.name) == 1
    if is_first:
        stand_still(test.clock)
        check(False, "late once")

@timed
def test_wrong(test):
    count(test)
    test.clock.stalled = lambda: None
    check(False, "wrong")

def test_not_timed(test):
    count(test)
    check(False, "not timed")
"""


def past(clock, seconds):
    """A mark of so long ago, as if the machine had lost nothing since."""
    now = clock.mark()
    return Mark(now.at - seconds, now.lost, now.waited)


def fails(claim):
    try:
        claim()
    except Failure as problem:
        return str(problem)
    return ""


@clocked
def test_a_bound_is_a_bound(test):
    """What took too long is found out, what did not is not."""
    clock = test.clock
    has(fails(lambda: clock.at_most(past(clock, 50), 2, "waiting")), "waiting took 50.", "a claim that does not hold")
    equal(fails(lambda: clock.at_most(past(clock, 1), 50, "waiting")), "", "one that does")
    has(fails(lambda: clock.wait_for(past(clock, 50), 2, lambda: False, "waiting")), "waiting took 50.", "waiting in vain")


@clocked
def test_what_the_machine_lost_is_not_counted(test):
    """While the bystander is kept from running, bounds move, and the stall is told."""
    clock = test.clock
    begun = clock.mark()
    os.kill(clock.process.pid, signal.SIGSTOP)
    wait_for(lambda: clock.took(begun)[1] > 2 * STALL_SECONDS, "the stall is noticed while it lasts")
    os.kill(clock.process.pid, signal.SIGCONT)
    took, lost, _ = clock.took(begun)
    check(clock.left(begun, 0.1) > 0.1 - took + TURNS * lost - 0.1, "the bound is extended")
    wait_for(lambda: clock._read()[2] > STALL_SECONDS, "the bystander goes on")
    has(clock.stalled() or "", "stood still", "what is said of the machine")


@clocked
def test_what_a_program_waits_for_is_not_counted(test):
    """Two that want the same processor wait for each other, and that is told of the one that is watched."""
    clock, busy = test.clock, [sys.executable, "-S", "-c", "import os; os.sched_setaffinity(0, [%d]); print()\nwhile 1: pass"
                               % min(os.sched_getaffinity(0))]
    one, other = (test.add(Process(name, busy, test.dir, clean=(-signal.SIGTERM,))) for name in ("one", "other"))
    one.wait_log("\n")
    other.wait_log("\n")
    begun = clock.mark()
    if not begun.waited:
        raise Skip("this kernel does not tell how long threads wait")
    wait_for(lambda: clock.took(begun)[2] > 0.5, "they wait for each other")
    took, lost, waited = clock.took(begun)
    check(clock.left(begun, 0.1) > 0.1 - took + TURNS * lost + waited - 0.1, "the bound is extended")


def test_only_who_is_late_is_repeated(test):
    """A timed test that fails while the machine stands still is repeated, and skipped in the end; others fail."""
    folder, log = os.path.join(test.dir, "examples"), os.path.join(test.dir, "ran")
    os.mkdir(folder)
    with open(os.path.join(folder, "test_example.py"), "w", encoding="utf-8") as target:
        target.write(EXAMPLES % {"log": log})
    done = subprocess.run([sys.executable, "-B", os.path.join(HERE, "run.py"), folder], capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    has(done.stdout, "FAIL", "what run.py says")
    ends = {line.split()[2]: line.split()[0] for line in done.stdout.splitlines() if line[:4] in ("ok  ", "FAIL", "skip")}
    with open(log, encoding="utf-8") as source:
        runs = source.read().split()
    equal({name[8:]: (end, runs.count(name)) for name, end in ends.items()},
          {"always_late": ("skip", 3), "late_once": ("ok", 2), "wrong": ("FAIL", 1), "not_timed": ("FAIL", 1)},
          "how each ended, and how often it ran:\n" + done.stdout)
