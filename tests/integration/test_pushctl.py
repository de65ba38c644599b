# SPDX-License-Identifier: Apache-2.0
"""pushctl: what a person types to make tokens, check configurations, publish and watch."""
import json
import os
import subprocess

from harness import PATIENCE, SECRET, Process, System, check, claims_of, equal, has, token, wait_for
from harness.system import build_path, clean_environment
from harness.tokens import is_signed_by


def pushctl(test, *words, status=0, stdin="", env=None):
    """Standard output of a command that ends with the expected status; error output behind it when it fails."""
    done = subprocess.run([build_path("pushctl", "pushctl"), *words], env=clean_environment(test, env), cwd=test.dir,
                          input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=False)
    equal(done.returncode, status, "pushctl %s\n%s%s\nstatus" % (" ".join(words)[:300], done.stdout, done.stderr))
    return done.stdout if status == 0 else done.stdout + done.stderr


def write_config(test, config):
    path = os.path.join(test.dir, "c.json")
    with open(path, "w", encoding="utf-8") as target:
        target.write(config if isinstance(config, str) else json.dumps(config))
    os.chmod(path, 0o600)
    return path


def test_tokens_open_the_door(test):
    """gentoken and gensubtoken make tokens that pushd accepts; the user and the channel are the ones asked for."""
    system = System(test, {"channel": {"namespaces": [{"name": "closed"}]}}, front=None)
    text = pushctl(test, "gentoken", "-c", system.config_path, "-u", "ada", "-t", "600", "-q").strip()
    check(is_signed_by(text, SECRET), "signed with the secret of the configuration")
    equal(claims_of(text)["sub"], "ada", "user")
    client = system.open()
    reply = client.connect(token=text)
    check(500 < reply["ttl"] <= 600, "ttl %r" % reply)
    one = pushctl(test, "gensubtoken", "-c", system.config_path, "-u", "ada", "-s", "closed:1", "-q").strip()
    equal(claims_of(one)["channel"], "closed:1", "channel")
    client.subscribe("closed:1", token=one)
    carried = pushctl(test, "gentoken", "-c", system.config_path, "-u", "ada", "-s", "closed:2", "-q").strip()
    equal(list(system.open().connect(token=carried)["subs"]), ["closed:2"], "server-side subscriptions")


def test_checktoken_explains(test):
    """checktoken says what is in a token, and what is wrong with it, with a status to match."""
    path = write_config(test, {"client": {"token": {"hmac_secret_key": SECRET}}})
    good = pushctl(test, "gentoken", "-c", path, "-u", "ada", "-q").strip()
    has(pushctl(test, "checktoken", "-c", path, good), "ada", "a good token")
    has(pushctl(test, "checktoken", "-c", path, "-", stdin=good + "\n"), "ada", "from standard input")
    for name, text, words in (("expired", token(SECRET, {"sub": "ada"}, exp=1000), "expired"),
                              ("another secret", token("another-secret", {"sub": "ada"}), "signature"),
                              ("alg none", token("", {"sub": "ada"}, alg="none"), "none"),
                              ("garbage", "garbage", "token")):
        has(pushctl(test, "checktoken", "-c", path, text, status=1).lower(), words, name)


def test_genconfig_makes_a_working_configuration(test):
    """genconfig writes a file with secrets of its own that checkconfig likes; it overwrites nothing."""
    path = os.path.join(test.dir, "new.json")
    pushctl(test, "genconfig", "-c", path)
    equal(oct(os.stat(path).st_mode & 0o077), "0o0", "nobody else can read its secrets")
    with open(path, encoding="utf-8") as source:
        first = source.read()
    pushctl(test, "checkconfig", "-c", path, "-s")
    has(pushctl(test, "genconfig", "-c", path, status=1), "new.json", "the second time")
    with open(path, encoding="utf-8") as source:
        equal(source.read(), first, "the file")
    other = os.path.join(test.dir, "other.json")
    pushctl(test, "genconfig", "-c", other)
    secret = json.loads(first)["client"]["token"]["hmac_secret_key"]
    with open(other, encoding="utf-8") as source:
        check(secret not in source.read(), "every file has secrets of its own")
    check(len(secret) >= 32, "a secret of %d characters" % len(secret))


def test_checkconfig(test):
    """checkconfig: 0 for a good file, else the line, the key, and the nearest known one."""
    pushctl(test, "checkconfig", "-c", write_config(test, {}))
    path = write_config(test, '{\n  "client": {\n    "alowed_origins": []\n  }\n}\n')
    output = pushctl(test, "checkconfig", "-s", "-c", path, status=1)
    for words in ("c.json:3", "alowed_origins", "allowed_origins"):
        has(output, words, "what it says")
    has(pushctl(test, "checkconfig", "-c", write_config(test, '{"pushd": {"workers": "x"}}'), status=1), "workers", "a wrong type")


def test_publish_and_connect(test):
    """publish posts, through CENTRIFUGO_URL as well; connect prints every frame until told to end."""
    system = System(test)
    watcher = test.add(Process("watcher", [build_path("pushctl", "pushctl"), "connect", "-c", system.config_path, "-u", "ada",
                                           "-s", "test", "--url", "ws://127.0.0.1:%d/connection/websocket" % system.port,
                                           "--count", "2"], test.dir, env=system.env))
    system.wait_subscribers("test", 1)
    pushctl(test, "publish", "-c", system.config_path, "test", '{"n": 1e400}', env={"CENTRIFUGO_URL": system.url})
    pushctl(test, "publish", "-c", system.config_path, "-a", system.url, "test", "-", stdin='{"n": 2}')
    equal(watcher.wait_exit(), 0, "status of connect")
    for words in ('"connect"', '"subscribe"', '{"n": 1e400}', '{"n": 2}'):
        has(watcher.log(), words, "what connect prints")


def test_publish_says_what_is_wrong(test):
    """A wrong key, an unknown namespace, text that is no JSON, nobody listening: each is said, with a status that is not 0."""
    system = System(test)
    common = ("publish", "-c", system.config_path)
    url = ("-a", system.url)
    has(pushctl(test, *common, *url, "-k", "wrong", "test", "1", status=1), "401", "a wrong key")
    has(pushctl(test, *common, *url, "no:x", "1", status=1), "unknown channel", "an unknown namespace")
    has(pushctl(test, *common, *url, "test", "{", status=1).lower(), "json", "text that is no JSON")
    has(pushctl(test, *common, "-a", "http://127.0.0.1:1", "test", "1", status=1).lower(), "refused", "nobody there")


def test_connect_ends_as_the_connection_does(test):
    """connect prints the close code and the reason, and ends with a status that is not 0."""
    system = System(test, front=None)
    watcher = test.add(Process("watcher", [build_path("pushctl", "pushctl"), "connect", "-c", system.config_path, "-t",
                                           token("another-secret", {"sub": "a"}), "--url",
                                           "ws://127.0.0.1:%d/connection/websocket" % system.ws_port], test.dir,
                               env=system.env, clean=(0, 1)))
    wait_for(lambda: not watcher.running(), "connect ends")
    equal(watcher.process.returncode, 1, "status")
    has(watcher.log(), "3500", "what it prints")
    has(watcher.log(), "invalid token", "what it prints")
