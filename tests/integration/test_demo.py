# SPDX-License-Identifier: Apache-2.0
"""sh etc/quickstart.sh: the first thing a newcomer types, watched in a real browser."""
import base64
import os
import re
import shutil
import signal
import socket
import subprocess

from harness import PATIENCE, Process, Skip, check, equal, has, limit, wait_for
from harness.browser import Browser
from harness.fronts import reserve_port
from harness.system import clean_environment
from harness.web import http_request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ENDED = (0, 130, 143)


def quickstart(test, *options):
    """Starts it on a free port, with the programs of this build; returns the process, the port and what it printed."""
    holder, port = reserve_port()
    test.on_end(holder.close)
    build = os.environ["PUSHD_BUILD"]
    sdk = os.path.join(os.environ.get("PUSHD_NODE", ""), "node_modules", "centrifuge", "dist", "centrifuge.js")
    if not os.path.exists(sdk):
        raise Skip("the npm package centrifuge is not installed")
    os.makedirs(os.path.join(build, "sdk"), exist_ok=True)
    shutil.copy(sdk, os.path.join(build, "sdk", "centrifuge.js.%d" % os.getpid()))
    os.replace(os.path.join(build, "sdk", "centrifuge.js.%d" % os.getpid()), os.path.join(build, "sdk", "centrifuge.js"))
    env = clean_environment(test, {"PUSHD_BUILD": build, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    process = test.add(Process("quickstart", ["sh", os.path.join(ROOT, "etc", "quickstart.sh"), "--port", str(port),
                                              "--no-install", *options], test.dir, env=env, clean=ENDED))
    process.wait_log(r"Ready\.(.|\n)*Ctrl-C stops")
    return process, port, process.log()


def stops_and_leaves_nothing(test, process, port):
    folder = re.search(r"\S*/pushd-quickstart\.\w+", process.log()).group()
    check(os.path.isdir(folder), "its folder is there while it runs")
    process.send_signal(signal.SIGINT if os.environ.get("PUSHD_SIGINT") else signal.SIGTERM)
    check(process.wait_exit() in ENDED, "status %s" % process.process.returncode)
    check(not os.path.exists(folder), "its folder is gone")
    equal([words for words in descendants(folder)], [], "what it leaves running")
    with socket.socket() as probe:
        check(probe.connect_ex(("127.0.0.1", port)) != 0, "its port is free again")


def descendants(folder):
    """Command lines of processes that quickstart started: its folder is in their environment or among their words, or
    they were handed over to this process when it ended."""
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % entry, encoding="latin-1") as source:
                fields = source.read().rpartition(")")[2].split()
            with open("/proc/%s/cmdline" % entry, "rb") as source:
                words = source.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:
            continue
        orphan = int(fields[1]) == os.getpid() and "chrom" not in words
        if fields[0] != "Z" and (folder in words or orphan):
            yield words


def curl_of(output):
    """The curl line that it prints, as a person would copy it."""
    match = re.search(r"^ *(curl -X POST(?:.*\\\n)*.*)$", output, re.M)
    check(match, "a curl line in:\n" + output)
    return match.group(1)


def shown_in_the_browser(test, port, output):
    browser = Browser(test)
    browser.open("http://127.0.0.1:%d/" % port)
    browser.wait("document.body.innerText.includes('Connected')")
    listed = "[...document.querySelectorAll('.items')].map((list) => list.innerText).join('\\n')"
    equal("hello from curl" in browser.evaluate(listed), False, "the message is there before it is posted")
    browser.wait("document.body.innerText.includes('org:123:messages') && document.body.innerText.includes('org:123:tickets')")
    wait_for(lambda: any("Subscribed to org:123:messages" in line for line in browser.console) or
             browser.evaluate("1") is None, lambda: "the subscription in the console: %r" % browser.console)
    done = subprocess.run(["sh", "-c", curl_of(output)], capture_output=True, text=True, timeout=PATIENCE, check=False)
    has(done.stdout, '"result"', "what curl prints (%s)" % done.stderr)
    browser.wait(listed + ".includes('hello from curl')")
    browser.wait("document.getAnimations().length === 0")
    picture = os.path.join(os.environ.get("PUSHD_TEST_ARTIFACTS", test.dir), "demo-%d.png" % port)
    data = browser.screenshot(picture)
    check(len(data) > 10000, "a screenshot of %d bytes" % len(data))
    complaints = [line for line in browser.errors if "favicon" not in line]
    equal(complaints, [], "errors in the console")


@limit(120)
def test_page_behind_lighttpd(test):
    """The page shows its state and a message posted with the printed curl line; the guide's paths answer on the same port."""
    process, port, output = quickstart(test)
    shown_in_the_browser(test, port, output)
    base = "http://127.0.0.1:%d" % port
    equal(http_request("GET", base, "/api/ping").body, b'{"result":{}}', "/api/ping")
    for path, status in (("/admin", 401), ("/health", 200), ("/ready", 200), ("/metrics", 200)):
        equal(http_request("GET", base, path).status, status, path)
    password = re.search(r"/admin +password (\w+)", output).group(1)
    basic = {"Authorization": "Basic " + base64.b64encode(b"admin:" + password.encode()).decode()}
    equal(http_request("GET", base, "/admin", headers=basic).status, 200, "/admin with the printed password")
    has(http_request("GET", base, "/api/v1/centrifugo/token").json(), "token", "the token endpoint")
    stops_and_leaves_nothing(test, process, port)


@limit(120)
def test_page_behind_nginx(test):
    """--proxy nginx does the same."""
    process, port, output = quickstart(test, "--proxy", "nginx")
    shown_in_the_browser(test, port, output)
    stops_and_leaves_nothing(test, process, port)


def test_a_taken_port_is_explained(test):
    """A port in use: who has it and what to type instead; nothing is started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run(["sh", os.path.join(ROOT, "etc", "quickstart.sh"), "--port", str(taken.getsockname()[1]),
                               "--no-install"], capture_output=True, text=True, timeout=PATIENCE, check=False,
                              env=clean_environment(test), stdin=subprocess.DEVNULL)
    check(done.returncode != 0, "status 0")
    has(done.stderr, "is taken by", "what it says")
    has(done.stderr, "--port", "what it says")
