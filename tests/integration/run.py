#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs integration tests: functions test_* in files test_*.py, each in a process and a directory of its own.

    run.py [--list] [--only PATTERN] [-j N] [--keep] [FOLDER...]      default folders: here and ../compat

PATTERN (may be repeated; * and ? as in a shell, or a part of the name) is compared with AREA.NAME.
PUSHD_BUILD names the folder with the programs, PUSHD_NODE one with node_modules. Prints a line a test, the last
log lines of what failed, and "N passed, N failed, N skipped".
"""
import argparse
import concurrent.futures
import contextlib
import ctypes
import fnmatch
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

from harness.check import Failure, Skip  # noqa: E402
from harness.clock import Clock  # noqa: E402
from harness.process import last_lines  # noqa: E402
from harness.wait import PATIENCE  # noqa: E402

TIME_LIMIT = 60
HANG_FACTOR = 5  # a test that takes so many times its limit hangs; a busy machine may be several times slower
ATTEMPTS = 3  # of a timed test on a machine that stands still now and then; all but the first have it for themselves
SKIPPED, AGAIN = 77, 78
PR_SET_CHILD_SUBREAPER = 36
active = set()  # processes of running tests
interrupted = threading.Event()


class Test:
    """What a test function gets: a directory, and an end at which everything is stopped and examined."""

    def __init__(self, name, directory, clock=None):
        self.name, self.dir, self.clock = name, directory, clock
        self.processes, self.endings = [], []

    def add(self, process):
        """Registers a process; the last one is stopped first."""
        self.processes.append(process)
        if self.clock:
            self.clock.watch(process.pid)
        return process

    def on_end(self, function):
        self.endings.append(function)

    def end(self):
        """Closes clients, stops every process; returns what is wrong."""
        problems = []
        for function in reversed(self.endings):
            try:
                function()
            except OSError as problem:
                problems.append("at the end: %s" % problem)
        for process in reversed(self.processes):
            problems.append(process.stop())
        for process in self.processes:
            problems.append(process.sanitizer_report())
        return [problem for problem in dict.fromkeys(problems) if problem]


def load(path):
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def discover(folders):
    """(area.name, path, function) in the order of the files."""
    for folder in folders:
        for file in sorted(os.listdir(folder)):
            if not (file.startswith("test_") and file.endswith(".py")):
                continue
            path = os.path.join(folder, file)
            for name, function in vars(load(path)).items():
                if name.startswith("test_") and callable(function):
                    yield "%s.%s" % (file[5:-3], name[5:]), path, function


def told(test, path, function):
    """Runs the test; returns (status, what it claims in vain, what is wrong whatever it claims, how the machine stalled)."""
    status, claims, problems = 0, [], []
    try:
        function(test)
    except Skip as missing:
        print(missing)
        status = SKIPPED
    except BaseException as problem:  # pylint: disable=broad-except
        text = str(problem) if isinstance(problem, Failure) else "%s: %s" % (type(problem).__name__, problem)
        frames = [f for f in traceback.extract_tb(problem.__traceback__) if f.filename == path]
        # Not only claims end a test: we are told to end when the test hangs.
        (claims if isinstance(problem, Exception) else problems).append("%s%s" % (text, "".join("\n  at line %d: %s" % (f.lineno, f.line) for f in frames[-2:])))
    stalled = test.clock.stalled() if test.clock else None
    return status, claims, problems + test.end(), stalled


def run_one(name, path, directory):
    """In a process of its own: runs the test, prints what is wrong, ends with 0, 1, SKIPPED or AGAIN."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    function = next(f for n, _, f in discover([os.path.dirname(path)]) if n == name)
    clock = Clock() if getattr(function, "has_clock", False) else None
    try:
        status, claims, problems, stalled = told(Test(name, directory, clock), path, function)
    finally:
        if clock:
            clock.stop()
    if problems or claims and not (stalled and getattr(function, "is_repeated", False)):
        print("\n".join(claims + problems))
        return 1
    if claims:
        print("%s: %s" % (stalled, claims[0]))
        return AGAIN
    return status


class Machine:
    """Is shared by tests, or one has it for itself."""

    def __init__(self):
        self.news, self.users, self.wanted = threading.Condition(), 0, 0

    @contextlib.contextmanager
    def use(self, alone):
        with self.news:
            self.wanted += alone
            self.news.wait_for(lambda: not (self.users if alone else self.wanted))
            self.users += 1
        try:
            yield
        finally:
            with self.news:
                self.users -= 1
                self.wanted -= alone
                self.news.notify_all()


machine = Machine()


def supervise_attempts(name, path, time_limit, keep):
    """What supervise returns, of the last attempt."""
    for number in range(ATTEMPTS):
        with machine.use(alone=number > 0):
            name, status, seconds, report = supervise(name, path, time_limit, keep)
        if status != AGAIN:
            break
        print("again: %s: %s" % (name, report.strip().split("\n")[0]), flush=True)
    else:
        status, report = SKIPPED, "the machine was too busy, %d times; %s" % (ATTEMPTS, report)
    return name, status, seconds, report


