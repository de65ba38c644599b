# SPDX-License-Identifier: Apache-2.0
"""make install: the files are where they belong, and run from there."""
import os
import subprocess

from harness import PATIENCE, check, equal, has, limit
from harness.system import clean_environment, make_install

PROGRAMS = ("sbin/pushd", "sbin/push-api", "bin/pushctl")
PAGES = ("man8/pushd.8", "man8/push-api.8", "man1/pushctl.1", "man5/pushd.json.5")
UNITS = ("pushd.service", "push-api.service", "push-api.socket")


def tree(root):
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, root)] = os.stat(path).st_mode & 0o777
    return found


def there(files, part, mode=None):
    paths = [path for path in files if path.endswith("/" + part)]
    check(paths, "%s is not installed; there are:\n  %s" % (part, "\n  ".join(sorted(files))))
    if mode is not None:
        equal(oct(files[paths[0]]), oct(mode), "mode of " + paths[0])
    return paths[0]


@limit(120)
def test_files(test):
    """DESTDIR: programs, man pages, units, sysusers, tmpfiles, samples for three web servers; uninstall takes all away."""
    staged = os.path.join(test.dir, "staged")
    make_install(staged)
    files = tree(staged)
    for program in PROGRAMS:
        path = there(files, program, 0o755)
        done = subprocess.run([os.path.join(staged, path), "--version"], env=clean_environment(test), capture_output=True,
                              text=True, timeout=PATIENCE, check=False)
        equal(done.returncode, 0, "%s --version: %s" % (path, done.stderr))
        has(done.stdout, "0.", "the version")
    for page in PAGES:
        there(files, page, 0o644)
    for unit in UNITS:
        with open(os.path.join(staged, there(files, unit, 0o644)), encoding="utf-8") as source:
            text = source.read()
        check("@prefix@" not in text and "${" not in text.replace("${CREDENTIALS", ""), "%s is complete:\n%s" % (unit, text))
    with open(os.path.join(staged, there(files, "pushd.service")), encoding="utf-8") as source:
        text = source.read()
    for line in ("Type=notify", "WatchdogSec=", "ExecStart=", "User=" if "User=" in text else "DynamicUser="):
        has(text, line, "pushd.service")
    for folder in ("sysusers.d/", "tmpfiles.d/"):
        check(any(folder in path for path in files), folder + " has a file")
    for server in ("nginx", "lighttpd", "apache"):
        check(any(server in path for path in files), "a sample for " + server)
    check(any(path.endswith("config.json") or path.endswith("config.json.sample") for path in files), "a sample configuration")
    for path in files:
        check("/tests/" not in path and not path.endswith((".o", ".a")), "not to be installed: " + path)
    make_install(staged, target="uninstall")
    equal(sorted(tree(staged)), [], "what uninstall leaves behind")


@limit(120)
def test_prefix(test):
    """--prefix: everything goes below it."""
    staged = os.path.join(test.dir, "staged")
    make_install(staged, "prefix=/opt/pushd", "sysconfdir=/opt/pushd/etc")
    outside = [path for path in tree(staged) if not path.startswith("opt/pushd/")]
    equal(outside, [], "files outside of the prefix")


def test_an_installed_configuration_is_kept(test):
    """Installing again does not overwrite what the operator wrote into config.json."""
    staged = os.path.join(test.dir, "staged")
    make_install(staged)
    paths = [path for path in tree(staged) if path.endswith("etc/pushd/config.json")]
    if not paths:
        return  # only a sample is installed: nothing to overwrite
    with open(os.path.join(staged, paths[0]), "w", encoding="utf-8") as target:
        target.write('{"mine": true}')
    make_install(staged)
    with open(os.path.join(staged, paths[0]), encoding="utf-8") as source:
        equal(source.read(), '{"mine": true}', "the operator's file")
