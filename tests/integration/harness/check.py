# SPDX-License-Identifier: Apache-2.0
"""Claims that end a test when they do not hold, and marks on tests."""


class Failure(AssertionError):
    """A claim that did not hold, in words."""


class Skip(Exception):
    """The test cannot run here; the text says what is missing."""


def check(holds, words):
    if not holds:
        raise Failure(words)


def equal(got, want, what="value"):
    if got != want:
        raise Failure("%s: got %s\n      want %s" % (what, shown(got), shown(want)))


def has(text, part, what="text"):
    """`part` (bytes or str, as the text) stands in the text."""
    if part not in text:
        raise Failure("%s has no %r:\n%s" % (what, part, shown(text)))


def starts(text, beginning, what="text"):
    if not text.startswith(beginning):
        raise Failure("%s: got %s\n      want it to start with %s" % (what, shown(text), shown(beginning)))


def shown(value, most=1500):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= most else text[:most] + "... (%d characters)" % len(text)


def limit(seconds):
    """Marks a test that may take longer than the usual minute, on a machine that keeps up."""
    def mark(function):
        function.time_limit = seconds
        return function
    return mark


def clocked(function):
    """Marks a test that gets test.clock."""
    function.has_clock = True
    return function


def timed(function):
    """Marks a test that gets test.clock and has claims that do not hold when timers of the product run out because the
    machine stands still: if it fails and the machine did stand still, it is repeated."""
    function.is_repeated = True
    return clocked(function)
