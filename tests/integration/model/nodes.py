# SPDX-License-Identifier: Apache-2.0
"""Nodes that exist in Redis only: they send pings and answer surveys as the node protocol has it, and nothing else."""
import socket
import threading
import time
import uuid

from harness.resp import Resp
from model.protobuf import decode, encode

PREFIX = b"centrifugo"
PING_SECONDS = 1.0


class FakeNodes:
    """`count` of them, over two connections. The first one takes `slow` seconds for an answer. Each has one client in the
    channel `channel` and one in a channel of its own. Ends with the test, or by die(): in silence."""

    def __init__(self, test, address, count, slow=0.0, channel="fake"):
        self.uids = [str(uuid.uuid4()) for _ in range(count)]
        self.slow, self.channel = slow, channel
        self.listener, self.speaker = Resp(address), Resp(address)
        self.listener.call("SUBSCRIBE", PREFIX + b".control")
        self.news = threading.Condition()
        self.due = []  # (when, survey id, who asked, who answers)
        self.stopping = False
        self.threads = [threading.Thread(target=run, daemon=True) for run in (self._hear, self._speak)]
        for thread in self.threads:
            thread.start()
        test.on_end(self.die)

    def die(self):
        with self.news:
            if self.stopping:
                return
            self.stopping = True
            self.news.notify()
        self.listener.sock.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        self.listener.close()
        self.speaker.close()

    def _hear(self):
        while True:
            try:
                kind, _name, payload = self.listener.read()
            except (OSError, ConnectionError):
                return
            command = decode("ControlCommand", payload) if kind == b"message" else {}
            survey = command.get("survey_request", {})
            if survey.get("op") == "channels":
                now = time.monotonic()
                with self.news:
                    self.due += [(now + (0 if index else self.slow), survey["id"], command["uid"], index)
                                 for index in range(len(self.uids))]
                    self.news.notify()

    def _speak(self):
        ping_at = 0.0
        while True:
            with self.news:
                now = time.monotonic()
                when = min([ping_at] + [item[0] for item in self.due])
                if not self.stopping and when > now:
                    self.news.wait(when - now)
                if self.stopping:
                    return
                now = time.monotonic()
                ripe = [item for item in self.due if item[0] <= now]
                self.due = [item for item in self.due if item[0] > now]
            for _when, survey_id, asker, index in ripe:
                self._answer(survey_id, asker, index)
            if now >= ping_at:
                self._ping()
                ping_at = now + PING_SECONDS

    def _say(self, name, command):
        self.speaker.call("PUBLISH", PREFIX + name, encode("ControlCommand", command))

    def _ping(self):
        for index, uid in enumerate(self.uids):
            node = {"uid": uid, "name": "fake-%d" % index, "version": "1", "num_clients": 2}
            self._say(b".control", {"uid": uid, "node": node})

    def _answer(self, survey_id, asker, index):
        one = {"num_clients": 1}
        data = encode("ChannelsAnswer", {"channels": {self.channel: one, "own-%d" % index: one}})
        self._say(b".node." + asker.encode(), {"uid": self.uids[index], "survey_response": {"id": survey_id, "data": data}})