def leftovers(session, mark):
    """Processes that outlived their test: of its session, or with its mark in their environment."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open("/proc/%s/stat" % entry, encoding="latin-1") as source:
                fields = source.read().rpartition(")")[2].split()
            with open("/proc/%s/environ" % entry, "rb") as source:
                marked = mark.encode() in source.read()
            if (int(fields[3]) == session or marked) and fields[0] != "Z":
                with open("/proc/%s/cmdline" % entry, "rb") as source:
                    found.append((int(entry), source.read().replace(b"\0", b" ").decode("utf-8", "replace")[:120]))
        except OSError:
            continue
    return found


def supervise(name, path, time_limit, keep):
    """Runs one test in a session of its own; returns (name, status, seconds, report)."""
    directory = tempfile.mkdtemp(prefix="pushd-test.")
    os.chmod(directory, 0o755)
    mark = "PUSHD_TEST=" + directory
    begun = time.monotonic()
    report_path = os.path.join(directory, "report.txt")  # a pipe would be held open by what a test leaves behind
    with open(report_path, "wb") as output:
        process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--one", name, path, directory],
                                   stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                   start_new_session=True, env={**os.environ, "PUSHD_TEST": directory})
    late, time_limit = "", time_limit * HANG_FACTOR
    active.add(process)
    if interrupted.is_set():
        process.terminate()
    try:
        status = process.wait(time_limit)
    except subprocess.TimeoutExpired:
        late, status = "the test took longer than %d s\n" % time_limit, 1
        process.terminate()  # it still stops and examines its servers
        try:
            process.wait(2 * PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    active.discard(process)
    with open(report_path, encoding="utf-8", errors="replace") as output:
        report = output.read() + late
    left = leftovers(process.pid, mark)
    for pid, _ in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    # Chromium's own children end a moment after their browser.
    left = [item for item in left if "/chrom" not in item[1]]
    if left:
        report += "".join("left running: %d %s\n" % item for item in left)
        status = 1
    if status not in (0, SKIPPED, AGAIN):
        report += logs(directory)
    if keep or status not in (0, SKIPPED) and os.environ.get("PUSHD_TEST_KEEP"):
        report += "kept: %s\n" % directory
    else:
        shutil.rmtree(directory, ignore_errors=True)
    return name, status, time.monotonic() - begun, report


def logs(directory):
    """The last lines of every log of a failed test."""
    text = ""
    for folder, _, files in sorted(os.walk(directory)):
        for file in sorted(files):
            if file.endswith(".log") and "chrome" not in folder:
                path = os.path.join(folder, file)
                if os.path.getsize(path):
                    text += "--- %s\n" % os.path.relpath(path, directory)
                    text += "".join("    %s\n" % line[:300] for line in last_lines(path, 3 if file == "redis.log" else 12))
    return text


def chosen(tests, patterns):
    def matches(name, pattern):
        return fnmatch.fnmatchcase(name, pattern) or pattern in name
    return [test for test in tests if not patterns or any(matches(test[0], pattern) for pattern in patterns)]


def interrupt(*_):
    """Tests stop their servers when they are told to end; those that have not begun end at once."""
    interrupted.set()
    for process in list(active):
        process.terminate()


def run_all(tests, jobs, keep):
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    # The long ones first, so that no core waits for the last of them.
    order = sorted(tests, key=lambda test: -getattr(test[2], "time_limit", TIME_LIMIT))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(supervise_attempts, name, path, getattr(function, "time_limit", TIME_LIMIT), keep)
                   for name, path, function in order]
        for number, future in enumerate(concurrent.futures.as_completed(futures), 1):
            name, status, seconds, report = future.result()
            kind = {0: "passed", SKIPPED: "skipped"}.get(status, "failed")
            counts[kind] += 1
            words = {"passed": "ok  ", "skipped": "skip", "failed": "FAIL"}[kind]
            print("%s %3d/%d %s (%.1f s)%s" % (words, number, len(tests), name, seconds,
                                               ": " + report.strip() if kind == "skipped" else ""), flush=True)
            if kind == "failed" or keep:
                print("".join("     %s\n" % line for line in report.rstrip().splitlines()), flush=True)
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % counts)
    return 1 if counts["failed"] else 0


def main():
    if sys.argv[1:2] == ["--one"]:
        return run_one(*sys.argv[2:5])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="name the tests and what they claim")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="keep the directories and print their names")
    parser.add_argument("folders", nargs="*", default=[HERE, os.path.join(os.path.dirname(HERE), "compat")])
    options = parser.parse_args()
    tests = chosen(list(discover([folder for folder in options.folders if os.path.isdir(folder)])), options.only)
    if options.list:
        for name, _, function in tests:
            print("%-60s %s" % (name, (function.__doc__ or "").strip().split("\n")[0]))
        return 0
    return run_all(tests, options.jobs, options.keep)


if __name__ == "__main__":
    sys.exit(main())
