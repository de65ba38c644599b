# SPDX-License-Identifier: Apache-2.0
"""Waiting by condition, with a deadline. The only place where a test pauses."""
import time

from harness.check import Failure

PAUSE = 0.01


def wait_for(condition, what, seconds=10.0, alive=()):
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
