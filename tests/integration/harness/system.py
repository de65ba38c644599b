# SPDX-License-Identifier: Apache-2.0
"""The whole system for one test: Redis, pushd, push-api and a web server, in a directory of their own."""
import copy
import fcntl
import json
import os
import shutil
import socket
import subprocess

from harness import fronts, tokens
from harness.check import Failure, equal
from harness.process import Process, find_program
from harness.resp import Resp, RespError
from harness.wait import PATIENCE, wait_for
from harness.web import connection, exchange, http_request
from harness.ws import WebSocket

SECRET = "test-token-secret-0123456789abcdef"
API_KEY = "test-api-key"
ADMIN_PASSWORD = "test-admin-password"
ORIGIN = "http://app.example"

# Timers of the product that end what a busy machine holds up stay away from tests that are not about them.
BASE = {
    "client": {"token": {"hmac_secret_key": SECRET}, "allowed_origins": [ORIGIN], "ping_interval": "300s",
               "pong_timeout": "200s", "stale_close_delay": "300s"},
    "websocket": {"write_timeout": "300s"},
    "http_api": {"key": API_KEY},
    "admin": {"enabled": True, "password": ADMIN_PASSWORD, "secret": "test-admin-secret"},
    "health": {"enabled": True},
    "prometheus": {"enabled": True},
    "engine": {"type": "redis"},
    "channel": {
        "without_namespace": {"allow_subscribe_for_client": True, "allow_publish_for_client": True},
        "namespaces": [
            {"name": "org", "allow_subscribe_for_client": True, "presence": True, "history_size": 20000,
             "history_ttl": "300s", "allow_history_for_subscriber": True, "allow_presence_for_subscriber": True,
             "allow_publish_for_client": True},
            {"name": "closed"},
        ],
    },
    "pushd": {"workers": 2, "redis_timeout": "20s"},
}
# The default, with which no call takes longer than 1.2 s whatever Redis does.
PROMPT = {"pushd": {"redis_timeout": "1s"}}


def merged(base, patch):
    """`base` with the members of `patch` put in, objects merged; None removes a member."""
    out = copy.deepcopy(base)
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        elif isinstance(value, dict) and isinstance(out.get(name), dict):
            out[name] = merged(out[name], value)
        else:
            out[name] = copy.deepcopy(value)
    return out


def build_path(*parts):
    build = os.environ.get("PUSHD_BUILD")
    if not build:
        raise Failure("PUSHD_BUILD has to name the folder with the programs")
    path = os.path.join(build, *parts)
    if not os.access(path, os.X_OK):
        raise Failure("%s is not there; make first" % path)
    return path


