# SPDX-License-Identifier: Apache-2.0
"""A program under test: its log in a file, its exit status checked, its sanitizer reports found."""
import os
import re
import shutil
import signal
import subprocess
import time

from harness.check import Failure, Skip
from harness.wait import PATIENCE, wait_for

SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
SANITIZER = re.compile(r"(ERROR: (Address|Leak|Thread|Memory)Sanitizer|runtime error:|SUMMARY: \w+Sanitizer"
                       r"|stack smashing|double free|malloc\(\)|free\(\): )")


def find_program(name):
    path = shutil.which(name, path=SYSTEM_PATH)
    if path is None:
        raise Skip("%s is not installed" % name)
    return path


def last_lines(path, count=40):
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            text = log.read()
    except OSError as problem:
        return ["(%s)" % problem]
    # A sanitizer's legend says nothing about this failure.
    return text.split("Shadow bytes around", 1)[0].splitlines()[-count:]


class Process:
    """Started at once. `clean` lists the exit statuses that a stop may end with."""

    def __init__(self, name, argv, directory, env=None, pass_fds=(), clean=(0,), stdin=subprocess.DEVNULL,
                 preexec=None, cwd=None):
        self.name = name
        self.argv = argv
        self.clean = clean
        self.log_path = os.path.join(directory, name + ".log")
        self.stopped = False
        with open(self.log_path, "ab") as log:
            self.started_at = log.tell()
            self.process = subprocess.Popen(argv, stdin=stdin, stdout=log, stderr=subprocess.STDOUT, env=env,
                                            pass_fds=pass_fds, preexec_fn=preexec, cwd=cwd or directory)
        self.pid = self.process.pid

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def log_since(self, mark):
        with open(self.log_path, "rb") as log:
            log.seek(mark)
            return log.read().decode("utf-8", "replace")

    def mark(self):
        """A position in the log for log_since and wait_log."""
        return os.path.getsize(self.log_path)

    def wait_log(self, pattern, since=None, seconds=PATIENCE):
        """Waits for a line of the log and returns its match."""
        expression = re.compile(pattern)
        begin = self.started_at if since is None else since
        return wait_for(lambda: expression.search(self.log_since(begin)),
                        "%s did not log %r; its last lines:\n  %s"
                        % (self.name, pattern, "\n  ".join(last_lines(self.log_path, 8))), seconds)

    def running(self):
        return self.process.poll() is None

    def check_alive(self):
        if not self.running():
            raise Failure("%s ended with status %d; its last lines:\n  %s"
                          % (self.name, self.process.returncode, "\n  ".join(last_lines(self.log_path, 12))))

    def cpu_seconds(self):
        """The processor time that it has used by now, which the load of the machine does not change."""
        with open("/proc/%d/stat" % self.pid, encoding="latin-1") as source:
            fields = source.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def send_signal(self, number):
        self.process.send_signal(number)

    def wait_exit(self, seconds=PATIENCE):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure("%s still runs after %g s" % (self.name, seconds)) from None

    def kill(self):
        """Kills without asking, as a crash would."""
        if self.running():
            self.process.kill()
        self.process.wait()
        self.stopped = True

    def stop(self, seconds=PATIENCE):
        """SIGTERM; returns what is wrong with the way it ended, or None. Stopping twice is harmless."""
        if self.stopped:
            return None
        self.stopped = True
        if self.running():
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        elif self.process.returncode not in self.clean:
            return "%s had already ended with status %d" % (self.name, self.process.returncode)
        begun = time.monotonic()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "%s did not end within %g s of SIGTERM" % (self.name, seconds)
        self.took = time.monotonic() - begun
        if self.process.returncode not in self.clean:
            return "%s ended with status %d" % (self.name, self.process.returncode)
        return None

    def sanitizer_report(self):
        match = SANITIZER.search(self.log())
        if not match:
            return None
        text = self.log()[match.start():]
        return "%s: a sanitizer reports:\n%s" % (self.name, "\n".join(text.splitlines()[:25]))
