# SPDX-License-Identifier: Apache-2.0
"""Life under systemd and spawn-fcgi: readiness, inherited sockets, the watchdog, quiet units."""
import os
import re
import resource
import signal
import socket
import subprocess
import time

from harness import (PATIENCE, PROMPT, Failure, Process, System, WebSocket, check, equal, find_program, has, limit, timed,
                     token, wait_for)
from harness.system import SECRET, accepts, build_path, make_install


class Notify:
    """The socket that systemd gives a service to talk to it."""

    def __init__(self, test):
        self.path = os.path.join(test.dir, "notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.env = {"NOTIFY_SOCKET": self.path}
        self.seen = []
        test.on_end(self.socket.close)

    def wait_for(self, word, seconds=PATIENCE):
        deadline = time.monotonic() + seconds
        while not any(word in message.split("\n") for message in self.seen):
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                self.seen.append(self.socket.recv(65536).decode())
            except (TimeoutError, socket.timeout):
                raise Failure("no %s on the notify socket within %g s; seen: %r" % (word, seconds, self.seen)) from None

    def nothing_yet(self, word):
        self.socket.setblocking(False)
        try:
            while True:
                self.seen.append(self.socket.recv(65536).decode())
        except BlockingIOError:
            return not any(word in message for message in self.seen)


def fixed_ports(system):
    """Ports that are known before the start, so that the moment of READY can be compared with them."""
    ports = [system._reserve(), system._reserve()]
    system.config["pushd"].update({"websocket_listen": ["127.0.0.1:%d" % ports[0]], "admin_listen": "127.0.0.1:%d" % ports[1]})
    system.write_config()
    return ports


def start_and_wait_ready(system, notify, ports):
    """READY=1 comes when the listeners accept, not before."""
    process = system.test.add(Process("pushd", [build_path("pushd", "pushd"), "-c", system.config_path], system.dir,
                                      env={**system.env, **notify.env}))
    notify.wait_for("READY=1")
    for port in ports:
        check(accepts(("127.0.0.1", port)), "port %d is open when READY=1 comes" % port)
    return process


def test_ready_after_listeners_and_redis(test):
    """READY=1 is sent once, when listeners are open and Redis answered; STOPPING=1 when it ends."""
    notify = Notify(test)
    system = System(test, front=None, start=False)
    ports = fixed_ports(system)
    system.start_redis()
    pushd = start_and_wait_ready(system, notify, ports)
    has(pushd.log(), "redis connected", "the log at READY=1")
    client = WebSocket(("127.0.0.1", ports[0]))
    test.on_end(client.close)
    client.connect(token=token(SECRET, {"sub": "a"}))
    pushd.send_signal(signal.SIGTERM)
    notify.wait_for("STOPPING=1")
    equal(client.expect_close()[0], 3001, "close code")
    equal(pushd.wait_exit(), 0, "status")
    notify.nothing_yet("")
    equal(sum("READY=1" in message.split("\n") for message in notify.seen), 1, "READY=1 messages")


def test_ready_without_redis(test):
    """Redis absent: READY=1 comes after that was reported, and the service serves."""
    notify = Notify(test)
    system = System(test, front=None, start=False)
    ports = fixed_ports(system)
    pushd = start_and_wait_ready(system, notify, ports)
    has(pushd.log(), "error creating engine: dial tcp 127.0.0.1:%d: connect: connection refused" % system.redis_port,
        "the log at READY=1")


def test_ready_with_a_redis_that_hangs(test):
    """Redis accepts and says nothing: READY=1 comes all the same, after the log said so."""
    notify = Notify(test)
    system = System(test, PROMPT, front=None, start=False)
    ports = fixed_ports(system)
    system.start_redis()
    system.redis.send_signal(signal.SIGSTOP)
    pushd = start_and_wait_ready(system, notify, ports)
    has(pushd.log().lower(), "redis", "the log at READY=1")


@timed
def test_watchdog(test):
    """With WATCHDOG_USEC pushd reports in time, as long as it is alive."""
    notify = Notify(test)
    system = System(test, front=None, env={**notify.env, "WATCHDOG_USEC": "1000000"})
    for _ in range(3):
        notify.seen.clear()
        begun = test.clock.mark()
        notify.wait_for("WATCHDOG=1")
        test.clock.at_most(begun, 1, "the report to the watchdog")
    check(system.pushd.running(), "pushd runs")


@timed
def test_clients_do_not_get_the_last_descriptors(test):
    """More clients than descriptors: pushd goes on to report to the manager, and finds its Redis again."""
    notify = Notify(test)
    system = System(test, front=None, start=False, env={**notify.env, "WATCHDOG_USEC": "1000000"})
    system.start_redis()
    system.start_pushd(preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120)))
    system.wait_ready()
    system.crowd(200)
    system.pushd.wait_log("cannot accept connections, out of descriptors")
    for _ in range(3):
        notify.seen.clear()
        begun = test.clock.mark()
        notify.wait_for("WATCHDOG=1")
        test.clock.at_most(begun, 1, "the report to the watchdog")
    system.redis.kill()
    system.pushd.wait_log("redis error")
    system.start_redis()
    system.wait_ready()


