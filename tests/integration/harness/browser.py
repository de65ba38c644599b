# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium, driven over its DevTools protocol."""
import base64
import json
import os
import time
from urllib.parse import urlsplit

from harness.check import Failure, Skip
from harness.process import Process, find_program
from harness.wait import wait_for
from harness.web import http_request
from harness.ws import WebSocket

STATUS_STOPPED = (0, -15, 143)


class Browser:
    """One page. `hosts` maps "name:port" to "address:port", as if the name resolved there."""

    def __init__(self, test, hosts=None):
        for name in ("chromium", "chromium-browser", "google-chrome"):
            try:
                program = find_program(name)
                break
            except Skip:
                program = None
        if program is None:
            raise Skip("chromium is not installed")
        folder = os.path.join(test.dir, "chrome")
        os.makedirs(folder)
        argv = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--ignore-certificate-errors",
                "--disable-crash-reporter", "--disable-breakpad", "--window-size=1280,900",
                "--remote-debugging-port=0", "--user-data-dir=" + folder]
        if hosts:
            argv.append("--host-resolver-rules=" + ",".join("MAP %s %s" % pair for pair in hosts.items()))
        env = {**os.environ, **dict.fromkeys(("HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), folder)}
        self.process = test.add(Process("chromium", argv + ["about:blank"], test.dir, env=env, clean=STATUS_STOPPED))
        port = int(self.process.wait_log(r"DevTools listening on ws://127\.0\.0\.1:(\d+)/").group(1))
        base = "http://127.0.0.1:%d" % port
        pages = wait_for(lambda: [page for page in http_request("GET", base, "/json/list").json()
                                  if page["type"] == "page"], "a page in the browser")
        self.socket = WebSocket(("127.0.0.1", port), urlsplit(pages[0]["webSocketDebuggerUrl"]).path)
        test.on_end(self.socket.close)
        self.number, self.console, self.errors = 0, [], []
        for domain in ("Page", "Runtime", "Log"):
            self.command(domain + ".enable")

    def command(self, method, **params):
        self.number += 1
        self.socket.send_text(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv_payload())
            if message.get("id") == self.number:
                if "error" in message:
                    raise Failure("%s: %r" % (method, message["error"]))
                return message["result"]
            self._event(message)

    def _event(self, message):
        if message.get("method") == "Runtime.consoleAPICalled":
            arguments = message["params"]["args"]
            words = [str(item.get("value", item.get("description", item.get("type")))) for item in arguments]
            self.console.append(" ".join(words))
        elif message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(message["params"]["exceptionDetails"])[:600])
        elif message.get("method") == "Log.entryAdded":
            self.errors.append(message["params"]["entry"]["text"])

    def open(self, url):
        result = self.command("Page.navigate", url=url)
        if result.get("errorText"):
            raise Failure("%s: %s" % (url, result["errorText"]))
        wait_for(lambda: self.evaluate("document.readyState") == "complete", "the page is loaded")

    def evaluate(self, expression):
        """Value of a JavaScript expression; a promise is waited for."""
        result = self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise Failure("%s: %s" % (expression[:100], json.dumps(result["exceptionDetails"])[:600]))
        return result["result"].get("value")

    def wait(self, expression):
        """Waits until a JavaScript expression is true, and returns its value."""
        return wait_for(lambda: self.evaluate(expression),
                        lambda: "%s in the page; console: %r; errors: %r" % (expression, self.console[-12:],
                                                                             self.errors[-6:]))

    def screenshot(self, path):
        data = base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"])
        with open(path, "wb") as target:
            target.write(data)
        return data

    def paste(self, text):
        """Runs a snippet as the console of the DevTools does."""
        self.command("Runtime.evaluate", expression=text, replMode=True, userGesture=True)
        return time.monotonic()
