# SPDX-License-Identifier: Apache-2.0
"""What stands in the way of a start is said clearly: taken ports, typing errors, missing files, wrong values."""
import json
import os
import re
import socket
import subprocess

from harness import PATIENCE, Process, System, check, equal, has, wait_for
from harness.system import build_path, clean_environment

PROGRAMS = (("pushd", "pushd"), ("fcgi", "push-api"))
STARTED = re.compile("ready workers|listening kind=api")
REFUSED = (1, 2, *range(64, 79))  # of sysexits.h, mostly


def run_until_end(test, program, config_text, env=None, name="config.json"):
    """Exit status and output of a program that is expected to refuse."""
    path = os.path.join(test.dir, name)
    with open(path, "w", encoding="utf-8") as target:
        target.write(config_text)
    process = Process(program[1], [build_path(*program), "-c", path], test.dir, env=clean_environment(test, env),
                      clean=REFUSED)
    test.add(process)
    mark = process.started_at
    status = process.wait_exit()
    check(status != 0, "%s ended with status 0" % program[1])
    return status, process.log_since(mark)


def test_typing_errors(test):
    """A misspelt key is named with its line and the nearest known key; so is one inside a namespace."""
    cases = [
        ('{\n  "client": {\n    "alowed_origins": ["*"]\n  }\n}\n', (":3", "alowed_origins", "allowed_origins")),
        ('{\n  "http_api": {"kye": "x"}\n}\n', (":2", "kye", "key")),
        ('{\n  "channel": {\n    "namespaces": [\n      {"name": "a", "history_sise": 10}\n    ]\n  }\n}\n',
         (":4", "history_sise", "history_size")),
        ('{\n  "pushd": {\n    "worker": 2\n  }\n}\n', (":3", "worker", "workers")),
    ]
    for text, words in cases:
        named_before_listening(test, text, words)


def named_before_listening(test, text, words):
    """Whether the key is an error or a warning, both programs print the words in one line before they listen."""
    # Not in the file, whose lines are compared.
    env = {"CENTRIFUGO_PUSHD_WEBSOCKET_LISTEN": "127.0.0.1:0", "CENTRIFUGO_PUSHD_ADMIN_LISTEN": "127.0.0.1:0",
           "CENTRIFUGO_PUSHD_API_LISTEN": "unix:" + os.path.join(test.dir, "a.sock")}
    for program in PROGRAMS:
        path = os.path.join(test.dir, "config.json")
        with open(path, "w", encoding="utf-8") as target:
            target.write(text)
        process = Process(program[1], [build_path(*program), "-c", path], test.dir, env=clean_environment(test, env),
                          clean=(0, *REFUSED))
        test.add(process)
        # A program that ends by itself is not told to: LeakSanitizer, at its end, waits for ever when it is.
        wait_for(lambda: not process.running() or STARTED.search(process.log_since(process.started_at)), "it starts or ends")
        log = process.log_since(process.started_at)
        line = next((line for line in log.partition("listening")[0].splitlines() if words[1] in line), "")
        for word in words:
            has(line, word, "%s: the line in\n%s\nwhich" % (program[1], log))
        equal(process.stop(), None, "the end of " + program[1])


def test_broken_files(test):
    """A file that is absent, is no JSON, or has a value of a wrong type: the place and what was expected."""
    cases = [
        ('{\n  "client": {\n', ("config.json", "3")),
        ('{\n  "client": {"allowed_origins": ["*"],}\n}', ("config.json", "2")),
        ('{\n  "pushd": {\n    "workers": "two"\n  }\n}', (":3", "workers", "two")),
        ('{\n  "client": {\n    "ping_interval": "soon"\n  }\n}', (":3", "ping_interval", "soon")),
        ('{\n  "pushd": {\n    "workers": -1\n  }\n}', (":3", "workers")),
        ('{\n  "channel": {"namespaces": [{"name": "a"}, {"name": "a"}]}\n}', ("namespace", "a")),
        ('{\n  "pushd": {"websocket_listen": ["nonsense"]}\n}', ("websocket_listen", "nonsense")),
        ("[]", ("config.json",)),
        ("", ("config.json",)),
    ]
    for text, words in cases:
        for program in PROGRAMS:
            _, output = run_until_end(test, program, text)
            for word in words:
                has(output, word, "%s about %r" % (program[1], text))
    # An absent file is not fatal, as in the reference: the environment may hold everything. It is said, though.
    for program in PROGRAMS:
        done = subprocess.run([build_path(*program), "-c", test.dir + "/absent.json"], timeout=PATIENCE, check=False,
                              env=clean_environment(test, {"CENTRIFUGO_PUSHD_WORKERS": "many"}), capture_output=True, text=True)
        has(done.stderr, "absent.json does not exist", program[1])
        has(done.stderr, "CENTRIFUGO_PUSHD_WORKERS", program[1])


