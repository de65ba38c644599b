# SPDX-License-Identifier: Apache-2.0
"""Bounds on durations that hold on a busy machine, too, because it is known how long the machine let nobody run.

Two things are measured. A bystander, a process of its own that uses no part of the product, wants to run every few
milliseconds; what that takes longer than it should is time that the machine lost. And the kernel tells how long each
thread of the test and of its programs was ready to run and had to wait for a processor. A bound is extended by what was
lost and by the longest of these waits; not by all of them, because most threads are busy with something else. On a machine
that keeps up that is next to nothing.
"""
import mmap
import os
import struct
import subprocess
import sys
import time

from harness.check import Failure
from harness.wait import PATIENCE, wait_for

# The programs that a call passes through, one after the other: each may meet what the bystander met.
TURNS = 3
# From here on the machine may have let a timer of the product or of the test run out: a pause, and what was lost or
# waited for in each second.
STALL_SECONDS, LOST_SHARE, WAITED_SHARE = 0.2, 0.2, 0.5
LAYOUT = struct.Struct("=ddd")  # when it was written, what was lost until then, the longest loss at once
PERIOD, MOMENT = 0.01, 0.003

BYSTANDER = """
import mmap, select, struct, sys, time
memory = mmap.mmap(int(sys.argv[1]), 0)
period, lost, longest = float(sys.argv[2]), 0.0, 0.0
while True:
    begun, used = time.monotonic(), time.process_time()
    if select.select([0], [], [], period)[0]:
        break
    now = time.monotonic()
    late = max(0.0, now - begun - period - 0.0005 - (time.process_time() - used))
    lost, longest = lost + late, max(longest, late)
    struct.pack_into("=ddd", memory, 0, now, lost, longest)
"""


class Mark:
    """A moment on a clock: what had been lost and waited for until then."""

    def __init__(self, at, lost, waited):
        self.at, self.lost, self.waited = at, lost, waited


def listed(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []  # it has ended


def told(path):
    try:
        with open(path, encoding="ascii") as source:
            return source.read().split()
    except OSError:
        return []  # it has ended, or this kernel does not tell


def waits(pid):
    """(thread, seconds) of a process and its children: how long each waited for a processor in its life."""
    for thread in listed("/proc/%d/task" % pid):
        folder = "/proc/%d/task/%s/" % (pid, thread)
        fields = told(folder + "schedstat")
        if len(fields) > 1:
            yield thread, int(fields[1]) / 1e9
        for child in told(folder + "children") if pid != os.getpid() else []:
            yield from waits(int(child))


class Clock:
    """Ends by stop(). Programs are made known by watch()."""

    def __init__(self):
        self.pids = [os.getpid()]
        handle = os.memfd_create("clock")
        os.ftruncate(handle, LAYOUT.size)
        self.memory = mmap.mmap(handle, LAYOUT.size)
        self.process = subprocess.Popen([sys.executable, "-I", "-S", "-c", BYSTANDER, str(handle), str(PERIOD)],
                                        stdin=subprocess.PIPE, pass_fds=[handle])
        os.close(handle)
        wait_for(lambda: self._read()[0], "the bystander runs")
        self.begun = self.mark()

    def watch(self, pid):
        self.pids.append(pid)

    def _read(self):
        return LAYOUT.unpack_from(self.memory)

    def mark(self):
        waited = dict(pair for pid in list(self.pids) for pair in waits(pid))
        now = time.monotonic()
        written, lost, _ = self._read()
        # It may be waiting for its turn just now.
        return Mark(now, lost + max(0.0, now - written - PERIOD - MOMENT), waited)

    def took(self, since):
        """Seconds since a mark, how many of them the machine lost, and how long one thread waited, that which waited most."""
        now = self.mark()
        waited = [seconds - since.waited.get(thread, 0.0) for thread, seconds in now.waited.items()]
        return now.at - since.at, max(0.0, now.lost - since.lost), max([0.0, *waited])

    def left(self, since, seconds):
        """What is left of so many seconds after a mark; what the machine is to blame for is not counted."""
        took = time.monotonic() - since.at
        if took <= seconds:
            return seconds - took
        took, lost, waited = self.took(since)
        return seconds + TURNS * lost + waited - took

    def at_most(self, since, seconds, what):
        """Claims that no more than that has passed since a mark."""
        if self.left(since, seconds) < 0:
            raise Failure("%s took %.3f s, of which the machine lost %.3f and a program waited for %.3f; %g s are the bound"
                          % ((what() if callable(what) else what), *self.took(since), seconds))

    def wait_for(self, since, seconds, condition, what, alive=()):
        """wait_for with a bound that is a promise."""
        def holds():
            result = condition()
            if not result:
                self.at_most(since, seconds, what)
            return result
        return wait_for(holds, what, PATIENCE + seconds, alive)

    def stalled(self):
        """Whether the machine stood still or was busy with others for so long that timers may have run out; in words."""
        took, lost, waited = self.took(self.begun)
        longest = max(self._read()[2], self.mark().lost - self._read()[1])
        if longest < STALL_SECONDS and lost < LOST_SHARE * took and waited < WAITED_SHARE * took:
            return None
        return ("in %.2f s the machine stood still for %.2f s, for up to %.2f s at once, and a program waited for %.2f s"
                % (took, lost, longest, waited))

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(PATIENCE)