def make_install(staged, *settings, target="install"):
    """make install into DESTDIR=staged. One at a time: they share the folder of the build."""
    build = os.environ["PUSHD_BUILD"]
    with open(os.path.join(build, "install.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(["make", "-C", build, target, "DESTDIR=" + staged, *settings], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=10 * PATIENCE, check=False)
    equal(done.returncode, 0, "make %s: %s\nstatus" % (target, done.stdout[-1500:]))


def clean_environment(test, extra=None):
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    env = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": test.dir, "TMPDIR": test.dir, "LANG": "C.UTF-8",
        "PUSHD_TEST": os.environ.get("PUSHD_TEST", ""),
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:exitcode=98",
        "LSAN_OPTIONS": "suppressions=%s/lsan.supp:print_suppressions=0" % here,
        "UBSAN_OPTIONS": "print_stacktrace=1:exitcode=97",
    }
    env.update(extra or {})
    return {name: value for name, value in env.items() if value is not None}


class System:
    """`front` None starts no web server; `session` maps a part of the Cookie header (None: any) to CGI variables."""

    def __init__(self, test, config=None, front="lighttpd", session=None, env=None, redis_up=True, redis_password=None,
                 node="", redis_port=None, tls=False, front_values=None, start=True, api_key=API_KEY,
                 api_headers=None, redis_appends=False):
        self.test, self.node, self.front_kind = test, node, front
        self.session, self.env = session or {}, clean_environment(test, env)
        self.dir = test.dir if not node else os.path.join(test.dir, node)
        os.makedirs(os.path.join(self.dir, "www"), exist_ok=True)
        self.redis = self.pushd = self.api = self.front = None
        # Whether all that Redis acknowledged outlives it: it is written before the answer, which SIGKILL does not
        # undo. Only the end of the machine would need fsync, and a slow disk stops Redis for seconds in it.
        self.redis_appends = redis_appends
        self.redis_password, self.front_values = redis_password, front_values or {}
        self.api_key, self.api_headers = api_key, {"X-API-Key": api_key, **(api_headers or {})}
        self.redis_port = redis_port or self._reserve()
        self.port = self._reserve() if front else None
        self.tls_port = self._reserve() if tls else 0
        if tls:
            fronts.make_certificate(self.dir)
        self.api_socket = os.path.join(self.dir, "api.sock")
        self.config = merged(merged(BASE, {
            "engine": {"redis": {"address": "redis://%s127.0.0.1:%d" % (":%s@" % redis_password if redis_password else "",
                                                                       self.redis_port)}},
            "pushd": {"websocket_listen": ["127.0.0.1:0"], "admin_listen": "127.0.0.1:0",
                      "api_listen": "unix:" + self.api_socket},
        }), config or {})
        self.config_path = os.path.join(self.dir, "config.json")
        self.write_config()
        if start:
            self.start(redis_up, owns_redis=redis_port is None)

    def _reserve(self):
        holder, port = fronts.reserve_port()
        self.test.on_end(holder.close)
        return port

    def write_config(self):
        with open(self.config_path, "w", encoding="utf-8") as target:
            json.dump(self.config, target, indent=1)

    # ------------------------------------------------------------------------------------ starting

    def start(self, redis_up=True, owns_redis=True):
        if redis_up and owns_redis:
            self.start_redis()
        self.start_pushd()
        self.start_api()
        if self.front_kind:
            self.start_front()
        if redis_up:
            self.wait_ready()

    def start_redis(self, options=(), within=(), awaited=True):
        """`options` are further ones of redis-server, `within` is a program that becomes it."""
        argv = [*within, find_program("redis-server"), "--bind", "127.0.0.1", "--port", str(self.redis_port), "--save", "",
                "--appendonly", "yes" if self.redis_appends else "no", "--appendfsync", "no", "--dir", self.dir,
                "--unixsocket", os.path.join(self.dir, "redis.sock")]
        if self.redis_password:
            argv += ["--requirepass", self.redis_password]
        argv += options
        self.redis = self.test.add(Process("redis", argv, self.dir))
        if awaited:
            wait_for(self._redis_answers, "redis-server answers", alive=[self.redis])

    def _redis_answers(self):
        try:
            with self.resp() as redis:
                return redis.call("PING") == "PONG"
        except (OSError, RespError):  # an error while it loads its data
            return False

    def forget_redis(self):
        """A Redis that is started afterwards has no data."""
        shutil.rmtree(os.path.join(self.dir, "appendonlydir"), ignore_errors=True)

    def redis_address(self):
        return "127.0.0.1:%d" % self.redis_port

    def crowd(self, count):
        """So many sockets at the port of clients, of which the last ones may be too many."""
        held = [socket.create_connection(("127.0.0.1", self.ws_port), PATIENCE) for _ in range(count)]
        for peer in held:
            self.test.on_end(peer.close)
            try:
                peer.send(b"G") # else the kernel keeps it
            except OSError:
                pass # one too many
        return held

    def resp(self, timeout=PATIENCE):
        return Resp(("127.0.0.1", self.redis_port), self.redis_password, timeout)

    def start_pushd(self, **options):
        self.pushd = self.test.add(Process("pushd", [build_path("pushd", "pushd"), "-c", self.config_path], self.dir,
                                           env=self.env, **options))
        self.ws_port = int(self.listening("websocket"))
        self.admin_port = int(self.listening("admin"))
        self.admin_url = "http://127.0.0.1:%d" % self.admin_port
        return self.pushd

    def listening(self, kind):
        self.pushd_alive_or_explained()
        return self.pushd.wait_log(r"listening.*\bkind=%s\b.*\baddress=\"?(?:[\d.]+|\[[^]]*\]):(\d+)" % kind).group(1)

    def pushd_alive_or_explained(self):
        wait_for(lambda: "listening" in self.pushd.log(), "pushd listens", alive=[self.pushd])

    def start_api(self, **options):
        self.api = self.test.add(Process("push-api", [build_path("fcgi", "push-api"), "-c", self.config_path], self.dir,
                                         env=self.env, **options))
        wait_for(lambda: accepts(self.api_socket), "push-api listens on its socket", alive=[self.api])
        if self.front_kind == "apache":
            os.chmod(self.api_socket, 0o666)
        return self.api

    def start_front(self):
        values = {"dir": self.dir, "www": os.path.join(self.dir, "www"), "port": self.port, "tls_port": self.tls_port,
                  "ws_host": "127.0.0.1:%d" % self.ws_port, "admin_port": self.admin_port, "api": self.api_socket,
                  **self.front_values}
        self.front = self.test.add(fronts.start_front(self.front_kind, values, self.session))
        wait_for(lambda: accepts(("127.0.0.1", self.port)), self.front_kind + " listens", alive=[self.front])
        self.url = "http://127.0.0.1:%d" % self.port

    def wait_ready(self):
        wait_for(self.is_ready, "pushd says that it is ready", alive=[self.pushd])
        if self.front:
            wait_for(self._api_answers, "push-api answers info", alive=[self.api])

    def is_ready(self):
        try:
            return http_request("GET", self.admin_url, "/ready").status == 200
        except OSError:
            return False

    def _api_answers(self):
        try:
            reply = self.call_api("info")
            return reply.status == 200 and reply.json().get("result", {}).get("nodes")
        except (OSError, ValueError):
            return False

    # --------------------------------------------------------------------------------------- using

    def http(self, method, path, body=None, headers=None, timeout=PATIENCE):
        return http_request(method, self.url, path, body, headers, timeout)

    def admin(self, method, path, body=None, headers=None, timeout=PATIENCE):
        return http_request(method, self.admin_url, path, body, headers, timeout)

    def call_api(self, method, body=None, timeout=PATIENCE):
        return self.http("POST", "/api/" + method, {} if body is None else body, self.api_headers, timeout)

    def result(self, method, body=None):
        """The result of an API method that has to succeed."""
        reply = self.call_api(method, body)
        if reply.status != 200 or "result" not in reply.json():
            raise Failure("/api/%s answered %r" % (method, reply))
        return reply.json()["result"]

    def publish(self, channel, data, **more):
        return self.result("publish", {"channel": channel, "data": data, **more})

    def publisher(self, timeout=PATIENCE):
        """A function that publishes raw JSON bytes on one kept connection."""
        kept = connection(self.url, timeout)
        self.test.on_end(kept.close)
        headers = {**self.api_headers, "Content-Type": "application/json"}

        def publish(channel, data):
            body = b'{"channel":"%s","data":%s}' % (channel.encode(), data)
            return exchange(kept, "POST", "/api/publish", body.decode(), headers)
        return publish

    def open(self, via="direct", **options):
        """An upgraded WebSocket: to pushd itself, or through the web server in front."""
        port = self.ws_port if via == "direct" else self.port
        socket_ = WebSocket(("127.0.0.1", port), **options)
        self.test.on_end(socket_.close)
        return socket_

    def client(self, user="ada", via="direct", claims=None, options=None, token_secret=SECRET, **request):
        """A connected client of a user."""
        socket_ = self.open(via, **(options or {}))
        socket_.connect(token=tokens.token(token_secret, {"sub": user, **(claims or {})}), **request)
        return socket_

    def wait_subscribers(self, channel, count):
        def enough():  # a node that the machine does not let answer makes an error
            channels = self.call_api("channels").json().get("result", {}).get("channels", {})
            return channels.get(channel, {}).get("num_clients", 0) == count
        wait_for(enough, "%s has %d subscribers" % (channel, count))

    def stop_pushd(self):
        """Stops pushd now; it has to end cleanly."""
        equal(self.pushd.stop(), None, "the end of pushd")


def accepts(address):
    """Whether somebody listens there."""
    probe = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET, socket.SOCK_STREAM)
    with probe:
        probe.settimeout(PATIENCE)
        return probe.connect_ex(address) == 0
