# SPDX-License-Identifier: Apache-2.0
"""The checker of the model is checked: honest stories pass, and each doctored one is found out."""
from harness import check, has
from model.fossil import apply
from model.ledger import Ledger, Rule, Violation

NEWS = "news"
RULES = {NEWS: Rule(size=10, ttl=60.0), "cache": Rule(size=1, ttl=60.0, cache=True), "plain": Rule()}
FILTER = {"key": "kind", "cmp": "eq", "val": "a"}


class Story:
    """Tells a ledger of one publisher, whose publication `n` has the offset n, and of one client, a second a step."""

    def __init__(self, channel=NEWS):
        self.ledger, self.channel, self.now, self.session = Ledger(RULES), channel, 0.0, None

    def tick(self):
        self.now += 1.0
        return self.now

    def publish(self, *numbers, tags=None, offset=None, epoch="e"):
        for number in numbers:
            key = ("api", number)
            self.ledger.publishing(key, self.channel, self.data(number), tags or {}, self.tick())
            stored = RULES[self.channel].size
            self.ledger.acknowledged(key, epoch if stored else "", (offset or number) if stored else 0, self.tick())
        return self

    def acknowledge(self, number, offset):
        self.ledger.acknowledged(("api", number), "e", offset, self.tick())
        return self

    @staticmethod
    def data(number):
        return b'{"by":"api","no":%d}' % number

    def pub(self, number, **more):
        stored = {"offset": number} if RULES[self.channel].size else {}
        return {"value": {"by": "api", "no": number}, "raw": self.data(number), **stored, **more}

    def subscribe(self, offset=0, since=None, epoch="e", pubs=(), wish=None, **answer):
        """`since`: the position (epoch, offset) to recover from."""
        wish = dict(wish or {})
        if since:
            wish.update(recover=True, epoch=since[0], offset=since[1])
        answer = {"positioned": bool(RULES[self.channel].size), "epoch": epoch, "offset": offset, **answer}
        self.session = self.ledger.subscribed("ada", self.channel, wish, answer, list(pubs), self.tick(), self.tick())
        return self

    def recover(self, since, *numbers, **more):
        return self.subscribe(since[1], since, pubs=[self.pub(number) for number in numbers], recovered=True, **more)

    def get(self, *numbers, **more):
        for number in numbers:
            self.ledger.delivered(self.session, self.pub(number, **more), self.tick())
        return self

    def end(self):
        self.ledger.ended(self.session, self.tick(), "unsubscribed")
        return self

    def rest(self, top, epoch="e"):
        missing = self.ledger.missing({self.channel: (epoch, top)})
        if missing:
            raise Violation("; ".join(missing))
        return self


