# SPDX-License-Identifier: Apache-2.0
"""The checker: what was published, what clients got, and whether the two agree. No socket and no clock in here:
everything is told, with its time in seconds, so that doctored stories can be told as well.

A *session* is one subscription from the answer to its end. What the ledger holds against it:

- a publication that was not published in this channel, or whose data or tags differ from what was published
- in a session with a position: any offset that does not follow the one before it (a filter may leave offsets out,
  but not of publications that pass it); two publications at one position; one publication at two positions
- without a position: a publication for the second time, and the order of each publisher
- `recovered` although the epoch changed, or with a hole, or short of what was acknowledged before the request
- not recovered although history must have covered what was missed
- a new epoch although Redis lost nothing
- at rest: a session that lacks what was acknowledged
"""
import collections
import itertools
import json
import math

from harness.check import Failure

TTL_SLACK = 0.7  # seconds around an expiry in which nothing is claimed
TRACE_KEPT, TRACE_SHOWN = 5000, 60


class Violation(Failure):
    """pushd broke a promise."""


class Rule:
    """What a channel promises. `size` 0: no history; `ttl` in seconds; `forgets`: epochs end by themselves."""

    def __init__(self, size=0, ttl=0.0, cache=False, forgets=False, limit=300):
        self.size, self.ttl, self.cache, self.forgets, self.limit = size, ttl, cache, forgets, limit


class Published:
    """One publication. `begun` is when it was sent, `ended` when it was acknowledged or first seen, else None;
    `key` orders those of one publisher: (publisher, number)."""

    def __init__(self, key, channel, data, tags, begun):
        self.key, self.channel, self.data, self.tags, self.begun = key, channel, data, tags, begun
        self.value = json.loads(data)
        self.ended = self.place = None
        self.acknowledged = self.doubtful = False
        self.stored = True


class Session:
    """One subscription of one client; what it asked for and was answered are those of the protocol."""

    def __init__(self, who, channel, wish, answer, begun):
        self.who, self.channel, self.wish, self.begun = who, channel, wish, begun
        self.positioned = bool(answer.get("positioned"))
        self.epoch = answer.get("epoch", "")
        self.start = self.position = answer.get("offset", 0)
        self.filter = (wish["tf"]["key"], wish["tf"]["val"]) if "tf" in wish else None
        self.got = set()
        self.last_of = {}  # the newest number of each publisher, without positions
        self.alive = True

    def wants(self, publication):
        return self.filter is None or publication.tags.get(self.filter[0]) == self.filter[1]