def with_sockets(test, name, argv, sockets, names, system):
    """Starts a program as systemd does: sockets from descriptor 3 on, LISTEN_PID its own."""
    moves = " ".join("%d<&%d" % (3 + number, one.fileno()) for number, one in enumerate(sockets))
    closes = " ".join("%d<&-" % one.fileno() for one in sockets if one.fileno() > 2 + len(sockets))
    script = 'exec %s; exec %s; LISTEN_PID=$$ exec "$@"' % (moves, closes or "4<&4")
    env = {**system.env, "LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": ":".join(names)}
    process = Process(name, ["bash", "-c", script, "bash", *argv], system.dir, env=env,
                      pass_fds=[one.fileno() for one in sockets])
    return test.add(process)


def listener(address):
    one = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    one.bind(address)
    one.listen(64)
    return one


def test_inherited_sockets_of_pushd(test):
    """LISTEN_FDS with the names websocket and admin: both are served, and nothing else is opened."""
    system = System(test, front=None, start=False)
    system.start_redis()
    websocket, admin = listener(("127.0.0.1", 0)), listener(("127.0.0.1", 0))
    # Already waiting before the program is there: that is what socket activation is for.
    waiting = socket.create_connection(admin.getsockname(), PATIENCE)
    waiting.sendall(b"GET /api/ping HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    pushd = with_sockets(test, "pushd", [build_path("pushd", "pushd"), "-c", system.config_path], [websocket, admin],
                         ["websocket", "admin"], system)
    has(waiting.makefile("rb").read(), b'{"result":{}}', "the answer to the request that waited")
    waiting.close()
    client = WebSocket(websocket.getsockname())
    test.on_end(client.close)
    client.connect(token=token(SECRET, {"sub": "a"}))
    listening = [line for line in pushd.log().splitlines() if "listening" in line and "kind=" in line]
    for one in (websocket, admin):
        has("\n".join(listening), "127.0.0.1:%d" % one.getsockname()[1], "the log")
        one.close()
    equal(len(listening), 2, "listeners: %r" % listening)


def test_inherited_socket_of_push_api(test):
    """A socket-activated push-api serves the request that started it."""
    system = System(test, start=False)
    system.start_redis()
    system.start_pushd()
    one = listener(system.api_socket)
    system.start_front()
    system.api = with_sockets(test, "push-api", [build_path("fcgi", "push-api"), "-c", system.config_path], [one], ["api"],
                              system)
    equal(system.publish("test", 1), {}, "publish")
    one.close()
    system.wait_ready()
    equal(system.api.stop(), None, "the end")
    check(os.path.exists(system.api_socket), "an inherited socket is not removed: systemd owns it")


def test_spawn_fcgi(test):
    """Started by spawn-fcgi, with the listener as standard input, it serves."""
    system = System(test, start=False)
    system.start_redis()
    system.start_pushd()
    argv = [find_program("spawn-fcgi"), "-n", "-s", system.api_socket, "--", build_path("fcgi", "push-api"), "-c",
            system.config_path]
    system.api = test.add(Process("push-api", argv, system.dir, env=system.env))
    wait_for(lambda: accepts(system.api_socket), "the socket", alive=[system.api])
    system.start_front()
    equal(system.publish("test", 1), {}, "publish")
    system.wait_ready()


@limit(120)
def test_units_verify(test):
    """systemd-analyze verify is quiet about the installed units."""
    program = find_program("systemd-analyze")
    staged = os.path.join(test.dir, "staged")
    make_install(staged)
    units = []
    for folder, _, names in os.walk(staged):
        units += [os.path.join(folder, name) for name in names if name.endswith((".service", ".socket"))]
    names = {os.path.basename(unit) for unit in units}
    check(names >= {"push-api.service", "push-api.socket", "pushd.service"}, "units: %r" % names)
    # The programs of the staged tree stand where the units look for them; the rest of the system is this one's.
    place = os.path.join(test.dir, "units")
    os.makedirs(place)
    for unit in units:
        with open(unit, encoding="utf-8") as source, open(os.path.join(place, os.path.basename(unit)), "w",
                                                          encoding="utf-8") as target:
            text = source.read()
            check(not re.search(r"@\w+@|\$\{\w*dir\}", text), "%s has an unreplaced name:\n%s" % (unit, text))
            for folder in ("/usr/sbin/", "/usr/bin/"):
                text = text.replace("=" + folder, "=" + staged + folder)
            target.write(text)
    done = subprocess.run([program, "verify", "--man=no", *[os.path.join(place, os.path.basename(unit)) for unit in units]],
                          capture_output=True, text=True, timeout=PATIENCE, check=False)
    noise = ("Failed to prepare filename", "/usr/lib/systemd/system/", "/lib/systemd/system/", "systemd-remount")
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip() and not line.startswith(noise)]
    equal(said, [], "what systemd-analyze verify says")
    equal(done.returncode, 0, "status")
