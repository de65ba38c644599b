# SPDX-License-Identifier: Apache-2.0
"""Official libraries, unchanged from their registries, in the folder of the build; never part of the project."""
import fcntl
import os
import shutil
import subprocess
import sys

from harness import Failure, Skip, find_program

HERE = os.path.dirname(os.path.abspath(__file__))
INSTALL_SECONDS = 240


def environment(folder):
    """Whatever a package manager keeps beside its result goes into the folder, too, and nothing phones home."""
    settings = os.path.join(folder, "settings")
    os.makedirs(os.path.join(settings, "go", "telemetry"), exist_ok=True)
    with open(os.path.join(settings, "go", "telemetry", "mode"), "w", encoding="ascii") as mode:
        mode.write("off")
    return {**os.environ, "XDG_CONFIG_HOME": settings, "GOMODCACHE": os.path.join(folder, "modules"),
            "GOCACHE": os.path.join(folder, "cache"), "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
            "GOTOOLCHAIN": "local", "GOTELEMETRY": "off"}


def python_packages(folder):
    return [[sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", folder,
             "cent>=5,<6", "centrifuge-python>=0.7,<1"]]


def node_packages(folder):
    return [[find_program("npm"), "install", "--prefix", folder, "--no-audit", "--no-fund", "--silent", "cent.js@6"]]


def go_client(folder):
    """Copies the program first: go wants to write beside its module file."""
    module, go = os.path.join(folder, "module"), find_program("go")
    shutil.copytree(os.path.join(HERE, "sdk_go"), module, dirs_exist_ok=True)
    return [[go, "-C", module, "mod", "download"],
            [go, "-C", module, "build", "-p", "2", "-o", os.path.join(folder, "sdk"), "."]]


# What one kind of library is installed with, and the path below its folder that is there afterwards. The first command
# fetches, and its failure is nobody's fault; another one builds what is ours.
KINDS = {
    "python": (python_packages, "centrifuge"),
    "node": (node_packages, os.path.join("node_modules", "cent.js")),
    "go": (go_client, "sdk"),
}


def library(kind):
    """The folder with these libraries, installed by whichever test comes first; Skip if they are not to be had.

    PUSHD_INSTALL set to nothing forbids installing, as --no-install of run.sh does.
    """
    commands, result = KINDS[kind]
    folder = os.path.join(os.environ["PUSHD_BUILD"], "libraries", kind)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = os.path.join(folder, "installed")
        if is_newer(mark) and os.path.exists(os.path.join(folder, result)):
            return folder
        if os.environ.get("PUSHD_INSTALL", "yes") == "":
            raise Skip("the %s libraries are not installed" % kind)
        for number, command in enumerate(commands(folder)):
            output = install(kind, command, folder)
            if output is not None:
                is_ours = number > 0 and "requires go" not in output.lower()
                raise (Failure if is_ours else Skip)("%s: %s" % (" ".join(command), output.strip()[-600:]))
        if not os.path.exists(os.path.join(folder, result)):
            raise Failure("installing the %s libraries did not bring %s" % (kind, result))
        with open(mark, "w", encoding="ascii"):
            return folder


def is_newer(mark):
    """Whether the mark is there, and nothing that decides what is installed was changed after it was set."""
    sources = [os.path.abspath(__file__)]
    sources += [os.path.join(HERE, "sdk_go", name) for name in os.listdir(os.path.join(HERE, "sdk_go"))]
    return os.path.exists(mark) and os.path.getmtime(mark) > max(os.path.getmtime(path) for path in sources)


def install(kind, command, folder):
    """Runs one command; returns its output if it failed, else None."""
    try:
        run = subprocess.run(command, env=environment(folder), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Skip("installing the %s libraries took longer than %d s" % (kind, INSTALL_SECONDS)) from None
    return run.stdout.decode("utf-8", "replace") if run.returncode != 0 else None
