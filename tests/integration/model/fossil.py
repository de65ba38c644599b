# SPDX-License-Identifier: Apache-2.0
"""Applying a Fossil delta: what a client does with a patch."""

DIGITS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"
VALUES = {digit: value for value, digit in enumerate(DIGITS)}


def checksum(data):
    """The sum of the 32-bit words, big-endian, the last one filled up with zeros."""
    data += b"\0" * (-len(data) % 4)
    return sum(int.from_bytes(data[at:at + 4], "big") for at in range(0, len(data), 4)) & 0xffffffff


def apply(base, delta):
    """The text that the patch makes of the base. ValueError when it does not fit."""
    at = 0

    def number():
        nonlocal at
        value = 0
        while at < len(delta) and delta[at] in VALUES:
            value = value * 64 + VALUES[delta[at]]
            at += 1
        if at == len(delta):
            raise ValueError("the patch ends within a number")
        at += 1
        return value, delta[at - 1:at]

    size, end = number()
    if end != b"\n":
        raise ValueError("no size at the beginning of the patch")
    out = b""
    while True:
        value, verb = number()
        if verb == b"@":
            start, end = number()
            if end != b"," or start + value > len(base):
                raise ValueError("the patch copies from outside of its base")
            out += base[start:start + value]
        elif verb == b":":
            out += delta[at:at + value]
            at += value
        elif verb == b";":
            if len(out) != size or checksum(out) != value:
                raise ValueError("the patch does not belong to this base")
            return out
        else:
            raise ValueError("an unknown verb %r in the patch" % verb)
