# SPDX-License-Identifier: Apache-2.0
"""Waiting by condition, with a deadline. The only place where a test pauses."""
import time

from harness.check import Failure

PAUSE = 0.01
# Ends what hangs. It claims nothing about speed: a test that passes never waits for so long, on the slowest machine.
# What the product promises is claimed by a Clock (harness/clock.py), which knows how the machine did meanwhile.
PATIENCE = 60.0


def wait_for(condition, what, seconds=PATIENCE, alive=()):
    """Asks until condition() is true and returns what it gave. Processes in `alive` have to live meanwhile."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        for process in alive:
            process.check_alive()
        if time.monotonic() > deadline:
            raise Failure("waited %g s in vain: %s" % (seconds, what() if callable(what) else what))
        time.sleep(PAUSE)