def test_wrong_keys_and_users(test):
    """What only the start finds out is wrong configuration, too: status 78, after which systemd does not try again."""
    listen = {"websocket_listen": ["127.0.0.1:0"], "admin_listen": "127.0.0.1:0", "api_listen": "unix:%s/a.sock" % test.dir}
    cases = [("pushd", {"client": {"token": {"rsa_public_key": "/etc/keys/public.pem"}}, "pushd": listen}, "rsa_public_key")]
    if os.geteuid() == 0:
        cases += [(name, {"pushd": {**listen, "user": "nosuch-user"}}, "nosuch-user") for name in ("pushd", "push-api")]
    for name, config, word in cases:
        program = next(program for program in PROGRAMS if program[1] == name)
        status, output = run_until_end(test, program, json.dumps(config))
        equal(status, 78, "%s: status" % name)
        has(output, word, name)
        equal(output.count("cannot start"), 1, "%s says it once: %s" % (name, output))
        equal(len([line for line in output.splitlines() if word in line]), 1, "%s says it once: %s" % (name, output))


def test_a_port_that_is_taken(test):
    """A taken port: the address, the reason and what to do, and a status that is not 0."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        for settings in ({"websocket_listen": [address], "admin_listen": "127.0.0.1:0"},
                         {"websocket_listen": ["127.0.0.1:0"], "admin_listen": address}):
            _, output = run_until_end(test, ("pushd", "pushd"), json.dumps({"pushd": settings}))
            has(output, address, "the message")
            has(output.lower(), "address already in use", "the message")


def test_a_unix_socket_of_a_dead_process(test):
    """A socket file left behind by a crash does not stand in the way; one that is served does."""
    system = System(test)
    system.api.kill()
    check(os.path.exists(system.api_socket), "the file is left behind")
    system.start_api()
    system.publish("test", 1)
    _, output = run_until_end(test, ("fcgi", "push-api"), json.dumps(system.config), name="second.json")
    has(output, system.api_socket, "the message")
    has(output, "another process", "the message")
    system.publish("test", 2)


def test_versions_and_help(test):
    """--version prints the program's version and those of its libraries; --help what it takes; unknown options are refused."""
    for program, library in ((("pushd", "pushd"), "libwebsockets"), (("fcgi", "push-api"), "hiredis"),
                             (("pushctl", "pushctl"), "jansson")):
        def run(*words):
            return subprocess.run([build_path(*program), *words], env=clean_environment(test), capture_output=True, text=True,
                                  timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL)
        done = run("--version")
        equal(done.returncode, 0, "status of --version")
        check(done.stdout.startswith(program[1] + " ") or done.stdout.startswith("pushd "), "--version: " + done.stdout)
        has(done.stdout, library, "--version")
        done = run("--help")
        equal(done.returncode, 0, "status of --help")
        has(done.stdout, "-c", "--help")
        done = run("--nonsense")
        check(done.returncode != 0, "status of --nonsense")
        has(done.stderr, "nonsense", "what it says")


def test_environment(test):
    """Values from CENTRIFUGO_* win over the file; a wrong one is named with its variable."""
    system = System(test, env={"CENTRIFUGO_HTTP_API_KEY": "from-environment"}, api_key="from-environment")
    system.publish("test", 1)
    for name, value in (("CENTRIFUGO_CLIENT_PING_INTERVAL", "soon"), ("CENTRIFUGO_PUSHD_WORKERS", "many")):
        _, output = run_until_end(test, ("pushd", "pushd"), "{}", env={name: value})
        has(output, name, "the message")
        has(output, value, "the message")


def test_pid_file(test):
    """pid_file has the process id while pushd runs, for its owner only; a place where it cannot be is said."""
    path = os.path.join(test.dir, "pushd.pid")
    system = System(test, {"pid_file": path}, front=None)
    with open(path, encoding="ascii") as source:
        equal(int(source.read()), system.pushd.pid, "the process id")
    equal(os.stat(path).st_mode & 0o777, 0o600, "mode")
    system.stop_pushd()
    check(not os.path.exists(path), "it is removed at the end")
    _, text = run_until_end(test, PROGRAMS[0], json.dumps({"pid_file": "/nowhere/pushd.pid", "pushd": {
        "websocket_listen": ["127.0.0.1:0"], "admin_listen": "127.0.0.1:0"}}))
    has(text, "pid_file /nowhere/pushd.pid: No such file or directory", "the refusal")


def test_runs_as_another_user(test):
    """Started by root with pushd.user, both programs give up their rights."""
    if os.geteuid() != 0:
        from harness import Skip
        raise Skip("only root can give up rights")
    os.chmod(test.dir, 0o777)
    system = System(test, {"pushd": {"user": "nobody", "group": "nogroup"}}, start=False)
    os.chmod(system.config_path, 0o644)
    system.start_redis()
    system.start_pushd()
    system.start_api()
    os.chmod(system.api_socket, 0o666)
    system.start_front()
    system.wait_ready()
    system.publish("test", 1)
    for process in (system.pushd, system.api):
        with open("/proc/%d/status" % process.pid, encoding="ascii") as status:
            uids = next(line.split()[1:] for line in status if line.startswith("Uid:"))
        check("0" not in uids, "%s runs with uids %s" % (process.name, uids))