HONEST = {
    "live": lambda: Story().subscribe().publish(1, 2).get(1, 2).rest(2),
    "recovered": lambda: Story().publish(1, 2, 3).recover(("e", 1), 2, 3).publish(4).get(4).rest(4),
    "trimmed": lambda: Story().publish(*range(1, 13)).subscribe(12, ("e", 1)).rest(12),
    "removed": lambda: removing(Story().publish(1, 2)).subscribe(2, ("e", 1)),
    "expired": lambda: waiting(Story().publish(1, 2), 60).subscribe(2, ("e", 1)),
    "a lost stream": lambda: losing(Story().publish(1)).subscribe(0, ("e", 1), "f").rest(0, "f"),
    "a repetition after a loss": lambda: repeated().get(1).rest(1, "f"),
    "a filter": lambda: filtered().get(3, tags={"kind": "a"}).rest(3),
    "a cache": lambda: Story("cache").publish(1, 2, 3).recover(("", 0), 3).publish(4).get(4).rest(4),
    "without history": lambda: Story("plain").subscribe().publish(1, 2).get(1, 2).rest(0),
}
DOCTORED = {
    "a lost one": ("at the offset 3 after 1", lambda: Story().subscribe().publish(1, 2, 3).get(1, 3)),
    "a lost last one": ("is at 1, not 2", lambda: Story().subscribe().publish(1, 2).get(1).rest(2)),
    "a doubled one": ("twice", lambda: Story().subscribe().publish(1, 2).get(1, 1)),
    "two in the wrong order": ("at the offset 2 after 0", lambda: Story().subscribe().publish(1, 2).get(2, 1)),
    "changed data": ("changed", lambda: Story().subscribe().publish(1).get(1, raw=b'{"by":"api", "no":1}')),
    "changed tags": ("with the tags", lambda: Story().subscribe().publish(1).get(1, tags={"kind": "a"})),
    "what nobody published": ("nobody published", lambda: Story().subscribe().get(7)),
    "a published one at two offsets": ("stands at", lambda: Story().publish(1).acknowledge(1, 2)),
    "two at one offset": ("holds both", lambda: Story().publish(1).publish(2, offset=1)),
    "recovered with a hole": ("at the offset 3 after 1", lambda: Story().publish(1, 2, 3).recover(("e", 1), 3)),
    "recovered too short": ("acknowledged at 3", lambda: Story().publish(1, 2, 3).recover(("e", 1), 2)),
    "recovered with nothing": ("acknowledged at 2", lambda: Story().publish(1, 2).recover(("e", 1))),
    "recovered over an epoch": ("from the epoch d", lambda: Story().publish(1, 2).recover(("d", 1), 2)),
    "not recovered without a reason": ("must have covered", lambda: Story().publish(1, 2).subscribe(2, ("e", 1))),
    "not recovered with nothing missed": ("must have covered", lambda: Story().publish(1).subscribe(1, ("e", 1))),
    "publications without recovery": ("without being recovered",
                                      lambda: Story().publish(1).subscribe(1, pubs=[Story().pub(1)])),
    "a position before what was acknowledged": ("acknowledged at 2", lambda: Story().publish(1, 2).subscribe(1)),
    "an epoch from nowhere": ("epoch number 2", lambda: Story().publish(1).subscribe(0, ("e", 1), "f")),
    "an epoch unnoticed": ("did not notice", lambda: losing(Story().publish(1).subscribe(1)).rest(0, "f")),
    "a filter that lets pass": ("do not pass its filter", lambda: filtered().get(2, tags={"kind": "b"})),
    "a filter that keeps back": ("never got", lambda: filtered().rest(3)),
    "a filter that kept back until the end": ("never got", lambda: passed_by().end()),
    "an old one of a cache": ("acknowledged at 3", lambda: Story("cache").publish(1, 2, 3).recover(("", 0), 2)),
    "a cache that keeps its newest": ("must have covered", lambda: Story("cache").publish(1, 2).subscribe(2, ("e", 1))),
    "a lost one without history": ("never got", lambda: Story("plain").subscribe().publish(1, 2).get(1).rest(0)),
    "the wrong order without history": ("after number 2", lambda: Story("plain").subscribe().publish(1, 2).get(2, 1)),
}


def removing(story):
    story.ledger.removing(story.channel, story.tick())
    story.ledger.removed(story.channel, story.tick())
    return story


def waiting(story, seconds):
    story.now += seconds
    return story


def losing(story):
    story.ledger.losing(story.tick(), story.now)
    return story


def repeated():
    """Redis loses a publication and its idempotency key; the publisher repeats it while a client is subscribing."""
    story = losing(Story().publish(1))
    begun = story.tick()
    story.ledger.acknowledged(("api", 1), "f", 1, story.tick())
    story.session = story.ledger.subscribed("ada", NEWS, {"recover": True, "epoch": "e", "offset": 1},
                                            {"positioned": True, "epoch": "f", "offset": 0}, [], begun, story.tick())
    return story


def filtered():
    """One publication for another, then one that passes."""
    story = Story().subscribe(wish={"tf": FILTER})
    return story.publish(1, tags={"kind": "a"}).get(1, tags={"kind": "a"}).publish(2, tags={"kind": "b"}).publish(
        3, tags={"kind": "a"})


def passed_by():
    return filtered().publish(4, tags={"kind": "a"}).get(4, tags={"kind": "a"})


def test_honest_stories_pass(_test):
    """What a right pushd does is no violation."""
    for name, tell in HONEST.items():
        try:
            tell()
        except Violation as problem:
            raise Violation("%s: %s" % (name, problem)) from None


def test_doctored_stories_are_found_out(_test):
    """A message lost, doubled, reordered or changed, and an untruth about recovery, are each named."""
    for name, (words, tell) in DOCTORED.items():
        try:
            tell()
        except Violation as problem:
            has(str(problem), words, name)
        else:
            check(False, "%s was not found out" % name)


def test_patches_are_applied_exactly(_test):
    """The patch of the protocol's reference, and ones that do not fit."""
    base = b'{"counter":1,"text":"' + b"a" * 30 + b'"}'
    patch = b"q\nB@0,1:2e@C,1GLBDj;"
    check(apply(base, patch) == base.replace(b"1", b"2"), "the patch makes %r" % apply(base, patch))
    for bad in (patch[:-1], patch.replace(b"2e@C", b"3e@C"), patch.replace(b"1:2", b"1:3")):
        try:
            apply(base, bad)
        except ValueError:
            continue
        check(False, "%r was applied" % bad)