class Ledger:
    def __init__(self, rules):
        self.rules = rules
        self.published = {}  # key -> Published
        self.places = collections.defaultdict(dict)  # (channel, epoch) -> offset -> Published
        self.epochs = collections.defaultdict(list)  # channel -> epochs in the order of their appearance
        self.removals = collections.defaultdict(list)  # channel -> when each ended, inf while it is under way
        self.losses = []  # when each loss of the data of Redis was over, inf while it is under way
        self.disturbances = []  # [(begun, until)] in which Redis could not be relied on
        self.sessions = set()
        self.of_channel = collections.defaultdict(list)  # channel -> Published in the order of sending
        self.tops = collections.Counter()  # (channel, epoch) -> the highest known offset
        self.lines = collections.deque(maxlen=TRACE_KEPT)
        self.counts = collections.Counter()

    # ----------------------------------------------------------------------------------- the trace

    def note(self, at, text, channel=None):
        self.lines.append((channel, "%9.3f %s" % (at, text)))

    def trace(self, channel=None):
        """The last steps, of one channel and of all."""
        lines = [text if of in (None, channel) else "%s (%s)" % (text, of)
                 for of, text in self.lines if channel is None or of in (None, channel)]
        return "the last steps:\n  " + "\n  ".join(lines[-TRACE_SHOWN:])

    def fail(self, channel, text):
        raise Violation("%s\n%s" % (text, self.trace(channel)))

    # ------------------------------------------------------------------------------------- publishing

    def publishing(self, key, channel, data, tags, at, stored=True):
        """A publication is about to be sent; without `stored` it gets no offset in a channel with history."""
        one = self.published[key] = Published(key, channel, data, tags, at)
        one.stored = stored
        self.of_channel[channel].append(one)
        self.counts["publish"] += 1

    def acknowledged(self, key, epoch, offset, at):
        """The publisher was told the position; without history epoch is "" and offset 0."""
        one = self.published[key]
        one.acknowledged = True
        if offset:
            self._place(one, epoch, offset, at)
        elif one.ended is None:
            one.ended = at
        self.note(at, "published %s at %s:%d" % (key, epoch, offset), one.channel)

    def unknown(self, key, at):
        """The publisher was told an error or nothing: it may appear or not."""
        self.published[key].doubtful = True
        self.counts["publish without answer"] += 1
        self.note(at, "no answer for %s" % (key,), self.published[key].channel)

    def _place(self, one, epoch, offset, at):
        self.saw_epoch(one.channel, epoch, at)
        known = self.places[one.channel, epoch].setdefault(offset, one)
        if known is not one:
            self.fail(one.channel, "%s holds both %s and %s at %s:%d" % (one.channel, known.key, one.key, epoch, offset))
        moved = one.place not in (None, (epoch, offset))
        if moved and not self._forgot(one):
            self.fail(one.channel, "%s of %s stands at %s and at %s" % (one.key, one.channel, one.place, (epoch, offset)))
        one.place = (epoch, offset)
        self.tops[one.channel, epoch] = max(self.tops[one.channel, epoch], offset)
        one.ended = at if one.ended is None or moved else one.ended

    def _forgot(self, one):
        """Whether Redis may have lost the idempotency key of a publication before it was sent again."""
        return any(one.begun < ended for ended in self.losses)

    def saw_epoch(self, channel, epoch, at):
        epochs = self.epochs[channel]
        if epoch in epochs:
            return
        epochs.append(epoch)
        self.note(at, "the epoch is %s" % epoch, channel)
        if len(epochs) > 1 + len(self.losses) and not self.rules[channel].forgets:
            self.fail(channel, "%s has its epoch number %d, %s, though Redis lost its data %d times"
                      % (channel, len(epochs), epoch, len(self.losses)))

    def removing(self, channel, at):
        """history_remove is about to be called."""
        self.removals[channel].append(math.inf)
        self.note(at, "history is being removed", channel)

    def removed(self, channel, at):
        self.removals[channel][self.removals[channel].index(math.inf)] = at
        self.note(at, "history removed", channel)

    def losing(self, begun, until):
        """Redis loses its data between two moments; inf until it is known to be over."""
        self.losses.append(until)
        self.note(begun, "Redis loses its data")

    def lost(self, at):
        """The loss is over."""
        self.losses[self.losses.index(math.inf)] = at

    def disturb(self, begun, until, how):
        """Redis cannot be relied on for a while: what has no position may be lost, and who leaves may stay present."""
        if self.disturbances and self.disturbances[-1][0] <= begun <= self.disturbances[-1][1]:
            begun, until = self.disturbances[-1][0], max(until, self.disturbances.pop()[1])
        self.disturbances.append((begun, until))
        self.counts[how] += 1
        self.note(begun, how)

    def was_calm(self, begun, until=math.inf):
        return all(end < begun or start > until for start, end in self.disturbances)

    # -------------------------------------------------------------------------------------- sessions

    def subscribed(self, who, channel, wish, answer, publications, begun, at):
        """A subscription was answered: `publications` are decoded (see delivered), `begun` is when it was asked for.
        Returns its session."""
        s = Session(who, channel, wish, answer, at)
        self.sessions.add(s)
        self.counts["subscribe"] += 1
        self.note(at, "%s in %s: %s after %s, %d publications" % (
            who, channel, {k: v for k, v in answer.items() if k != "publications"},
            {k: v for k, v in wish.items() if k in ("recover", "offset", "epoch")}, len(publications)), channel)
        if s.epoch:
            self.saw_epoch(channel, s.epoch, at)
        if answer.get("recovered"):
            self._recovered(s, publications, begun, at)
        else:
            if publications:
                self.fail(channel, "%s in %s got publications without being recovered" % (who, channel))
            self._not_recovered(s, begun, at)
        return s

    def _recovered(self, s, publications, begun, at):
        self.counts["recovered"] += 1
        cache = self.rules[s.channel].cache
        if not cache and s.wish.get("epoch", s.epoch) != s.epoch:
            self.fail(s.channel, "%s in %s was recovered from the epoch %s in the epoch %s"
                      % (s.who, s.channel, s.wish.get("epoch"), s.epoch))
        if cache and publications:
            if len(publications) > 1:
                self.fail(s.channel, "%s in %s got %d publications of a cache" % (s.who, s.channel, len(publications)))
            s.start = s.position = publications[0].get("offset", 0) - 1
        for publication in publications:
            self.delivered(s, publication, at)
        self._covers(s, begun)

    def _covers(self, s, before):
        """Nothing that was acknowledged before may be missing beyond the position."""
        for offset, one in self._between(s, s.position):
            if one.acknowledged and one.ended < before and s.wants(one):
                self.fail(s.channel, "%s in %s is at %d, though %s was acknowledged at %d before it asked"
                          % (s.who, s.channel, s.position, one.key, offset))

    def _not_recovered(self, s, begun, at):
        if s.positioned and s.filter is None:
            self._covers(s, begun)
        if not s.wish.get("recover"):
            return
        self.counts["not recovered"] += 1
        if s.wish.get("epoch", s.epoch) == s.epoch and self._could_recover(s, at):
            self.fail(s.channel, "%s in %s was not recovered from %d to %d, though history must have covered it"
                      % (s.who, s.channel, s.wish.get("offset", 0), s.position))

    def _could_recover(self, s, at):
        """Whether history held all that was missed, beyond doubt."""
        rule, places = self.rules[s.channel], self.places[s.channel, s.epoch]
        since = s.wish.get("offset", 0)
        if rule.cache:
            since = s.position - 1
        missed = [places.get(offset) for offset in range(since + 1, s.position + 1)]
        if not missed:
            return not rule.cache
        if None in missed or len(missed) > min(rule.size, rule.limit):
            return False
        if any(ended >= missed[0].begun for ended in self.removals[s.channel]):
            return False
        ends = [one.ended for one in missed[1:]] + [at]
        return all(end - one.begun < rule.ttl - TTL_SLACK for one, end in zip(missed, ends))

    def ended(self, s, at, why):
        s.alive = False
        self.sessions.discard(s)
        self._complete(s, s.position)
        self.note(at, "%s ended: %s" % (s.who, why), s.channel)

    # ------------------------------------------------------------------------------------- deliveries

    def delivered(self, s, publication, at):
        """`publication` has `value` (decoded JSON), `raw` (bytes, or None when the encoding does not show them),
        `offset`, `tags`."""
        value = publication["value"]
        key = (value["by"], value["no"]) if isinstance(value, dict) and "by" in value else None
        one = self.published.get(key)
        self.counts["delivered"] += 1
        if one is None or one.channel != s.channel:
            self.fail(s.channel, "%s in %s got what nobody published there: %r" % (s.who, s.channel, publication))
        if value != one.value or publication["raw"] not in (None, one.data):
            self.fail(s.channel, "%s in %s got %s changed: %r instead of %r"
                      % (s.who, s.channel, key, publication["raw"] or value, one.data))
        if publication.get("tags", {}) != one.tags:
            self.fail(s.channel, "%s in %s got %s with the tags %r, not %r"
                      % (s.who, s.channel, key, publication.get("tags"), one.tags))
        if not s.wants(one):
            self.fail(s.channel, "%s in %s got %s, whose tags do not pass its filter" % (s.who, s.channel, key))
        if key in s.got and not self._forgot(one):
            self.fail(s.channel, "%s in %s got %s twice" % (s.who, s.channel, key))
        s.got.add(key)
        offset = publication.get("offset", 0)
        if s.positioned and self.rules[s.channel].size and one.stored:
            self._follows(s, one, offset, at)
        else:
            self._in_order(s, one, at)

    def _follows(self, s, one, offset, at):
        if offset <= s.position or (s.filter is None and offset != s.position + 1):
            self.fail(s.channel, "%s in %s got %s at the offset %d after %d (epoch %s)"
                      % (s.who, s.channel, one.key, offset, s.position, s.epoch))
        s.position = offset
        self._place(one, s.epoch, offset, at)

    def _in_order(self, s, one, at):
        publisher, number = one.key
        if number < s.last_of.get(publisher, -1) and not one.doubtful:
            self.fail(s.channel, "%s in %s got %s after number %d of it" % (s.who, s.channel, one.key, s.last_of[publisher]))
        s.last_of[publisher] = max(number, s.last_of.get(publisher, -1))
        one.ended = at if one.ended is None else one.ended

    def _complete(self, s, until):
        """With a filter: nothing that passes it was left out up to an offset."""
        if s.filter is None or not s.positioned:
            return
        for offset, one in self._between(s, s.start):
            if offset <= until and s.wants(one) and one.key not in s.got:
                self.fail(s.channel, "%s in %s never got %s at %d, which passes its filter" % (s.who, s.channel, one.key, offset))

    # ---------------------------------------------------------------------------------------- at rest

    def missing(self, tops):
        """What keeps the sessions from being complete, in words; `tops` are {channel: (epoch, offset)}."""
        found = []
        for s in self.sessions:
            if s.positioned and self.rules[s.channel].size:
                epoch, top = tops[s.channel]
                if s.epoch != epoch:
                    found.append("%s in %s did not notice the epoch %s, it has %s" % (s.who, s.channel, epoch, s.epoch))
                elif s.filter is None and s.position != top:
                    found.append("%s in %s is at %d, not %d" % (s.who, s.channel, s.position, top))
                elif s.filter is not None:
                    found += self._passed_by(s)
            elif self.was_calm(s.begun):
                since = itertools.takewhile(lambda one, s=s: one.begun > s.begun, reversed(self.of_channel[s.channel]))
                found += ["%s in %s never got %s" % (s.who, s.channel, one.key) for one in since
                          if one.acknowledged and one.key not in s.got and s.wants(one)]
        return found

    def _passed_by(self, s):
        return ["%s in %s never got %s" % (s.who, s.channel, one.key)
                for _, one in self._between(s, s.start) if s.wants(one) and one.key not in s.got]

    def _between(self, s, offset):
        """(offset, publication) of what is known of the session's stream beyond an offset."""
        places = self.places[s.channel, s.epoch]
        for number in range(offset + 1, self.tops[s.channel, s.epoch] + 1):
            if number in places:
                yield number, places[number]
